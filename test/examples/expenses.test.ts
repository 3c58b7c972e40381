import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ExampleTabs } from './example-tabs.ts'
import { soon } from './soon.ts'

let tabs: ExampleTabs
let page: Page

const PHONE = { width: 390, height: 844 }
const ADA = { name: 'Ada', colour: '#3a9d5d', cameAtMs: 1 }

beforeAll(async () => {
  tabs = await ExampleTabs.start()
  page = await tabs.open('expenses', { visitor: ADA })
  await add(page, 'Train', '120.50', 'Travel')
  await add(page, 'Tea', '4', 'Food')
  await add(page, 'Dinner', '62.30', 'Food', 'Ben')
})
afterAll(() => tabs?.close())

describe('the expenses example', () => {
  it('filters, sorts and adds up', async () => {
    expect(await linesOf(page)).toEqual(['Dinner', 'Tea', 'Train'])
    expect(await page.getByRole('status').last().textContent()).toBe('3 expenses, €186.80')
    await page.getByLabel('Order').selectOption('Largest first')
    await soon(() => linesOf(page)).toEqual(['Train', 'Dinner', 'Tea'])
    await page.getByLabel('Show').selectOption('Food')
    await soon(() => linesOf(page)).toEqual(['Dinner', 'Tea'])
    await page.getByLabel('Search').fill('DIN')
    await soon(() => linesOf(page)).toEqual(['Dinner'])
    await page.getByLabel('Search').fill('')
    await page.getByLabel('Show').selectOption('All')
    await page.getByLabel('Order').selectOption('Newest first')
    expect(await totalsOf(page)).toEqual(['Ada €124.50 in 2', 'Ben €62.30 in 1'])
    await page.getByLabel('Totals by').selectOption('category')
    await soon(() => totalsOf(page)).toEqual(['Travel €120.50 in 1', 'Food €66.30 in 2'])
  })

  it('goes on offline, in both tabs, and both have all of it afterwards', async () => {
    const other = await tabs.open('expenses', { size: PHONE })
    await soon(() => linesOf(other)).toEqual(['Dinner', 'Tea', 'Train'])
    await page.getByRole('switch', { name: 'Connected' }).click()
    await soon(() => page.locator('.badge-text').textContent()).toMatch(/^Unplugged/)
    await add(page, 'Only here', '1', 'Fun')
    await page.getByLabel('Settled: Tea').check()
    await add(other, 'Only there', '2', 'Fun')
    await other.getByRole('button', { name: 'Delete Train' }).click()
    expect(await linesOf(page)).toEqual(['Only here', 'Dinner', 'Tea', 'Train'])
    expect(await linesOf(other)).toEqual(['Only there', 'Dinner', 'Tea'])
    await page.getByRole('switch', { name: 'Connected' }).click()
    const merged = ['Only there', 'Only here', 'Dinner', 'Tea']
    for (const each of [page, other]) await soon(() => linesOf(each)).toEqual(merged)
    await soon(() => other.getByLabel('Settled: Tea').isChecked()).toBe(true)
    await soon(() => totalsOf(page)).toEqual(['Food €66.30 in 2', 'Fun €3.00 in 2'])
    // The server peer has it, too.
    expect(tabs.server.grid.map('expenses', { merge: 'fields' }).size).toBe(4)
    await other.close()
  })

  it('works from the keyboard', async () => {
    await page.getByLabel('What for').first().focus()
    await page.keyboard.type('Museum')
    await page.keyboard.press('Tab')
    await page.keyboard.type('12.5')
    await page.keyboard.press('Tab')
    await page.keyboard.type('Fun')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await soon(() => linesOf(page)).toContain('Museum')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('what')
    await page.getByLabel('Settled: Museum').focus()
    await page.keyboard.press('Space')
    await soon(() => page.getByLabel('Settled: Museum').isChecked()).toBe(true)
    await page.keyboard.press('Tab')
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)
    expect(outline).not.toBe('none')
    await page.keyboard.press('Enter')
    await soon(() => linesOf(page)).not.toContain('Museum')
    // The next row, so that a list can be emptied from the keyboard.
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Delete Only there')
  })

  it('says when nothing matches', async () => {
    await page.getByLabel('Search').fill('nothing is called so')
    await soon(() => page.getByRole('status').last().textContent()).toBe('No expense is like this')
    await page.getByLabel('Search').fill('')
    await soon(() => linesOf(page)).toHaveLength(4)
  })

  it('reads well aloud, and fits a phone', async () => {
    const phone = await tabs.open('expenses', { size: PHONE })
    for (const each of [page, phone]) {
      await soon(() => linesOf(each)).toHaveLength(4)
      const tree = await each.getByRole('region', { name: 'All expenses' }).ariaSnapshot()
      for (const part of [
        'search:',
        'table "Expenses"',
        'searchbox "Search"',
        'columnheader "Paid by"',
        'rowheader "Dinner"',
        'cell "€62.30"',
      ])
        expect(tree).toContain(part)
      expect(tree).toContain('checkbox "Settled: Tea" [checked]')
      expect(tree).toContain('button "Delete Tea"')
      expect(tree).toMatch(/status: 4 expenses, €69\.30/)
    }
    const overflow = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(overflow).toBeLessThanOrEqual(0)
    await phone.getByRole('heading', { name: 'Expenses', exact: true }).waitFor()
    await phone
      .getByLabel('Settled: Tea')
      .locator('..')
      .click({ position: { x: 3, y: 3 } })
    await soon(() => phone.getByLabel('Settled: Tea').isChecked()).toBe(false)
    await add(phone, 'A long one', '123456', 'Rooms', 'Bartholomäus-Maximilian of Hohenstein')
    const places = await phone.locator('.tick').evaluateAll((all) => all.map((each) => each.getBoundingClientRect().x))
    expect([places.length, new Set(places).size]).toEqual([5, 1])
    await phone.close()
  })

  it('and no tab has raised an error meanwhile', () => expect(tabs.complaints).toEqual([]))
})

async function add(on: Page, what: string, amount: string, category: string, paidBy?: string): Promise<void> {
  const form = on.getByRole('form', { name: 'New expense' })
  await form.getByLabel('What for').fill(what)
  await form.getByLabel('Euros').fill(amount)
  await form.getByLabel('Category').selectOption(category)
  if (paidBy !== undefined) await form.getByLabel('Paid by').fill(paidBy)
  await form.getByRole('button', { name: 'Add' }).click()
  await on.getByRole('rowheader', { name: what, exact: true }).waitFor()
}

function linesOf(on: Page): Promise<string[]> {
  return on.locator('tbody th').allTextContents()
}

async function totalsOf(on: Page): Promise<string[]> {
  const lines = await on.locator('.totals li').allInnerTexts()
  return lines.map((line) => line.replaceAll(/\s+/g, ' '))
}
