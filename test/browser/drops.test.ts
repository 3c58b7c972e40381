import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import { Tab } from './tab.ts'

let browser: Chromium
let server: Grid

beforeAll(async () => {
  browser = await Chromium.start()
  server = await openGrid({ name: 'drops', listen: ['/ip4/127.0.0.1/tcp/0/ws'], mdns: false })
})

afterAll(() => Promise.all([browser?.close(), server?.close()]))

it('a tab loads the code for drops with the first one, and drops collections itself', async () => {
  const site = await serveSite(await bundlePage('grid-page'))
  const options = { name: 'drops', join: server.addresses }
  const tab = await new Tab(await browser.tab(site.url)).open(options)
  await tab.set('a', 1)
  await expect.poll(() => server.map('numbers').peek('a')).toBe(1)
  await server.dropCollection('numbers')
  await expect.poll(() => tab.size()).toBe(0)
  await tab.set('b', 2)
  await expect.poll(() => server.map('numbers').peek('b')).toBe(2)
  expect(server.map('numbers').peek('a')).toBeUndefined()
  expect(await tab.drop()).toBe(true)
  expect(await tab.drop()).toBe(false)
  await expect.poll(() => server.map('numbers').size).toBe(0)
  await tab.set('c', 3)
  await expect.poll(() => server.map('numbers').peek('c')).toBe(3)
  await site.close()
})
