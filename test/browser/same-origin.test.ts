import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Tab } from './tab.ts'

/** Tabs of one origin need no server to find each other. */

let site: Site
let browser: Chromium

beforeAll(async () => {
  site = await serveSite(await bundlePage('grid-page'))
  browser = await Chromium.start()
})

afterEach(async () => {
  await browser.context.setOffline(false)
  for (const page of browser.context.pages().slice(1)) await page.close()
})

afterAll(async () => {
  await browser?.close()
  await site?.close()
})

const patiently = { timeout: 120_000, interval: 100 }
const tab = async (): Promise<Tab> => new Tab(await browser.tab(site.url))

it('tabs of one origin share a grid without a server, offline as well', async () => {
  const name = 'offline'
  const one = await tab()
  const other = await tab()
  await browser.context.setOffline(true)
  await one.open({ name })
  await one.set('a', 1)
  await other.open({ name })
  await expect.poll(() => other.get('a'), patiently).toBe(1)
  await other.set('a', 2)
  await expect.poll(() => one.get('a'), patiently).toBe(2)
})

it('the tabs that know its secret share a private grid', async () => {
  const name = 'private'
  const secret = 'thirty-two random bytes, or nearly'
  const one = await (await tab()).open({ name, secret })
  const other = await (await tab()).open({ name, secret })
  const stranger = await (await tab()).open({ name, secret: 'some other thirty-two random bytes' })
  await one.set('a', 1)
  await expect.poll(() => other.get('a'), patiently).toBe(1)
  expect(await stranger.get('a')).toBeUndefined()
})

it('a hidden tab is asleep to the others, and awake when it is shown again', async () => {
  const name = 'hidden'
  const one = await (await tab()).open({ name })
  const other = await (await tab()).open({ name })
  await expect.poll(() => one.connected(), patiently).toContain(other.peerId)
  await other.show(false)
  await expect.poll(() => one.state(other.peerId), patiently).toBe('asleep')
  await other.show(true)
  await expect.poll(() => one.state(other.peerId), patiently).toBe('alive')
})

it('a frozen tab is asleep and not gone, and catches up when it wakes', async () => {
  const name = 'frozen'
  const one = await (await tab()).open({ name })
  const other = await (await tab()).open({ name })
  await expect.poll(() => one.connected(), patiently).toContain(other.peerId)
  const devtools = await browser.context.newCDPSession(other.page)
  await other.show(false)
  await expect.poll(() => one.state(other.peerId), patiently).toBe('asleep')
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
  await one.set('a', 1)
  // Longer than the silence after which other members are suspected.
  await new Promise((resolve) => setTimeout(resolve, 12_000))
  expect(await one.state(other.peerId)).toBe('asleep')
  await devtools.send('Page.setWebLifecycleState', { state: 'active' })
  await other.show(true)
  await expect.poll(() => other.get('a'), patiently).toBe(1)
  await expect.poll(() => one.state(other.peerId), patiently).toBe('alive')
})
