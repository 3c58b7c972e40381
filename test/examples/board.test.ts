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
    const name = await nameIn(page)
    expect(await other.locator('.cursor').textContent()).toBe(name)
    expect(await nameIn(other)).not.toBe(name)
    await page.mouse.move(250, 20)
    await soon(() => other.locator('.cursor').count()).toBe(0)
  })

  it('of two visitors of one name, the second gets another one, on all peers', async () => {
    const [first, second] = [await nameIn(page), await nameIn(other)]
    const third = await tabs.open('board', { visitor: { name: first, colour: '#c94f9b', cameAtMs: Date.now() } })
    await soon(() => nameIn(third)).not.toBe(first)
    const own = await nameIn(third)
    expect([first, second]).not.toContain(own)
    await soon(() => namesIn(third)).toEqual([first, second, `${own}, you`, 'server'].toSorted())
    await soon(() => namesIn(page)).toEqual([`${first}, you`, second, own, 'server'].toSorted())
    await third.bringToFront()
    await third.mouse.move(250, 180)
    await page.locator('.cursor').waitFor()
    expect(await page.locator('.cursor').textContent()).toBe(own)
    await third.reload()
    await soon(() => namesIn(third)).toEqual([first, second, `${own}, you`, 'server'].toSorted())
    await third.close()
    await page.bringToFront()
    await soon(() => namesIn(page)).toEqual([`${first}, you`, second, 'server'].toSorted())
    await soon(() => namesIn(other)).toEqual([first, `${second}, you`, 'server'].toSorted())
  })

  it('links home, where the apps are', async () => {
    const visitor = await tabs.open('board')
    await visitor.getByRole('link', { name: 'Home' }).click()
    for (const app of ['Todo', 'Board', 'Editor']) {
      await visitor.getByRole('link', { name: app }).click()
      await visitor.getByRole('heading', { name: app }).waitFor()
      await visitor.getByRole('link', { name: 'Home' }).click()
    }
    await visitor.close()
    await soon(async () => (await namesIn(page)).length).toBe(3)
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
    await soon(() => caretIn(page)).toBe('Text of the note')
    await page.keyboard.press('Escape')
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

  it('a button adds a note that can be typed into at once, and spaces scroll nothing', async () => {
    await page.getByRole('button', { name: 'Add note' }).click()
    await soon(() => caretIn(page)).toBe('Text of the note')
    await page.keyboard.type('Two words')
    await other.getByRole('button', { name: 'Add note' }).waitFor()
    await page.keyboard.press('Escape')
    const added = page.getByRole('group', { name: 'note: Two words' })
    await added.waitFor()
    await page.keyboard.press('Space')
    await soon(() => caretIn(page)).toBe('Text of the note')
    await page.keyboard.press('Escape')
    // With the focus in nothing, as after a click on the empty board, too.
    await page.evaluate(() => {
      ;(document.activeElement as HTMLElement).blur()
      addEventListener('keydown', ({ key, defaultPrevented }) => {
        document.body.dataset['key'] = `${key}: ${defaultPrevented ? 'does nothing' : 'is the browser’s'}`
      })
    })
    const lastKey = (): Promise<string | undefined> => page.evaluate(() => document.body.dataset['key'])
    await page.keyboard.press('Space')
    expect(await lastKey()).toBe(' : does nothing')
    await page.keyboard.press('End')
    expect(await lastKey()).toBe('End: is the browser’s')
    await page.getByLabel('green').focus()
    await page.keyboard.press('Space')
    expect(await lastKey()).toBe(' : is the browser’s')
    await added.focus()
    await page.keyboard.press('Delete')
    await soon(() => other.getByRole('group', { name: /note/ }).count()).toBe(0)
  })

  it('a text that is typed stays open while another peer paints its note', async () => {
    await page.getByRole('button', { name: 'Add note' }).click()
    await page.keyboard.type('In the middle')
    await other.getByRole('group', { name: 'Empty note' }).press('c')
    await soon(() => page.locator('.note.is-edited.green').count()).toBe(1)
    expect(await caretIn(page)).toBe('Text of the note')
    await page.keyboard.type(' of it')
    await page.keyboard.press('Escape')
    await other.getByRole('group', { name: 'note: In the middle of it' }).waitFor()
    await page.keyboard.press('Delete')
    await soon(() => other.getByRole('group', { name: /note/ }).count()).toBe(0)
  })

  it('on a phone new notes are in view, each in a place of its own, and the picture of the peers is folded', async () => {
    const phone = await tabs.open('board', { size: { width: 390, height: 844 } })
    const { width: right, height: bottom } = phone.viewportSize()!
    expect(await phone.locator('.peers').getAttribute('open')).toBe(null)
    expect(await page.locator('.peers').getAttribute('open')).toBe('')
    for (let n = 1; n <= 20; n++) {
      await phone.getByRole('button', { name: 'Add note' }).click()
      await soon(() => phone.locator('.note').count()).toBe(n)
      await phone.keyboard.type(`${n}`)
      await phone.keyboard.press('Escape')
      await phone.getByRole('group', { name: `note: ${n}`, exact: true }).waitFor()
      const { x, y, width, height } = (await placesOf(phone)).at(-1)!
      expect(x).toBeGreaterThanOrEqual(0)
      expect(y).toBeGreaterThanOrEqual(0)
      expect(x + width).toBeLessThanOrEqual(right)
      expect(y + height).toBeLessThanOrEqual(bottom)
    }
    const places = (await placesOf(phone)).map(({ x, y }) => `${x} ${y}`)
    expect(new Set(places).size).toBe(places.length)
    for (let n = 1; n <= 20; n++) await phone.getByRole('group', { name: `note: ${n}`, exact: true }).press('Delete')
    await soon(() => page.locator('.note').count()).toBe(0)
    await phone.close()
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
    await soon(() => caretIn(page)).toBe('Text of the note')
    await page.keyboard.press('Escape')
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

function caretIn(on: Page): Promise<string> {
  return on.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
}

/** The name of the visitor in a tab. */
function nameIn(on: Page): Promise<string> {
  return on.evaluate(() => JSON.parse(sessionStorage.getItem('visitor')!).name as string)
}

/** The names in the picture of the peers. */
async function namesIn(on: Page): Promise<string[]> {
  return (await on.locator('.graph text').allTextContents()).toSorted()
}

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
