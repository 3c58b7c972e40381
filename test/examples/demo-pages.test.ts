import type { Page } from 'playwright-core'
import { openGrid } from 'gossipgrid'
import type { Grid, GridMap, OpenGridOptions } from 'gossipgrid'
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

  describe('the search', () => {
    let peer: Grid
    let cities: GridMap<object>
    let page: Page
    const errors: string[] = []
    const town = (name: string, population: number): object => ({
      ...{
        name,
        population,
        country: 'PL',
        search: name.toLowerCase().replaceAll(/[łóź]/g, (letter) => PLAIN[letter]!),
      },
    })
    const optionsOf = (on: Page): Promise<string[]> => on.getByRole('option').locator('.name').allTextContents()
    const box = (on: Page) => on.getByRole('combobox', { name: 'Find a city' })
    const active = (on: Page): Promise<string | undefined> =>
      box(on).evaluate((input) => {
        const id = input.getAttribute('aria-activedescendant')
        return id === null ? undefined : document.querySelector(`#${id}[aria-selected=true] .name`)!.textContent
      })

    beforeAll(async () => {
      const { name, join } = (await (await fetch(`${url}grid.json`)).json()) as Pick<OpenGridOptions, 'name' | 'join'>
      peer = await openGrid({ name, ...(join !== undefined && { join }), mdns: false, listen: [] })
      await peer.ready()
      cities = peer.map<object>('cities')
      await cities.setMany([
        ['t1', town('Zzz Town', 1)],
        ['t2', town('Zzz Łódź', 30)],
        ['t3', town('Zzz Village', 20)],
      ])
      page = await browser.context.newPage()
      page.on('pageerror', ({ message }) => errors.push(message))
      await page.goto(url)
      await box(page).fill('ZZZ')
    })
    afterAll(() => peer?.close())

    it('lists the largest cities that begin like the text, and follows what other peers write', async () => {
      await soon(() => optionsOf(page)).toEqual(['Zzz Łódź', 'Zzz Village', 'Zzz Town'])
      expect(await page.getByRole('region', { name: 'Cities' }).getByRole('status').textContent()).toMatch(
        /^3 cities, in (less than )?\d+ ms\.$/,
      )
      await page.keyboard.press('ArrowUp')
      expect(await active(page)).toBe('Zzz Town')
      await cities.set('t1', town('Zzz Town', 25))
      await soon(() => optionsOf(page)).toEqual(['Zzz Łódź', 'Zzz Town', 'Zzz Village'])
      expect(await active(page)).toBe('Zzz Town')
    })

    it('is used by arrow keys, Enter and Escape, with the focus in the field', async () => {
      const walked: unknown[] = []
      for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowUp']) {
        await page.keyboard.press(key)
        walked.push(await active(page))
      }
      expect(walked).toEqual(['Zzz Village', undefined, 'Zzz Łódź', undefined, 'Zzz Village'])
      await page.keyboard.press('Enter')
      expect(await box(page).inputValue()).toBe('Zzz Village')
      expect(await box(page).getAttribute('aria-expanded')).toBe('false')
      expect(await page.getByRole('heading', { name: 'Zzz Village' }).count()).toBe(1)
      await cities.set('t3', town('Zzz Village', 21))
      await page.locator('.city').getByText('Poland · 21').waitFor()
      await box(page).fill('zzz l')
      await soon(() => optionsOf(page)).toEqual(['Zzz Łódź'])
      await page.keyboard.press('Escape')
      expect([await box(page).getAttribute('aria-expanded'), await box(page).inputValue()]).toEqual(['false', 'zzz l'])
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Zzz Łódź' }).waitFor()
      await page.keyboard.press('Escape')
      expect(await box(page).inputValue()).toBe('')
      expect(await box(page).evaluate((input) => input === document.activeElement)).toBe(true)
      await cities.delete('t2')
      await page.getByText('t2 is deleted.').waitFor()
    })

    it('reads well aloud, and fits a phone', async () => {
      const phone = await browser.context.newPage()
      phone.on('pageerror', ({ message }) => errors.push(message))
      await phone.setViewportSize({ width: 390, height: 844 })
      await phone.goto(url)
      await box(phone).fill('zzz')
      await soon(() => optionsOf(phone)).toEqual(['Zzz Town', 'Zzz Village'])
      const tree = await phone.getByRole('region', { name: 'Cities' }).ariaSnapshot()
      for (const part of [
        'combobox "Find a city" [expanded]',
        'listbox "Find a city"',
        'option "Zzz Town Poland · 25"',
      ])
        expect(tree).toContain(part)
      await phone.getByRole('option').first().click()
      await phone.getByRole('heading', { name: 'Zzz Town' }).waitFor()
      expect(await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      await phone.close()
      expect(errors).toEqual([])
    })
  })

  it('and end with it', async () => {
    await demo.end()
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })
})

const PLAIN: Readonly<Record<string, string>> = { ł: 'l', ó: 'o', ź: 'z' }
