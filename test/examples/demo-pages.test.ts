import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Chromium } from '../browser/browser-rig.ts'
import { DemoProcess } from './demo-process.ts'
import { soon } from './soon.ts'

const CITIES = 500

let demo: DemoProcess
let browser: Chromium
let url: string

beforeAll(async () => {
  demo = await DemoProcess.start(['--cities', String(CITIES)])
  browser = await Chromium.start()
  url = await demo.url()
})

afterAll(async () => {
  await browser?.close()
  await demo?.end()
})

describe('the pages of the demo', () => {
  it('a tab joins the five processes, has their entries, and shows all six peers', async () => {
    const page = await browser.context.newPage()
    await page.goto(url)
    const rows = page.locator('.holdings tbody tr')
    await soon(() => rows.count()).toBe(6)
    await soon(() => page.locator('.verdict').textContent()).toMatch(/^equal to all 5 neighbours/)
    const entries = await rows.evaluateAll((peers) => peers.map((peer) => peer.children[1]!.textContent))
    expect(new Set(entries).size).toBe(1)
    // The story deletes a few of them, and adds others.
    expect(Number(entries[0])).toBeGreaterThan(CITIES / 2)
    await soon(() => page.locator('.graph line').count()).toBe(15)
  })

  it('an app in the same grid stores its entries at the five', async () => {
    const page = await browser.context.newPage()
    await page.goto(url)
    await page.getByRole('link', { name: /Todo/ }).click()
    await page.getByLabel('New todo').fill('Kept elsewhere')
    await page.getByLabel('New todo').press('Enter')
    await page.getByLabel('Text of Kept elsewhere').waitFor()
    await soon(() => page.locator('.badge-text').textContent()).toMatch(/^\d peers/)
    await page.reload()
    await page.getByLabel('Text of Kept elsewhere').waitFor()
  })

  it('and end with it', async () => {
    await demo.end()
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })
})
