import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ExampleTabs } from './example-tabs.ts'
import { soon } from './soon.ts'

let tabs: ExampleTabs
let page: Page
let other: Page

beforeAll(async () => {
  tabs = await ExampleTabs.start()
  page = await tabs.open('board')
  other = await tabs.open('board')
})

afterAll(() => tabs?.close())

describe('the board example', () => {
  it('a box drawn in one tab is at the same place in another one, and moves there too', async () => {
    await page.bringToFront()
    await drag(page, { x: 300, y: 200 }, { x: 500, y: 320 })
    await soon(() => placesOf(other)).toEqual(await placesOf(page))
    const [before] = await placesOf(other)
    await drag(page, { x: 400, y: 250 }, { x: 440, y: 350 })
    await soon(() => placesOf(page)).not.toEqual([before])
    await soon(async () => (await placesOf(other))[0]?.y).toBe(before!.y + 100)
    expect((await placesOf(other))[0]?.x).toBe(before!.x + 40)
  })

  it('the other tab shows a pointer with its name, until it leaves', async () => {
    await page.mouse.move(250, 180)
    await other.locator('.cursor').waitFor()
    const name = await page.evaluate(() => JSON.parse(sessionStorage.getItem('visitor')!).name as string)
    expect(await other.locator('.cursor').textContent()).toBe(name)
    await page.mouse.move(250, 20)
    await soon(() => other.locator('.cursor').count()).toBe(0)
  })

  it('shows who is connected to whom', async () => {
    const peers = tabs.server.grid
    await soon(() => other.locator('.graph line').count()).toBe(3)
    const label = await other.locator('.graph').getAttribute('aria-label')
    expect(label).toMatch(/^Connected: /)
    expect(label).toContain('server')
    expect(peers.members.filter(({ connected }) => connected)).toHaveLength(2)
  })

  it('everything works from the keyboard', async () => {
    await page.getByRole('button', { name: 'Add note' }).focus()
    await page.keyboard.press('Enter')
    const added = page.getByRole('group', { name: 'Empty note' })
    await soon(() => added.evaluate((note) => note === document.activeElement)).toBe(true)
    const from = await added.boundingBox()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Shift+ArrowDown')
    await soon(async () => (await added.boundingBox())!.x).toBe(from!.x + 32)
    await soon(async () => (await added.boundingBox())!.height).toBe(from!.height + 16)
    await page.keyboard.press('c')
    await soon(() => added.evaluate((note) => note.classList.contains('green'))).toBe(true)
    await page.keyboard.press('Enter')
    await page.keyboard.type('By keys alone')
    await page.keyboard.press('Escape')
    await other.getByRole('group', { name: 'note: By keys alone' }).waitFor()
    await page.keyboard.press('Delete')
    await soon(() => other.getByRole('group', { name: /note/ }).count()).toBe(0)
  })

  it('text typed after a double click becomes the text of the new note', async () => {
    await page.mouse.dblclick(300, 300)
    await page.keyboard.type('Typed at once')
    await page.keyboard.press('Escape')
    await other.getByRole('group', { name: 'note: Typed at once' }).waitFor()
    await page.keyboard.press('Delete')
    await soon(() => other.getByRole('group', { name: /note/ }).count()).toBe(0)
  })

  it('a button deletes the selected shape too, for touch screens', async () => {
    await page.getByRole('button', { name: 'Add note' }).click()
    await other.getByRole('group', { name: 'Empty note' }).waitFor()
    await page.getByRole('button', { name: 'Delete' }).click()
    await soon(() => other.getByRole('group', { name: 'Empty note' }).count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Delete' }).isDisabled()).toBe(true)
  })

  it('a move in one tab and a text in another, made during a split, both survive', async () => {
    await page.getByRole('button', { name: 'Add note' }).click()
    await other.getByRole('group', { name: 'Empty note' }).waitFor()
    await page.getByRole('switch', { name: 'Connected' }).click()
    await page.getByRole('group', { name: 'Empty note' }).press('ArrowLeft')
    await other.getByRole('group', { name: 'Empty note' }).press('Enter')
    await other.keyboard.type('Still here')
    await other.keyboard.press('Escape')
    await other.getByRole('group', { name: 'note: Still here' }).waitFor()
    expect(await page.getByRole('group', { name: 'Empty note' }).count()).toBe(1)
    await page.getByRole('switch', { name: 'Connected' }).click()
    await page.getByRole('group', { name: 'note: Still here' }).waitFor()
    await soon(() => placesOf(other)).toEqual(await placesOf(page))
  })

  it('and no tab has raised an error meanwhile', () => expect(tabs.complaints).toEqual([]))
})

interface Place {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

function placesOf(on: Page): Promise<Place[]> {
  return on.locator('.shape').evaluateAll((shapes) =>
    shapes.map((shape) => {
      const { x, y, width, height } = shape.getBoundingClientRect()
      return { x, y, width, height }
    }),
  )
}

async function drag(on: Page, from: { x: number; y: number }, to: { x: number; y: number }): Promise<void> {
  await on.mouse.move(from.x, from.y)
  await on.mouse.down()
  await on.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2)
  await on.mouse.move(to.x, to.y)
  await on.mouse.up()
}
