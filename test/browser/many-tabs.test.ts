import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Tab } from './tab.ts'

let sites: Site[]
let browser: Chromium

beforeAll(async () => {
  const script = await bundlePage('grid-page')
  sites = [await serveSite(script), await serveSite(script)]
  browser = await Chromium.start()
})

afterEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close()
})

afterAll(async () => {
  await browser?.close()
  for (const site of sites ?? []) await site.close()
})

const patiently = { timeout: 120_000, interval: 500 }
const tab = async (site: Site): Promise<Tab> => new Tab(await browser.tab(site.url))

it('ten tabs of two sites and three servers end equal', { timeout: 600_000 }, async () => {
  const name = 'many'
  const servers: Grid[] = []
  for (let n = 0; n < 3; n++) {
    const join = servers.slice(0, 1).flatMap(({ addresses }) => addresses)
    servers.push(await openGrid({ name, listen: ['/ip4/127.0.0.1/tcp/0/ws'], mdns: false, join }))
  }
  const tabs: Tab[] = []
  for (let n = 0; n < 10; n++) {
    const join = servers[n % 3]!.addresses
    tabs.push(await (await tab(sites[n % 2]!)).open({ name, join }))
  }
  const writes = tabs.map(async (each, n) => {
    for (let i = 0; i < 3; i++) await each.set(`tab ${n} entry ${i}`, i)
  })
  await Promise.all(writes)
  for (const [n, server] of servers.entries()) await server.map<number>('numbers').set(`server ${n}`, n)
  for (const each of tabs) await expect.poll(() => each.size(), patiently).toBe(33)
  const fingerprintOf = (server: Grid): string | undefined =>
    server.status().collections.find((collection) => collection.name === 'numbers')?.fingerprint
  const variants = async (): Promise<number> => {
    const ofTabs = await Promise.all(tabs.map((each) => each.fingerprint()))
    return new Set([...servers.map(fingerprintOf), ...ofTabs]).size
  }
  await expect.poll(variants, patiently).toBe(1)
  for (const server of servers) await server.close()
})
