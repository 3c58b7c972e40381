/** `npm run pictures`: takes the pictures of the documentation from the running apps. */
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'
import { Chromium } from '../browser/browser-rig.ts'
import { DemoProcess } from './demo-process.ts'
import { recordTerminal } from './record-terminal.ts'
import { terminalSvg } from './terminal-svg.ts'

const FOLDER = fileURLToPath(new URL('../../docs/pictures/', import.meta.url))
const VISITORS = [
  { name: 'Otter', colour: '#c94f9b' },
  { name: 'Heron', colour: '#e0533d' },
  { name: 'Lynx', colour: '#7a8b28' },
]
/** Waits until moving elements have arrived. */
const SETTLE_MS = 3000

/** Small enough for a recording of half a minute. */
const RECORDED = 'node packages/cli/src/main.ts demo --once --cities 20000'
const TERMINAL = { columns: 96, rows: 30 }
const PHONE = { width: 390, height: 780 }

/** `npm run pictures -- terminal` takes one part alone. */
const wanted = process.argv.slice(2)
const parts = { terminal: takeTerminal, pages: takePages }

await mkdir(FOLDER, { recursive: true })
for (const [name, take] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await take()

async function takePages(): Promise<void> {
  const demo = await DemoProcess.start()
  const browser = await Chromium.start()
  try {
    const url = await demo.url()
    await takeHome(browser.context, url)
    await takeTodo(browser.context, url)
    await takeBoard(browser.context, url)
    await takeEditor(browser.context, url)
    await takePhones(browser.context, url)
  } finally {
    await browser.close()
    await demo.end()
  }
}

async function takeTerminal(): Promise<void> {
  const frames = await recordTerminal(RECORDED, TERMINAL)
  const title = 'The demo in a terminal: five peers load, are split, lose a process, heal, and are equal'
  await writeFile(`${FOLDER}demo-terminal.svg`, terminalSvg(frames, TERMINAL, title))
}

async function takeHome(context: BrowserContext, url: string): Promise<void> {
  const page = await tab(context, url, 0, { width: 1040, height: 620 })
  await page.getByText('equal to all 5 neighbours').waitFor({ timeout: 120_000 })
  await page.waitForTimeout(SETTLE_MS)
  await page.screenshot({ path: `${FOLDER}demo.png` })
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.screenshot({ path: `${FOLDER}demo-dark.png` })
  await page.close()
}

async function takeTodo(context: BrowserContext, url: string): Promise<void> {
  const size = { width: 520, height: 560 }
  const [one, other] = [await tab(context, `${url}todo/`, 0, size), await tab(context, `${url}todo/`, 1, size)]
  for (const text of ['Buy oats', 'Call the plumber', 'Pack the tent']) await add(one, text)
  await other.getByLabel('Text of Pack the tent').waitFor()
  await one.getByRole('switch').click()
  await one.getByLabel('Text of Buy oats').fill('Buy rolled oats')
  await one.keyboard.press('Enter')
  await add(one, 'Charge the lamps')
  await other.getByLabel('Text of Buy oats').fill('Buy instant oats')
  await other.keyboard.press('Enter')
  await other.getByLabel('Done: Call the plumber').check()
  await other.waitForTimeout(SETTLE_MS)
  await beside(context, [one, other], 'todo-apart.png')
  await one.getByRole('switch').click()
  await one.locator('.notice').waitFor()
  await one.waitForTimeout(SETTLE_MS)
  await beside(context, [one, other], 'todo-together.png')
  await Promise.all([one.close(), other.close()])
}

async function takeBoard(context: BrowserContext, url: string): Promise<void> {
  const size = { width: 1040, height: 620 }
  const one = await tab(context, `${url}board/`, 0, size)
  const other = await tab(context, `${url}board/`, 1, size)
  const third = await tab(context, `${url}board/`, 2, size)
  await note(one, { x: 90, y: 120 }, 'yellow', 'Ship it on Friday')
  await note(other, { x: 330, y: 250 }, 'pink', 'Who writes the docs?')
  await note(third, { x: 120, y: 400 }, 'blue', 'Me!')
  await third.getByLabel('green').check()
  await third.mouse.move(560, 110)
  await third.mouse.down()
  await third.mouse.move(880, 300, { steps: 4 })
  await third.mouse.up()
  await third.mouse.move(700, 220)
  await other.mouse.move(470, 340)
  await one.mouse.move(200, 30)
  await one.locator('.loading').waitFor({ state: 'hidden', timeout: 120_000 })
  await one.waitForTimeout(2 * SETTLE_MS)
  await one.screenshot({ path: `${FOLDER}board.png` })
  await Promise.all([one.close(), other.close(), third.close()])
}

async function takeEditor(context: BrowserContext, url: string): Promise<void> {
  const size = { width: 1040, height: 520 }
  const [one, other] = [await tab(context, `${url}editor/`, 0, size), await tab(context, `${url}editor/`, 1, size)]
  await one.locator('.cm-content').click()
  await one.keyboard.insertText('# Trip to the lake\n\nBring **warm** clothes and the *small* tent.\n\n- stove\n- maps')
  await other.getByText('- maps').click()
  await other.keyboard.press('End')
  await other.keyboard.type(', and a compass')
  await one.locator('.loading').waitFor({ state: 'hidden', timeout: 120_000 })
  await one.waitForTimeout(SETTLE_MS)
  await one.screenshot({ path: `${FOLDER}editor.png` })
  await Promise.all([one.close(), other.close()])
}

/** The grid that the other pictures have filled. */
async function takePhones(context: BrowserContext, url: string): Promise<void> {
  const pages = [await tab(context, url, 0, PHONE)]
  for (const app of ['todo', 'board', 'editor']) pages.push(await tab(context, `${url}${app}/`, 1, PHONE))
  for (const page of pages) await page.locator('.loading').waitFor({ state: 'hidden', timeout: 120_000 })
  await pages[0]!.waitForTimeout(SETTLE_MS)
  await beside(context, pages, 'phones.png')
  await Promise.all(pages.map((page) => page.close()))
}

async function tab(
  context: BrowserContext,
  url: string,
  visitor: number,
  size: { width: number; height: number },
): Promise<Page> {
  const page = await context.newPage()
  await page.addInitScript((who) => sessionStorage.setItem('visitor', who), JSON.stringify(VISITORS[visitor]))
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme: 'light' })
  await page.goto(url)
  await page.locator('.badge[data-state=online]').waitFor()
  return page
}

