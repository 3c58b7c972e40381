import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Tab } from './tab.ts'

/** Tabs and their servers, where one of them is away for a while. */

const patiently = { timeout: 120_000, interval: 100 }

let site: Site
let browser: Chromium
let directory: string
const servers = new Set<Grid>()

beforeAll(async () => {
  site = await serveSite(await bundlePage('grid-page'))
  browser = await Chromium.start()
  directory = await mkdtemp(join(tmpdir(), 'gossipgrid-coming-back-'))
})

afterEach(async () => {
  await browser.context.setOffline(false)
  for (const page of browser.context.pages().slice(1)) await page.close()
  for (const server of servers) await server.close()
  servers.clear()
})

afterAll(async () => {
  await browser?.close()
  await site?.close()
  await rm(directory, { recursive: true, force: true })
})

const tab = async (): Promise<Tab> => new Tab(await browser.tab(site.url))

/** Opens the server again with its data, at the same address if it gets one. */
async function serve(name: string, address: string = '/ip4/127.0.0.1/tcp/0/ws'): Promise<Grid> {
  const listen = [address.replace(/\/p2p\/.*/, '')]
  const server = await openGrid({ name, listen, mdns: false, directory: join(directory, name) })
  servers.add(server)
  return server
}

it('a tab finds its server again after a restart of the server', async () => {
  const name = 'restarted'
  const before = await serve(name)
  const address = before.addresses[0]!
  const one = await (await tab()).open({ name, join: [address] })
  await one.set('a', 1)
  await expect.poll(() => before.map('numbers').get('a'), patiently).toBe(1)
  await before.close()
  servers.delete(before)
  await one.set('b', 2)
  const after = await serve(name, address)
  await after.map('numbers').set('c', 3)
  await expect.poll(() => after.map('numbers').get('b'), patiently).toBe(2)
  await expect.poll(() => one.get('c'), patiently).toBe(3)
})

it('a tab and its server exchange their writes when the tab is online again', async () => {
  const name = 'online-again'
  const before = await serve(name)
  const address = before.addresses[0]!
  const one = await (await tab()).open({ name, join: [address] })
  await expect.poll(() => one.connected(), patiently).toContain(before.peerId)
  await browser.context.setOffline(true)
  // Setting a browser offline does not close its connections, so the server closes them.
  await before.close()
  servers.delete(before)
  const after = await serve(name, address)
  await one.set('mine', 1)
  await after.map('numbers').set('yours', 2)
  // Long enough for an online tab to have dialled its server again.
  await delay(2000)
  expect(await one.get('yours')).toBeUndefined()
  await browser.context.setOffline(false)
  await expect.poll(() => one.get('yours'), patiently).toBe(2)
  await expect.poll(() => after.map('numbers').get('mine'), patiently).toBe(1)
})

it('a page that comes back from the browser’s back/forward cache is awake, and receives what it missed', async () => {
  const name = 'cached'
  const server = await serve(name)
  const one = await (await tab()).open({ name, join: server.addresses })
  const seen = (): string | undefined => server.members.find(({ peerId }) => peerId === one.peerId)?.state
  await expect.poll(seen, patiently).toBe('alive')
  await leave(one, 'pagehide')
  await expect.poll(seen, patiently).toBe('asleep')
  await server.map('numbers').set('a', 1)
  await leave(one, 'pageshow')
  await expect.poll(seen, patiently).toBe('alive')
  await expect.poll(() => one.get('a'), patiently).toBe(1)
})

it('a write of a page in the moment it is left is there when the page is loaded again', async () => {
  const name = 'left'
  const one = await (await tab()).open({ name })
  await one.set('first', 1)
  await one.page.evaluate(() => {
    addEventListener('pagehide', () => void (globalThis as never as { peer: Pick<Tab, 'set'> }).peer.set('last', 2))
  })
  await one.page.goto('about:blank')
  await one.page.goto(site.url)
  await one.open({ name })
  expect(await one.get('first')).toBe(1)
  expect(await one.get('last')).toBe(2)
})

/** What a browser does with a page that goes into its back/forward cache. */
function leave(page: Tab, type: 'pagehide' | 'pageshow'): Promise<void> {
  return page.page.evaluate((event) => {
    dispatchEvent(new PageTransitionEvent(event, { persisted: true }))
  }, type)
}
