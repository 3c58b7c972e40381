import { decodeCursor, encodeCursor, fromStart } from '@gossipgrid/core/following'
import type { PartitionCursor } from '@gossipgrid/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { TestGrids, until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'
import { GuestReads, mapPartition } from './guest-reads.ts'
import type { ReadPiece } from './guest-reads.ts'

const GRANTS: readonly Grant[] = [{ map: 'todos', may: 'write' }]
const READING = '[""]'

let grids: TestGrids
let first: Grid
let second: Grid
beforeEach(async () => {
  grids = new TestGrids()
  first = await grids.open()
  second = await grids.open()
  await first.map('todos').set('a', 'old')
  await until(() => second.map('todos').peek('a') === 'old', 'the old one')
  await second.disconnect()
  await first.map('todos').set('a', 'new')
})
afterEach(() => grids.close())

/** What a guest has seen that has all of a member. */
function cursorAt({ pump }: Grid): PartitionCursor {
  const { replica } = mapPartition(pump.peer.collections, 'todos')!
  return { seen: replica.vector.clone(), wallMs: pump.wallMs, isFilling: false }
}

/** The same for another member, which has numbers of its own for writers. */
function movedTo({ pump: to }: Grid, { pump: from }: Grid, cursor: PartitionCursor): PartitionCursor {
  return decodeCursor(encodeCursor(cursor, from.peer.collections.ids), to.peer.collections.ids)
}

function readsAt({ pump }: Grid, cursor?: PartitionCursor): GuestReads {
  const partition = mapPartition(pump.peer.collections, 'todos')!
  const cursors = new Map(cursor && [['todos', { partition, sealed: { cursor, reading: READING } }]])
  return new GuestReads(pump.peer, () => pump.wallMs, GRANTS, cursors)
}

/** Whether a guest with a cursor of the second member is sent `a` again by the first one, which has its newest row. */
function getsAgain(sealed: ReadPiece['sealed']): boolean {
  const piece = readsAt(first, movedTo(first, second, sealed!.cursor)).next()
  return typeof piece === 'object' && piece.rows.some(({ rowKey }) => rowKey === 'a')
}

it('a guest that stops in the middle of what a member that is behind sends is sent again what that one lacked', async () => {
  const big = 'x'.repeat(10_000)
  const many = Array.from({ length: 200 }, (_, i) => [i === 0 ? 'a' : `b${i}`, `${big} ${i}`] as const)
  await second.map('todos').setMany(many)
  const reads = readsAt(second, movedTo(second, first, cursorAt(first)))
  let pieces = 0
  for (let more = true; more; pieces++) {
    const piece = reads.next() as ReadPiece
    more = piece.more
    expect(getsAgain(piece.sealed)).toBe(true)
  }
  expect(pieces).toBeGreaterThan(2)
})

it('the first load of a map has a cursor at its end only', async () => {
  const many = Array.from({ length: 200 }, (_, i) => [`b${i}`, 'x'.repeat(10_000)] as const)
  await second.map('todos').setMany(many)
  const reads = readsAt(second)
  const pieces: ReadPiece[] = []
  while (pieces.at(-1)?.more !== false) pieces.push(reads.next() as ReadPiece)
  expect(pieces.length).toBeGreaterThan(2)
  expect(pieces.map(({ sealed }) => sealed !== undefined)).toEqual(pieces.map(({ more }) => !more))
})

it('before an answer, a cursor goes back to what the member has, and stays where it has all', async () => {
  const ahead = readsAt(second, movedTo(second, first, cursorAt(first))).beforeAnswer('todos', 1)
  expect(ahead).toMatchObject({ isReset: false, more: false, rows: [] })
  expect(getsAgain(ahead!.sealed)).toBe(true)
  expect(readsAt(first, movedTo(first, second, cursorAt(second))).beforeAnswer('todos', 1)).toBeUndefined()
  expect(readsAt(first, cursorAt(first)).beforeAnswer('todos', 1)).toBeUndefined()
})

it('before an answer, a cursor of other grants is void, and nothing is said of maps that no grant covers', async () => {
  const other = { cursor: { ...fromStart(0), isFilling: false }, reading: '["b"]' }
  const partition = mapPartition(second.pump.peer.collections, 'todos')!
  const cursors = new Map([['todos', { partition, sealed: other }]])
  const reads = new GuestReads(second.pump.peer, () => second.pump.wallMs, GRANTS, cursors)
  expect(reads.beforeAnswer('todos', 1)).toMatchObject({ isReset: true, more: true, rows: [], sealed: undefined })
  expect(reads.next()).toMatchObject({ isReset: true, more: false, rows: [{ rowKey: 'a' }] })
  second.map('salaries')
  for (const map of ['salaries', 'never opened']) expect(reads.beforeAnswer(map, 1)).toBeUndefined()
})
