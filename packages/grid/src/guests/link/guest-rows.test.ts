import { encodeValue } from '@gossipgrid/core'
import { expect, test } from 'vitest'
import { openGrid } from '../../open-grid.ts'
import { GuestSlots } from '../slots/guest-slots.ts'
import { drawSlot } from '../slots/slot-proof.ts'
import { GuestIdentity } from './guest-identity.ts'
import { GuestOutbox } from './guest-outbox.ts'
import { GuestRows } from './guest-rows.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

test('a cursor does not outlive the rows that smaller grants take away, also if the next one of the map never comes', async () => {
  const grid = await openGrid({ name: 'shop', listen: [], mdns: false, logger: silent })
  try {
    const { pump } = grid
    const rows = new GuestRows(
      { pump, outbox: new GuestOutbox(pump, new GuestSlots(pump.peer, await drawSlot())) },
      new GuestIdentity(pump),
    )
    const sent = ['a1', 'b1'].map((rowKey) => ({ rowKey, bytes: encodeValue(rowKey, 100) }))
    const piece = { type: 'rows', kind: 1, isReset: true, rows: sent, more: false, hlc: 0 } as const
    rows.take({ ...piece, map: 'board', cursor: Uint8Array.of(1) })
    rows.take({ ...piece, map: 'news', cursor: Uint8Array.of(2) })
    const all = { map: 'news', may: 'read' } as const
    rows.restrict([{ map: 'board', prefix: 'a', may: 'read' }, all])
    expect(grid.map('board').peek('b1')).toBeUndefined()
    expect(grid.map('board').peek('a1')).toBe('a1')
    expect([...rows.cursors().keys()]).toEqual(['news'])
  } finally {
    await grid.close()
  }
})
