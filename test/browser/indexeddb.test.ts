import { randomBytes } from 'node:crypto'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Storage } from '@gossipgrid/core'
import { storageConformance } from '@gossipgrid/testing/storage-conformance'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { RemoteStorage } from './remote-storage.ts'

let site: Site
let browser: Chromium
let page: Page
let opened = 0

beforeAll(async () => {
  site = await serveSite(await bundlePage('storage-page'))
  browser = await Chromium.start()
  page = await browser.tab(site.url)
})

afterAll(async () => {
  await browser?.close()
  await site?.close()
})

storageConformance('IndexedDB in Chromium', {
  open: () => RemoteStorage.open(page, `conformance-${++opened}`),
  reopen: async (storage: Storage) => {
    await storage.close()
    return RemoteStorage.open(page, (storage as RemoteStorage).database)
  },
})

describe('IndexedDB in Chromium', () => {
  const put = (key: string, sizeBytes: number) => [{ type: 'put' as const, key, bytes: new Uint8Array(sizeBytes) }]

  it('a write past the quota of its site is refused as STORAGE_FULL, and works again when there is room', async () => {
    // It needs a new site: the browser remembers the quota of a known one for a while.
    const small = await serveSite(await bundlePage('storage-page'))
    const page = await browser.tab(small.url)
    const storage = await RemoteStorage.open(page, 'quota')
    const random = { type: 'put' as const, bytes: randomBytes(100_000) }
    const devtools = await browser.context.newCDPSession(page)
    const origin = new URL(small.url).origin
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 200_000 })
    // Data that can be compressed counts for less, and the browser allows a little more than it says.
    const fill = async (): Promise<void> => {
      for (let n = 0; n < 20; n++) await storage.write([{ ...random, key: `k${n}` }], { durable: true })
    }
    await expect(fill()).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await devtools.send('Storage.overrideQuotaForOrigin', { origin })
    await storage.write(put('small', 10), { durable: true })
    expect(await storage.list('')).toContain('small')
    await storage.close()
    await page.close()
    await small.close()
  })

  it('after the site was cleared every call rejects', async () => {
    const storage = await RemoteStorage.open(page, 'cleared')
    await storage.write(put('a', 10), { durable: true })
    const devtools = await browser.context.newCDPSession(page)
    const cleared = { origin: new URL(site.url).origin, storageTypes: 'all' }
    await devtools.send('Storage.clearDataForOrigin', cleared)
    await expect
      .poll(() => storage.read('a').then(String, (error: { code: string }) => error.code))
      .toBe('STORAGE_CLEARED')
    await expect(storage.write(put('b', 10), { durable: true })).rejects.toMatchObject({ code: 'STORAGE_CLEARED' })
    await storage.close()
  })
})
