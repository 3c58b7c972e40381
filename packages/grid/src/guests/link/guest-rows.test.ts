import { encodeValue } from '@gossipgrid/core'
import { expect, test } from 'vitest'
import type { Grid } from '../../grid.ts'
import { openGrid } from '../../open-grid.ts'
import { GuestSlots } from '../slots/guest-slots.ts'
import { drawSlot } from '../slots/slot-proof.ts'
import { GuestIdentity } from './guest-identity.ts'
import { GuestOutbox } from './guest-outbox.ts'
import { GuestRows } from './guest-rows.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A grid that is open while a test runs. */
async function withRows(run: (rows: GuestRows, grid: Grid) => void): Promise<void> {
  const grid = await openGrid({ name: 'shop', listen: [], mdns: false, logger: silent })
  try {
    const { pump } = grid
    const outbox = new GuestOutbox(pump, new GuestSlots(pump.peer, await drawSlot()))
    run(new GuestRows({ pump, outbox }, new GuestIdentity(pump)), grid)
  } finally {
    await grid.close()
  }
}

test('a cursor goes back where rows come of a member that is behind, also if the connection is lost before the last of them', async () => {
  await withRows((rows) => {
    const piece = { type: 'rows', map: 'board', kind: 1, rows: [], hlc: 0 } as const
    rows.take({ ...piece, isReset: true, more: false, cursor: Uint8Array.of(9) })
    rows.take({ ...piece, isReset: false, more: true, cursor: Uint8Array.of(5) })
    expect(rows.cursors()).toEqual(new Map([['board', Uint8Array.of(5)]]))
    // Where it comes without one, the member could not give any.
    rows.take({ ...piece, isReset: false, more: false, cursor: undefined })
    expect(rows.cursors().size).toBe(0)
  })
})

test('a cursor does not outlive the rows that smaller grants take away, also if the next one of the map never comes', async () => {
  await withRows((rows, grid) => {
    const sent = ['a1', 'b1'].map((rowKey) => ({ rowKey, bytes: encodeValue(rowKey, 100) }))
    const piece = { type: 'rows', kind: 1, isReset: true, rows: sent, more: false, hlc: 0 } as const
    rows.take({ ...piece, map: 'board', cursor: Uint8Array.of(1) })
    rows.take({ ...piece, map: 'news', cursor: Uint8Array.of(2) })
    const all = { map: 'news', may: 'read' } as const
    rows.restrict([{ map: 'board', prefix: 'a', may: 'read' }, all])
    expect(grid.map('board').peek('b1')).toBeUndefined()
    expect(grid.map('board').peek('a1')).toBe('a1')
    expect([...rows.cursors().keys()]).toEqual(['news'])
  })
})
