import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ExampleTabs } from './example-tabs.ts'
import { soon } from './soon.ts'

let tabs: ExampleTabs
let page: Page

beforeAll(async () => {
  tabs = await ExampleTabs.start()
  page = await tabs.open('todo')
})

afterAll(() => tabs?.close())

describe('the todo example', () => {
  it('another tab shows what one tab adds, ticks off and deletes', async () => {
    const other = await tabs.open('todo')
    await add(page, 'Water the plants')
    await add(page, 'Post the letter')
    await other.getByLabel('Done: Water the plants').check()
    await soon(() => page.getByLabel('Done: Water the plants').isChecked()).toBe(true)
    await page.getByRole('button', { name: 'Delete Water the plants' }).click()
    await soon(() => textsOf(other)).toEqual(['Post the letter'])
    // One todo is one entry to the home page, however many fields it has.
    const { grid } = tabs.server
    await soon(() => grid.presence<{ entries: number }>().get(grid.peerId)?.entries).toBe(1)
    await other.close()
  })

  it('two tabs merge after a split, and say which of two edits lost', async () => {
    const other = await tabs.open('todo')
    await add(page, 'Buy oats')
    await other.getByLabel('Text of Buy oats').waitFor()
    await page.getByRole('switch', { name: 'Connected' }).click()
    await soon(() => page.locator('.badge-text').textContent()).toMatch(/^Unplugged/)
    await reword(page, 'Buy oats', 'Buy rolled oats')
    await add(page, 'Only here')
    await reword(other, 'Buy oats', 'Buy instant oats')
    await other.getByLabel('Done: Buy instant oats').check()
    await add(other, 'Only there')
    expect(await textsOf(page)).not.toContain('Only there')
    expect(await textsOf(other)).not.toContain('Only here')

    await page.getByRole('switch', { name: 'Connected' }).click()
    await soon(() => textsOf(page)).toContain('Only there')
    await soon(() => textsOf(other)).toContain('Only here')
    const merged = await textsOf(other)
    expect(merged).toContain('Buy instant oats')
    expect(await textsOf(page)).toEqual(merged)
    expect(await page.getByLabel('Done: Buy instant oats').isChecked()).toBe(true)

    await page.getByRole('button', { name: 'Take “Buy rolled oats” after all' }).click()
    await other.getByLabel('Text of Buy rolled oats').waitFor()
    await other.close()
  })

  it('everything works from the keyboard, and the focus is visible', async () => {
    const alone = await tabs.open('todo')
    const press = (...keys: string[]): Promise<void> =>
      keys.reduce((before, key) => before.then(() => alone.keyboard.press(key)), Promise.resolve())
    await alone.getByLabel('New todo').waitFor()
    for (const text of await textsOf(alone)) await alone.getByRole('button', { name: `Delete ${text}` }).click()
    await alone.locator('h1').click()
    await alone.evaluate(() => (document.activeElement as HTMLElement).blur())

    await press('Tab')
    expect(await focused(alone)).toMatchObject({ name: 'Connected', outlined: true })
    await press('Tab')
    await alone.keyboard.type('Learn the keys')
    await press('Enter')
    await alone.getByLabel('Text of Learn the keys').waitFor()
    await press('Tab', 'Tab', 'Space')
    await soon(() => alone.getByLabel('Done: Learn the keys').isChecked()).toBe(true)
    await press('Tab')
    expect(await focused(alone)).toMatchObject({ name: 'Text of Learn the keys', outlined: true })
    await press('Control+A')
    await alone.keyboard.type('Know the keys')
    await press('Enter')
    await alone.getByLabel('Text of Know the keys').waitFor()
    await alone.getByLabel('Text of Know the keys').focus()
    await press('Tab')
    expect(await focused(alone)).toMatchObject({ name: 'Delete Know the keys', outlined: true })
    await press('Enter')
    await soon(() => textsOf(alone)).toEqual([])
    expect((await focused(alone)).name).toBe('New todo')
    await press('Tab', 'Tab', 'ArrowRight')
    expect(await alone.getByRole('radio', { name: 'Open' }).isChecked()).toBe(true)
  })

  it('and no tab has raised an error meanwhile', () => expect(tabs.complaints).toEqual([]))
})

async function add(on: Page, text: string): Promise<void> {
  await on.getByLabel('New todo').fill(text)
  await on.getByLabel('New todo').press('Enter')
  await on.getByLabel(`Text of ${text}`).waitFor()
}

async function reword(on: Page, from: string, to: string): Promise<void> {
  await on.getByLabel(`Text of ${from}`).fill(to)
  await on.keyboard.press('Enter')
  await on.getByLabel(`Text of ${to}`).waitFor()
}

function textsOf(on: Page): Promise<string[]> {
  return on.locator('.todo .text').evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value))
}

function focused(on: Page): Promise<{ name: string; outlined: boolean }> {
  return on.evaluate(() => {
    const focus = document.activeElement!
    return { name: focus.getAttribute('aria-label') ?? '', outlined: getComputedStyle(focus).outlineStyle !== 'none' }
  })
}
