import { afterAll, beforeAll, expect, it } from 'vitest'
import { ExampleTabs } from './example-tabs.ts'
import { soon } from './soon.ts'

/** So many that a tab is seen loading them. */
const ENTRIES = 100_000

let tabs: ExampleTabs

beforeAll(async () => {
  tabs = await ExampleTabs.start()
  const entries = Array.from({ length: ENTRIES }, (_, i): [string, string] => [`key ${i}`, `value ${i}`])
  await tabs.server.grid.map<string>('ballast').setMany(entries)
})

afterAll(() => tabs?.close())

it.each(['', 'todo', 'board', 'editor'])('a bar fills while a tab loads the grid: /%s', async (app) => {
  // Tabs stay open: the next one would go on with what a closed one had stored.
  const page = await tabs.open(app, { record: ['.loading:not([hidden])', '.badge-text', '.verdict'] })
  await soon(() => page.locator('.badge-text').textContent()).toMatch(/ · (saved here|saving)$/)
  await soon(() => page.locator('.loading').isHidden()).toBe(true)
  const seen = await page.evaluate(() => (globalThis as { seen?: string[] }).seen!)
  expect(seen).toContain('.loading:not([hidden]): ')
  expect(seen).toContainEqual(expect.stringMatching(/^\.badge-text: .* peers? · loading( \d+ %)?$/))
  // Ids of peers are abbreviated so.
  expect(seen.filter((text) => text.includes('…'))).toEqual([])
})