async function add(page: Page, text: string): Promise<void> {
  await page.getByLabel('New todo').fill(text)
  await page.getByLabel('New todo').press('Enter')
  await page.getByLabel(`Text of ${text}`).waitFor()
}

async function note(page: Page, { x, y }: { x: number; y: number }, colour: string, text: string): Promise<void> {
  await page.getByLabel(colour).check()
  await page.mouse.dblclick(x, y)
  await page.getByRole('group', { name: 'Empty note' }).waitFor()
  await page.keyboard.insertText(text)
  await page.keyboard.press('Escape')
}

/** Several tabs in one picture, as two windows side by side. */
async function beside(context: BrowserContext, pages: readonly Page[], name: string): Promise<void> {
  const shots = await Promise.all(pages.map((page) => page.screenshot()))
  const windows = shots.map((shot) => `<img src="data:image/png;base64,${shot.toString('base64')}">`)
  const frame = await context.newPage()
  const sizes = pages.map((page) => page.viewportSize()!)
  const width = sizes.reduce((sum, size) => sum + size.width, 0)
  await frame.setViewportSize({ width: width + 32 + 24 * (pages.length - 1), height: sizes[0]!.height + 32 })
  await frame.setContent(
    `<style>body { margin: 0; padding: 16px; display: flex; gap: 24px; background: #c9ced8 }
      img { border-radius: 10px }</style>${windows.join('')}`,
  )
  await frame.screenshot({ path: `${FOLDER}${name}` })
  await frame.close()
}
