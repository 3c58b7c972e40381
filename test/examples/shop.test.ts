import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Chromium } from '../browser/browser-rig.ts'
import { serveShop } from '../../examples/start/app-server.ts'
import type { AppServer } from '../../examples/start/app-server.ts'
import { SHOP_PAGES, buildPages } from '../../examples/start/vite-options.ts'
import { soon } from './soon.ts'

const PHONE = { width: 390, height: 844 }

let built: string
let shop: AppServer
const browsers: Chromium[] = []
const complaints: string[] = []
let [ada, ben, admin]: Page[] = []

beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), 'gossipgrid-shop-'))
  await buildPages(built, SHOP_PAGES)
  shop = await serveShop({ host: '127.0.0.1', port: 0, built })
  for (let i = 0; i < 3; i++) browsers.push(await Chromium.start())
  ada = await logIn(browsers[0]!, 'shop/', 'ada', 'lovelace')
  ben = await logIn(browsers[1]!, 'shop/', 'ben', 'franklin')
  admin = await logIn(browsers[2]!, 'shop/admin/', 'admin', 'baker')
}, 240_000)

afterAll(async () => {
  await Promise.all([...browsers, shop].map((each) => each?.close()))
  await rm(built, { recursive: true, force: true })
})

async function logIn(browser: Chromium, path: string, user: string, password: string): Promise<Page> {
  const page = await browser.context.newPage()
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(`${shop.url}${path}`)
  await page.getByLabel('Name').fill(user)
  await page.getByLabel('Password').fill('wrong')
  await page.keyboard.press('Enter')
  await page.getByText('The name or the password is wrong.').waitFor()
  await page.keyboard.type(password)
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: /^Log out/ }).waitFor()
  return page
}

const count = (page: Page, product: string): Promise<string | null> =>
  page.getByLabel(`${product} in the basket`).textContent()

describe('the shop example', () => {
  it('gives each user a basket of its own, which the shop sees, and prices that the shop sets', async () => {
    await ada!.getByRole('button', { name: 'One Rye bread more' }).click({ clickCount: 2 })
    await soon(() => count(ada!, 'Rye bread')).toBe('2')
    await soon(() => ada!.locator('.total').textContent()).toBe('Together € 9.60')
    await soon(() => admin!.getByLabel('Baskets').textContent()).toMatch(/ada2 × Rye bread€ 9\.60/)
    expect(await count(ben!, 'Rye bread')).toBe('0')
    await admin!.getByLabel('Price of Rye bread in euros').fill('5')
    await admin!.getByLabel('Price of Rye bread in euros').press('Enter')
    await soon(() => ada!.locator('.total').textContent()).toBe('Together € 10.00')
    await soon(() => ben!.locator('.price').allTextContents()).toContain('€ 5.00')
  })

  it('has a board that all users write, with who is there', async () => {
    await ada!.locator('.cm-content').click()
    await ada!.keyboard.type('More rolls, please')
    await soon(() => ben!.locator('.cm-line').first().textContent()).toMatch(/More rolls, please/)
    await soon(() => ben!.locator('.readers').textContent()).toMatch(/ada/)
    await soon(() => admin!.locator('.wishes').textContent()).toBe('More rolls, please')
  })

  it('goes on offline, and sends what was done then', async () => {
    await browsers[1]!.context.setOffline(true)
    await ben!.evaluate(() => dispatchEvent(new Event('offline')))
    await ben!.getByRole('button', { name: 'One Oat loaf more' }).click()
    await soon(() => count(ben!, 'Oat loaf')).toBe('1')
    await browsers[1]!.context.setOffline(false)
    await ben!.evaluate(() => dispatchEvent(new Event('online')))
    await expect
      .poll(() => admin!.getByLabel('Baskets').textContent(), { timeout: 60_000 })
      .toMatch(/ben1 × Oat loaf€ 5\.20/)
  })

  it('works by keyboard, and fits a phone', async () => {
    await ben!.setViewportSize(PHONE)
    expect(await ben!.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width)
    await ben!.getByRole('button', { name: 'One Sweet plait more' }).focus()
    await ben!.keyboard.press('Enter')
    await soon(() => count(ben!, 'Sweet plait')).toBe('1')
    const outline = await ben!.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)
    expect(outline).not.toBe('none')
    await ben!.keyboard.press('Shift+Tab')
    await ben!.keyboard.press('Space')
    await soon(() => count(ben!, 'Sweet plait')).toBe('0')
  })

  it('removes what it has stored when its user logs out', async () => {
    const stored = (): Promise<number> =>
      ada!.evaluate(async () => (await indexedDB.databases()).filter(({ name }) => name?.includes('bakery')).length)
    expect(await stored()).toBe(1)
    await ada!.getByRole('button', { name: 'Log out ada' }).click()
    await ada!.getByLabel('Name').waitFor()
    expect(await stored()).toBe(0)
    expect(await ada!.evaluate(() => fetch('/shop/api/pass').then(({ status }) => status))).toBe(401)
  })

  it('shows the back room to no customer, and no page has raised an error', async () => {
    expect(await ben!.evaluate(() => fetch('/shop/api/report').then(({ status }) => status))).toBe(403)
    expect(complaints).toEqual([])
  })
})
