import { generationKey, generationStart } from '@gossipgrid/core'
import { afterEach, expect, it } from 'vitest'
import { madeUpFrame } from '../../rig/made-up-rows.ts'
import { TestGrids, until } from '../../rig/test-grids.ts'

const DOCUMENT = 6
const GENERATIONS = 1000
/** They took minutes when each was looked for among all others, several times. */
const LOOK_MAX_MS = 5000

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

it.each<[what: string, from: (generation: number) => number]>([
  ['each from the one before', (generation) => generation - 1],
  ['all from the first', () => 0],
])('thousands of made-up generations, %s, keep no peer from its work', async (_what, from) => {
  const grid = await grids.open()
  const member = await grids.openBareMember()
  const document = await grid.doc('minutes')
  document.y.getText('text').insert(0, 'hello')
  await until(() => (grid.status().collections[0]?.entries ?? 0) > 0, 'the edit is written')
  const starts = Array.from({ length: GENERATIONS }, (_, i) => i + 1).map((generation) => {
    const start = { from: from(generation), client: 1, end: 0, settled: false, covers: [], copied: [] }
    return [generationKey('minutes', generation), generationStart(start)] as const
  })
  const startMs = performance.now()
  await member.publish(madeUpFrame('documents', DOCUMENT, starts))
  await until(() => (grid.status().collections[0]?.entries ?? 0) > GENERATIONS, 'the generations are here')
  // What follows from them is done in the next turns.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5))
  expect((await grid.doc('another')).y.getText('text').length).toBe(0)
  expect(performance.now() - startMs).toBeLessThan(LOOK_MAX_MS)
})
