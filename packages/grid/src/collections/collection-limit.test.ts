import { COLLECTIONS_MAX } from '@gossipgrid/core'
import { expect, it, onTestFinished } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory } from '../rig/test-grids.ts'

/** Everything of a grid that needs a collection of the grid's own. */
async function works(grid: Grid): Promise<void> {
  expect(grid.status().collections.length).toBeGreaterThanOrEqual(COLLECTIONS_MAX)
  expect(grid.metrics().collections).toHaveLength(grid.status().collections.length)
  expect(grid.members.map(({ peerId }) => peerId)).toContain(grid.peerId)
  expect(await grid.forget('missing')).toBe(false)
  expect(grid.counter('visits-7').value).toBe(1)
  const note = await grid.doc('note')
  note.y.getText('body').insert(0, 'x')
  await note.close()
  expect(grid.docs()).toEqual(['note'])
  expect(() => grid.map('one more')).toThrow(
    expect.objectContaining({
      code: 'COLLECTION_LIMIT',
      message: expect.stringContaining('use keys of one') as string,
    }),
  )
}

it('a counter for each of 4,096 things, right after opening, leaves a grid that works, also when it is opened again', async () => {
  const grids = new TestGrids()
  onTestFinished(() => grids.close())
  const storage = diskInMemory()
  const grid = await grids.open({ storage })
  await Promise.all(Array.from({ length: COLLECTIONS_MAX }, (_, i) => grid.counter(`visits-${i}`).increment()))
  await works(grid)
  await grid.close()
  const again = await grids.open({ storage })
  await works(again)
  await again.leave()
})
