import { PRESENT, compositeKey } from '@gossipgrid/core'
import { afterEach, expect, it } from 'vitest'
import { madeUpFrame } from '../rig/made-up-rows.ts'
import { TestGrids, until } from '../rig/test-grids.ts'

const SET = 3
const ROWS = 8000
/** A frame took half a minute when each row was compared with all others of its element. */
const FRAME_MAX_MS = 5000

const grids = new TestGrids()
afterEach(() => grids.close())

it('thousands of rows of one element cost no more than as many elements, and count as one', async () => {
  const grid = await grids.open()
  const member = await grids.openBareMember()
  const entriesOf = (collection: string): number | undefined =>
    grid.status().collections.find(({ name }) => name === collection)?.entries
  /** Adds or removes the element `x` at as many made-up slots. */
  const send = async (collection: string, present: boolean): Promise<void> => {
    const keys = Array.from({ length: ROWS }, (_, i) => compositeKey('tx', i.toString(16).padStart(16, '0')))
    const frame = madeUpFrame(
      collection,
      SET,
      keys.map((key) => [key, present ? PRESENT : undefined]),
    )
    const startMs = performance.now()
    await member.publish(frame)
    await until(() => entriesOf(collection) === (present ? ROWS : 0), 'the rows are here')
    expect(performance.now() - startMs).toBeLessThan(FRAME_MAX_MS)
  }
  const tags = grid.set<string>('tags')
  const changes: string[] = []
  tags.on('change', ({ type, element }) => changes.push(`${type} ${element}`))
  for (const present of [true, false, true]) {
    await send('tags', present)
    expect(tags.size).toBe(present ? 1 : 0)
  }
  expect(changes).toEqual(['add x', 'delete x', 'add x'])
  await send('counted later', true)
  const startMs = performance.now()
  const later = grid.set<string>('counted later')
  expect(later.size).toBe(1)
  const elements: string[] = []
  for await (const element of later.values()) elements.push(element)
  expect(elements).toEqual(['x'])
  await later.add('x')
  expect(await later.delete('x')).toBeDefined()
  expect(later.size).toBe(0)
  expect(performance.now() - startMs).toBeLessThan(FRAME_MAX_MS)
})
