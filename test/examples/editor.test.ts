import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Doc } from 'yjs'
import { ExampleTabs } from './example-tabs.ts'
import { soon } from './soon.ts'

let tabs: ExampleTabs
let page: Page
let other: Page

beforeAll(async () => {
  tabs = await ExampleTabs.start()
  page = await tabs.open('editor')
  other = await tabs.open('editor')
})

afterAll(() => tabs?.close())

describe('the editor example', () => {
  it('text typed in one tab appears in another one, with the cursor of the typist', async () => {
    await type(page, 'One text')
    await soon(() => textOf(other)).toBe('One text')
    const name = await page.evaluate(() => JSON.parse(sessionStorage.getItem('visitor')!).name as string)
    const cursor = other.locator('.cm-ySelectionCaret')
    await cursor.waitFor()
    expect(await cursor.textContent()).toContain(name)
    await soon(() => other.locator('.readers li').allTextContents()).toContain(name)
  })

  it('two visitors of one name are called differently by both', async () => {
    const name = await page.evaluate(() => JSON.parse(sessionStorage.getItem('visitor')!).name as string)
    const third = await tabs.open('editor', { visitor: { name, colour: '#8a5be0', cameAtMs: Date.now() } })
    await soon(() => page.locator('.readers li').count()).toBe(3)
    const own = await third.evaluate(() => JSON.parse(sessionStorage.getItem('visitor')!).name as string)
    expect(own).not.toBe(name)
    await soon(() => third.locator('.readers li').allTextContents()).toContain(`${own}, you`)
    await soon(() => page.locator('.readers li').allTextContents()).toContain(own)
    await soon(() => third.locator('.readers li').allTextContents()).toContain(name)
    await third.close()
  })

  it('text typed in two tabs during a split is all there in the end, in the same order', async () => {
    await page.getByRole('switch', { name: 'Connected' }).click()
    await soon(() => page.locator('.badge-text').textContent()).toMatch(/^Unplugged/)
    await type(page, ', here')
    await type(other, ', there')
    expect(await textOf(page)).toBe('One text, here')
    expect(await textOf(other)).toBe('One text, there')
    await page.getByRole('switch', { name: 'Connected' }).click()
    await soon(() => textOf(page)).toMatch(/^One text(, here, there|, there, here)$/)
    const merged = await textOf(page)
    await soon(() => textOf(other)).toBe(merged)
  })

  it('a new document is opened, edited, undone and left from the keyboard', async () => {
    await page.getByLabel('Name of a new document').focus()
    await page.keyboard.type('Shopping')
    await page.keyboard.press('Enter')
    await page.getByRole('textbox', { name: 'Text of Shopping' }).focus()
    await page.keyboard.type('Milk')
    await other.getByRole('button', { name: 'Shopping', exact: true }).click()
    await soon(() => textOf(other)).toBe('Milk')
    await page.keyboard.press('Control+z')
    await soon(() => textOf(other)).not.toBe('Milk')
    await page.keyboard.press('Shift+Tab')
    const name = await page.evaluate(() => document.activeElement!.getAttribute('aria-label'))
    expect(name).toBe('Delete Shopping')
  })

  it('the editor goes on by itself after a compaction of its document', async () => {
    const { grid } = tabs.server
    grid.documents.limits = { ...grid.documents.limits, clientsMax: 3, quietMs: 200, checkMs: 100, lagMax: Infinity }
    const before = (await textOf(page)).length
    for (let i = 0; i < 4; i++) {
      const document = await grid.doc('Shopping', { doc: new Doc() })
      document.y.getText('content').insert(0, `${i}`)
      await document.close()
    }
    await grid.doc('Shopping')
    await expect.poll(() => grid.documents.table.generationOf('Shopping').number).toBeGreaterThan(0)
    await soon(async () => (await textOf(page)).length).toBe(before + 4)
    await soon(() => textOf(other)).toBe(await textOf(page))
    const text = await textOf(page)
    await soon(async () => {
      await type(page, '+')
      return (await textOf(other)).startsWith(`${text}+`)
    }).toBe(true)
  })

  it('an open page says that its document was deleted', async () => {
    page.once('dialog', (dialog) => void dialog.accept())
    await page.getByRole('button', { name: 'Delete Shopping' }).click()
    await soon(() => other.locator('.ended').textContent()).not.toBe('')
    await soon(() => page.getByRole('button', { name: 'Shopping', exact: true }).count()).toBe(0)
  })

  it('and no tab has raised an error meanwhile', () => expect(tabs.complaints).toEqual([]))
})

async function type(on: Page, text: string): Promise<void> {
  await on.locator('.cm-content').focus()
  await on.keyboard.press('Control+End')
  await on.keyboard.type(text)
}

/** The text without the names at the cursors. */
function textOf(on: Page): Promise<string> {
  return on.locator('.cm-line').evaluateAll((lines) =>
    lines
      .map((line) => {
        const copy = line.cloneNode(true) as HTMLElement
        for (const extra of copy.querySelectorAll('.cm-ySelectionCaret, .cm-placeholder')) extra.remove()
        return copy.textContent
      })
      .join('\n'),
  )
}
