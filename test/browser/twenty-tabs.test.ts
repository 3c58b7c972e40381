import { afterAll, beforeAll, expect, it } from 'vitest'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Tab } from './tab.ts'

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

const patiently = { timeout: 120_000, interval: 500 }

it('twenty tabs of one profile work, each as its own peer', { timeout: 600_000 }, async () => {
  const tabs: Tab[] = []
  for (let n = 0; n < 20; n++) {
    tabs.push(await new Tab(await browser.tab(site.url)).open({ name: 'twenty' }))
    await tabs[n]!.set(`tab ${n}`, n)
  }
  expect(new Set(tabs.map(({ peerId }) => peerId)).size).toBe(20)
  for (const each of tabs) await expect.poll(() => each.size(), patiently).toBe(20)
})
