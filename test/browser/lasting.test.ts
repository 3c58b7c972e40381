import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import type { GridPage } from './pages/grid-page.ts'
import { Tab } from './tab.ts'

declare const peer: GridPage

/** The writes of a tab outlive it. */

let site: Site
let browser: Chromium

beforeAll(async () => {
  site = await serveSite(await bundlePage('grid-page'))
  browser = await Chromium.start()
})

afterEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close()
})

afterAll(async () => {
  await browser?.close()
  await site?.close()
})

const tab = async (): Promise<Tab> => new Tab(await browser.tab(site.url))

it('a page that is loaded again is the same peer with the same entries', async () => {
  const name = 'reload'
  const before = await (await tab()).open({ name })
  expect(await before.set('a', 1)).toBe(true)
  const { peerId } = before
  for (let round = 0; round < 3; round++) {
    await before.page.reload()
    await before.open({ name })
    expect(before.peerId).toBe(peerId)
    expect(await before.get('a')).toBe(1)
  }
})

it('counters and sets under keys need no option in a tab, and outlive it too', async () => {
  const name = 'keyed'
  const page = await (await tab()).open({ name })
  const visit = (key: string): Promise<unknown> => page.page.evaluate((k) => peer.visit(k), key)
  expect(await visit('/home')).toEqual({ count: 1, tags: ['/home'] })
  await page.page.reload()
  await page.open({ name })
  expect(await visit('/home')).toEqual({ count: 2, tags: ['/home'] })
})

it('two tabs are two peers, and a free slot is used again', async () => {
  const name = 'slots'
  const first = await (await tab()).open({ name })
  const second = await (await tab()).open({ name })
  expect(second.peerId).not.toBe(first.peerId)
  await first.page.close()
  const third = await (await tab()).open({ name })
  expect(third.peerId).toBe(first.peerId)
})

it('a page has one peer of a grid: a second one is refused, and one that is about to close is waited for', async () => {
  const name = 'twice'
  const page = await (await tab()).open({ name })
  const { peerId } = page
  await expect(page.open({ name })).rejects.toThrow(/STORAGE_IN_USE|already open here/)
  // As hot reload does it.
  const closing = page.close()
  await page.open({ name })
  await closing
  expect(page.peerId).toBe(peerId)
  await new Tab(page.page).open({ name, persist: false })
})

it('a tab that is killed while it writes loses no acknowledged write', async () => {
  const name = 'killed'
  for (let round = 0; round < 3; round++) {
    const writer = await (await tab()).open({ name })
    const before = site.acknowledged
    writer.writeOn(before + 1)
    await expect.poll(() => site.acknowledged).toBeGreaterThan(before + 50)
    const devtools = await browser.context.newCDPSession(writer.page)
    devtools.send('Page.crash').catch(() => undefined)
    await new Promise((resolve) => writer.page.once('crash', resolve))
    const { acknowledged } = site
    const reader = await (await tab()).open({ name })
    expect(await reader.get(`n${acknowledged}`)).toBe(acknowledged)
    expect(await reader.size()).toBeGreaterThan(acknowledged)
    await reader.page.close()
  }
})

it('a browser that is killed while a tab writes loses no acknowledged write', async () => {
  const name = 'killed-browser'
  const writer = await (await tab()).open({ name })
  const before = site.acknowledged
  writer.writeOn(before + 1)
  await expect.poll(() => site.acknowledged).toBeGreaterThan(before + 50)
  await browser.kill()
  const { acknowledged } = site
  const reader = await (await tab()).open({ name })
  expect(await reader.get(`n${acknowledged}`)).toBe(acknowledged)
})

it('after its site is cleared a grid goes on in memory and says so, and the next page starts empty', async () => {
  const name = 'cleared'
  const cleared = await (await tab()).open({ name })
  expect(await cleared.set('a', 1)).toBe(true)
  const devtools = await browser.context.newCDPSession(cleared.page)
  await devtools.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes: 'all' })
  await expect.poll(() => cleared.set('b', 2).catch(() => 'refused')).toBe(false)
  expect(await cleared.get('a')).toBe(1)
  expect(await cleared.storage()).toMatchObject({
    persistent: false,
    error: expect.stringContaining("cleared this site's storage"),
  })
  await cleared.page.reload()
  await cleared.open({ name })
  expect(await cleared.storage()).toMatchObject({ persistent: true, error: '' })
  expect(await cleared.set('c', 3)).toBe(true)
})

it('where the browser gives no storage a grid works in memory and says so', async () => {
  const denied = await tab()
  await denied.page.evaluate(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('denied in this window', 'SecurityError')
    }
  })
  await denied.open({ name: 'denied' })
  expect(await denied.set('a', 1)).toBe(false)
  expect(await denied.get('a')).toBe(1)
  expect(await denied.storage()).toMatchObject({ persistent: false, error: expect.stringContaining('denied') })
})

it('with persist: false nothing is stored', async () => {
  const name = 'memory'
  const forgetful = await (await tab()).open({ name, persist: false })
  expect(await forgetful.set('a', 1)).toBe(false)
  expect(await forgetful.storage()).toMatchObject({ persistent: false, error: '' })
  expect(await forgetful.page.evaluate(() => indexedDB.databases())).not.toContainEqual(
    expect.objectContaining({ name: `gossipgrid/${name}/0` }),
  )
})
