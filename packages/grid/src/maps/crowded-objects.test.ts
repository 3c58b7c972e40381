import { compositeKey, encodeValue } from '@gossipgrid/core'
import { afterEach, expect, it } from 'vitest'
import { madeUpFrame } from '../rig/made-up-rows.ts'
import { TestGrids, until } from '../rig/test-grids.ts'

const FIELDS = 4
/** More than a call can have arguments. */
const ROWS = 140_000
const FRAME_ROWS = 14_000

const grids = new TestGrids()
afterEach(() => grids.close())

it('an object of more fields than any application writes is read like any other', async () => {
  const grid = await grids.open()
  const member = await grids.openBareMember()
  const map = grid.map<object>('objects', { merge: 'fields' })
  const bytes = encodeValue(1, 100)
  for (let start = 0; start < ROWS; start += FRAME_ROWS) {
    const fields = Array.from({ length: FRAME_ROWS }, (_, i) => compositeKey('x', `${start + i}`))
    await member.publish(
      madeUpFrame(
        'objects',
        FIELDS,
        fields.map((key) => [key, bytes]),
      ),
    )
  }
  await until(() => grid.status().collections[0]?.rows === ROWS, 'all rows are here')
  expect(map.expiresAt('x')).toBe(undefined)
  expect(Object.keys(map.peek('x')!)).toHaveLength(ROWS)
  const keys: string[] = []
  for await (const key of map.keys()) keys.push(key)
  expect(keys).toEqual(['x'])
  await map.delete('x')
  expect(map.size).toBe(0)
})
