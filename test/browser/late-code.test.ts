import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Tab } from './tab.ts'

/** What a tab loads while it connects may come late, and not at the first request. */

let site: Site
let browser: Chromium

beforeAll(async () => {
  site = await serveSite(await bundlePage('grid-page'))
  browser = await Chromium.start()
})

afterAll(async () => {
  await browser?.close()
  await site?.close()
})

const patiently = { timeout: 60_000, interval: 100 }

it('a tab works before its code for gossip is there, requests what failed again, and then broadcasts', async () => {
  const name = 'late'
  const server = await openGrid({ name, listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'], mdns: false })
  const tcp = server.addresses.filter((address) => !address.includes('/ws'))
  // The tab cannot reach this one: what it says reaches it by gossip alone.
  const remote = await openGrid({ name, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, join: tcp })
  const said: string[] = []
  remote.topic<string>('talk').on('message', ({ value }) => void said.push(value))

  const failed: string[] = []
  let arrive = false
  await browser.context.route(/\/(gossip|direct-transports)-\w+\.js/, (route) => {
    if (arrive) return route.continue()
    failed.push(route.request().url())
    return route.abort('internetdisconnected')
  })
  const tab = await new Tab(await browser.tab(site.url)).open({ name, join: server.addresses })
  await tab.set('from the tab', 1)
  await expect.poll(() => server.map<number>('numbers').get('from the tab'), patiently).toBe(1)
  await server.map<number>('numbers').set('from the server', 2)
  await expect.poll(() => tab.get('from the server'), patiently).toBe(2)
  expect(failed).toEqual(expect.arrayContaining([expect.stringContaining('/gossip-')]))
  await tab.say('too early')

  arrive = true
  const sayUntilHeard = async (): Promise<string[]> => {
    await tab.say('hello')
    return said
  }
  await expect.poll(sayUntilHeard, patiently).toContain('hello')
  expect(said).not.toContain('too early')
  await expect.poll(() => tab.addresses(), patiently).toContainEqual(expect.stringContaining('/p2p-circuit'))
  await Promise.all([server.close(), remote.close()])
})
