import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Programs } from './programs.ts'
import type { Program } from './programs.ts'
import { Tab } from './tab.ts'

/** Tabs that know several relays and no server. */

const NAME = 'several-relays'
const patiently = { timeout: 120_000, interval: 100 }

let sites: Site[]
let browser: Chromium
const programs = new Programs()

beforeAll(async () => {
  const script = await bundlePage('grid-page')
  sites = [await serveSite(script), await serveSite(script), await serveSite(script)]
  browser = await Chromium.start()
})

afterEach(() => programs.killAll())

afterAll(async () => {
  await browser?.close()
  for (const site of sites ?? []) await site.close()
})

async function open(site: Site, relays: readonly Program[]): Promise<Tab> {
  return new Tab(await browser.tab(site.url)).open({ name: NAME, join: relays.flatMap(({ addresses }) => addresses) })
}

/** The peer ids of the relays through which the tab can be reached. */
async function relaysOf(tab: Tab): Promise<Set<string>> {
  const found = (await tab.addresses()).map((address) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(address)?.[1] ?? '')
  return new Set(found.filter((peerId) => peerId !== ''))
}

it('a tab is reachable through two of three relays, and tabs meet after one of these has died', async () => {
  const relays: Program[] = []
  for (let n = 0; n < 3; n++) relays.push(await programs.start('relay', '--listen', '127.0.0.1:0'))
  const [one, other] = await Promise.all(sites.slice(0, 2).map((site) => open(site, relays)))
  await expect.poll(async () => (await relaysOf(one!)).size, patiently).toBe(2)
  await one!.set('a', 1)
  await expect.poll(() => other!.get('a'), patiently).toBe(1)

  const [used] = await relaysOf(one!)
  await relays.find(({ addresses }) => addresses[0]!.includes(used!))!.kill()
  const late = await open(sites[2]!, relays)
  await expect.poll(() => late.get('a'), patiently).toBe(1)
  await late.set('a', 2)
  await expect.poll(() => one!.get('a'), patiently).toBe(2)
})
