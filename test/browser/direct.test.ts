import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Programs } from './programs.ts'
import { Tab } from './tab.ts'

/** Tabs of different sites: only WebRTC can connect them. */

let sites: Site[]
let browser: Chromium
const programs = new Programs()

beforeAll(async () => {
  const script = await bundlePage('grid-page')
  sites = [await serveSite(script), await serveSite(script)]
  browser = await Chromium.start()
})

afterEach(async () => {
  await programs.killAll()
  for (const page of browser.context.pages().slice(1)) await page.close()
})

afterAll(async () => {
  await browser?.close()
  for (const site of sites ?? []) await site.close()
})

async function tabs(name: string, join: readonly string[]): Promise<[Tab, Tab]> {
  const opened = sites.map(async ({ url }) => new Tab(await browser.tab(url)).open({ name, join }))
  return (await Promise.all(opened)) as [Tab, Tab]
}

const patiently = { timeout: 120_000, interval: 100 }

function meet(one: Tab, other: Tab): Promise<void> {
  return expect.poll(() => one.connected(), patiently).toContain(other.peerId)
}

it('two tabs that met at a server keep exchanging writes after every server is killed', async () => {
  const name = 'servers'
  const listen = ['--listen', '/ip4/127.0.0.1/tcp/0/ws']
  const first = await programs.start('peer', '--name', name, ...listen, '--no-mdns')
  const second = await programs.start('peer', '--name', name, ...listen, '--no-mdns', '--join', first.addresses[0]!)
  const [one, other] = await tabs(name, [...first.addresses, ...second.addresses])
  await one.set('before', 1)
  await expect.poll(() => other.get('before'), patiently).toBe(1)
  await meet(one, other)

  await programs.killAll()
  await one.set('after', 2)
  await expect.poll(() => other.get('after'), patiently).toBe(2)
  await other.set('after', 3)
  await expect.poll(() => one.get('after'), patiently).toBe(3)
})

it('a tab behind a relay gets the first write, and needs no relay afterwards', async () => {
  const name = 'relays'
  const relay = await programs.start('relay', '--listen', '127.0.0.1:0')
  const spare = await programs.start('relay', '--listen', '127.0.0.1:0')
  const [one, other] = await tabs(name, [...relay.addresses, ...spare.addresses])
  await one.set('first', 1)
  await expect.poll(() => other.get('first'), patiently).toBe(1)

  await programs.killAll()
  await other.set('second', 2)
  await expect.poll(() => one.get('second'), patiently).toBe(2)
})
