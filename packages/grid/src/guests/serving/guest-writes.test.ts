import { GRACE_MS, GUESTS, encodeValue, expiring, hlcFromWall } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { TestGrids, until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'
import { GUESTS_OF_SUBJECT_MAX, GUEST_AHEAD_MAX_MS } from '../guest-limits.ts'
import type { GuestWrite } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import type { GuestQuotas, GuestsOptions } from '../guest-options.ts'
import { mapPartition } from './guest-reads.ts'
import { GuestWrites } from './guest-writes.ts'
import { TakenEdits } from './taken-edits.ts'
import { SubjectTotals } from './subject-totals.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const GRANTS: readonly Grant[] = [
  { map: 'todos', prefix: '42/', may: 'write' },
  { map: 'todos', prefix: '42/a/', may: 'write' },
  { map: 'board', may: 'write' },
  { map: 'news', may: 'read' },
]

let grids: TestGrids
let member: Grid
beforeEach(async () => {
  grids = new TestGrids()
  member = await grids.open()
})
afterEach(() => grids.close())

function writesAt(grid: Grid, quotas: GuestQuotas = {}, authorize?: GuestsOptions['authorize']): GuestWrites {
  const { writes } = grid.pump
  const totals = new SubjectTotals(() => grid.pump.peer.collections, quotas)
  const authors = { of: async () => ['0123456789abcdef'] }
  const edits = new TakenEdits({ pump: grid.pump, authors, authorize, logger: silent })
  return new GuestWrites({ writes, valueSizeMaxBytes: 1024, authorize, totals, edits, logger: silent })
}

function passOf(subject: string, grants: readonly Grant[] = GRANTS): PassContent {
  return { id: 'p', subject, grants, expiresAtMs: Infinity, grid: 'test' }
}

const guestId = (index: number): string => index.toString(16).padStart(32, '0')

let last = 0
function writeOf(rowKey: string, value: unknown, change: Partial<GuestWrite> = {}): GuestWrite {
  last = Math.max(last + 1, hlcFromWall(Date.now()))
  const bytes = value === undefined ? undefined : encodeValue(value, 4096)
  return { number: last, map: 'todos', kind: 1, rowKey, hlc: last, again: false, bytes, ...change }
}

const codes = async (taking: ReturnType<GuestWrites['take']>): Promise<string[]> =>
  (await taking).map(({ code }) => code)

function takenRows(grid: Grid): { readonly live: number; readonly all: number } {
  const { table } = grid.pump.peer.collections.internal(GUESTS).replica
  const slots = [...table.slots()].filter((slot) => table.key(slot).startsWith('taken/'))
  return { live: slots.filter((slot) => !table.deleted(slot)).length, all: slots.length }
}

describe('what members remember of guests', () => {
  it('is bounded for each subject, however many guests it invents, and leaves no deletes behind', async () => {
    const writes = writesAt(member)
    for (let i = 0; i < 100; i++) await writes.take(passOf('eve'), guestId(i), [writeOf(`42/${i}`, i)])
    await writes.take(passOf('ada'), guestId(1), [writeOf('42/own', 1)])
    expect(takenRows(member)).toEqual({ live: GUESTS_OF_SUBJECT_MAX + 1, all: GUESTS_OF_SUBJECT_MAX + 1 })
  })

  it('is of those that wrote last: what they send again is answered as before', async () => {
    const isRefused = new Set([20, 30])
    const writes = writesAt(member, {}, ({ value }) => !isRefused.has(value as number))
    const sent: GuestWrite[] = []
    for (let i = 0; i < 40; i++) {
      sent.push(writeOf(`42/${i}`, i))
      await writes.take(passOf('ada'), guestId(i), [sent[i]!])
      // Writes now and then, so it is not forgotten.
      await writes.take(passOf('ada'), guestId(20), [writeOf('42/often', i)])
    }
    isRefused.clear()
    const { taken } = writes.counts
    for (const i of [20, ...Array.from({ length: 15 }, (_, back) => 39 - back)]) {
      const [code] = await codes(writes.take(passOf('ada'), guestId(i), [{ ...sent[i]!, again: true }]))
      expect(code).toBe(i === 20 || i === 30 ? 'FORBIDDEN' : '')
    }
    expect(writes.counts.taken).toBe(taken)
    await codes(writes.take(passOf('ada'), guestId(0), [{ ...sent[0]!, again: true }]))
    expect(writes.counts.taken).toBe(taken + 1)
  })

  it('is all refusals of a message', async () => {
    const writes = writesAt(member)
    const sent = Array.from({ length: 256 }, (_, i) => writeOf(`43/${i}`, i))
    const first = await codes(writes.take(passOf('ada'), guestId(1), sent))
    expect(new Set(first)).toEqual(new Set(['FORBIDDEN']))
    expect(await codes(writes.take(passOf('ada'), guestId(1), sent))).toEqual(first)
    expect(writes.counts.refused).toBe(256)
  })

  it('is no way past the grants: a number that was answered opens and writes nothing', async () => {
    const writes = writesAt(member)
    const sent = writeOf('42/a', 1)
    await writes.take(passOf('ada'), guestId(1), [sent])
    const hostile = { ...sent, map: 'grid', rowKey: 'member/x' }
    expect(await codes(writes.take(passOf('ada'), guestId(1), [hostile]))).toEqual([''])
    expect(member.collections().map(({ name }) => name)).toEqual(['todos'])
  })

  it('decides on what is sent again after deletes may be purged: it is refused unless the guest is known', async () => {
    const writes = writesAt(member)
    const old = hlcFromWall(Date.now() - GRACE_MS - 60_000)
    const recent = hlcFromWall(Date.now() - GRACE_MS + 60_000)
    const take = (guest: number, change: Partial<GuestWrite>): Promise<string[]> =>
      codes(writes.take(passOf('ada'), guestId(guest), [writeOf('42/k', 1, change)]))
    expect(await take(1, { hlc: old, number: old, again: true })).toEqual(['QUOTA_EXCEEDED'])
    expect(member.map('todos').peek('42/k')).toBeUndefined()
    expect(await take(2, { hlc: recent, number: recent, again: true })).toEqual([''])
    expect(await take(3, { hlc: old, number: old })).toEqual([''])
    expect(await take(3, { hlc: old + 1, number: old + 1, again: true })).toEqual([''])
  })

  it('travels with what was taken, so another member answers the same', async () => {
    const other = await grids.open()
    await other.ready()
    const write = writeOf('42/a', 1)
    await writesAt(member).take(passOf('ada'), guestId(7), [write])
    await until(() => other.map('todos').peek('42/a') === 1, 'the write')
    await other.map('todos').set('42/a', 2)
    const there = writesAt(other)
    expect(await codes(there.take(passOf('ada'), guestId(7), [{ ...write, again: true }]))).toEqual([''])
    expect(there.counts.taken).toBe(0)
    expect(takenRows(other).all).toBe(1)
  })
})

describe('the date of a write', () => {
  it('is that of the guest up to a bound ahead, and now beyond it; the next write of a member is later in any case', async () => {
    const writes = writesAt(member)
    const todos = member.map('todos')
    const dateOf = async (aheadMs: number): Promise<number> => {
      const hlc = hlcFromWall(Date.now() + aheadMs)
      await writes.take(passOf('ada'), guestId(1), [writeOf('42/k', aheadMs, { hlc })])
      expect(todos.peek('42/k')).toBe(aheadMs)
      const { table } = mapPartition(member.pump.peer.collections, 'todos')!.replica
      const date = table.hlc(table.slotOf('42/k')!)
      await todos.set('42/other', 'next')
      expect(table.hlc(table.slotOf('42/other')!)).toBeGreaterThan(date)
      await todos.set('42/k', 'next')
      expect(todos.peek('42/k')).toBe('next')
      return (date - hlcFromWall(Date.now())) / (hlcFromWall(Date.now() + 1) - hlcFromWall(Date.now()))
    }
    expect(await dateOf(60 * 60_000)).toBeLessThan(1000)
    expect(await dateOf(GUEST_AHEAD_MAX_MS - 5000)).toBeGreaterThan(GUEST_AHEAD_MAX_MS - 10_000)
    expect(await dateOf(GUEST_AHEAD_MAX_MS + 10_000)).toBeLessThan(GUEST_AHEAD_MAX_MS)
  })
})

describe('what a subject may have in all', () => {
  it('is counted under all that its pass allows to write, each entry once', async () => {
    await member.map('todos').set('42/a/x', 'aaaa')
    await member.map('todos').set('42/b', 'aaaa')
    await member.map('todos').set('43/c', 'aaaa')
    await member.map('board').set('x', 'aaaa')
    await member.map('news').set('x', 'aaaa')
    const totals = new SubjectTotals(() => member.pump.peer.collections)
    expect(totals.of(GRANTS)).toEqual({ rows: 3, bytes: 6 + 4 + 1 + 3 * 5 })
    await member.map('board').set('x', 'aa')
    await member.map('board').set('é', 'aa')
    await member.map('todos').delete('42/b')
    await member.map('todos').delete('42/never')
    await member.map('todos').set('43/d', 'aaaa')
    const now = totals.of(GRANTS)
    expect(now).toEqual({ rows: 3, bytes: 6 + 1 + 2 + 5 + 3 + 3 })
    expect(new SubjectTotals(() => member.pump.peer.collections).of(GRANTS)).toEqual(now)
  })

  it('grows no further than its bound, within one message too, and what is deleted makes room', async () => {
    const writes = writesAt(member, { entriesMax: 4 })
    await member.map('todos').set('42/0', 0)
    const many = Array.from({ length: 6 }, (_, i) => writeOf(`42/${i}`, i))
    expect(await codes(writes.take(passOf('ada'), guestId(1), many))).toEqual([
      ...['', '', '', ''],
      ...['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED'],
    ])
    expect(member.map('todos').size).toBe(4)
    const take = (key: string, value: unknown): Promise<string[]> =>
      codes(writes.take(passOf('ada'), guestId(1), [writeOf(key, value)]))
    expect(await take('42/1', 'another')).toEqual([''])
    expect(await take('42/1', undefined)).toEqual([''])
    expect(await take('42/7', 1)).toEqual([''])
    expect(await take('42/8', 1)).toEqual(['QUOTA_EXCEEDED'])
    await member.map('todos').delete('42/7')
    expect(await take('42/8', 1)).toEqual([''])
  })

  it('is bounded by bytes as well, and less is always allowed', async () => {
    const writes = writesAt(member, { bytesMax: 500 })
    await member.map('todos').set('42/big', 'x'.repeat(600))
    const take = (key: string, value: unknown): Promise<string[]> =>
      codes(writes.take(passOf('ada'), guestId(1), [writeOf(key, value)]))
    expect(await take('42/a', 1)).toEqual(['QUOTA_EXCEEDED'])
    expect(await take('42/big', 'x'.repeat(550))).toEqual([''])
    expect(await take('42/big', 'x'.repeat(560))).toEqual(['QUOTA_EXCEEDED'])
    expect(await take('42/big', 'x'.repeat(400))).toEqual([''])
    expect(await take('42/a', 1)).toEqual([''])
  })

  it('does not count what has expired', async () => {
    const writes = writesAt(member, { entriesMax: 1 })
    const bytes = expiring(encodeValue(1, 100), Date.now() + 300)
    expect(await codes(writes.take(passOf('ada'), guestId(1), [writeOf('42/a', 1, { bytes })]))).toEqual([''])
    expect(await codes(writes.take(passOf('ada'), guestId(1), [writeOf('42/b', 1)]))).toEqual(['QUOTA_EXCEEDED'])
    await until(() => member.map('todos').size === 0, 'the end')
    expect(await codes(writes.take(passOf('ada'), guestId(1), [writeOf('42/c', 1)]))).toEqual([''])
  })

  it('is the same at another member', async () => {
    const other = await grids.open()
    await other.ready()
    await codes(
      writesAt(member, { entriesMax: 2 }).take(passOf('ada'), guestId(1), [writeOf('42/a', 1), writeOf('42/b', 2)]),
    )
    await until(() => other.map('todos').size === 2, 'both')
    const there = writesAt(other, { entriesMax: 2 })
    expect(await codes(there.take(passOf('ada'), guestId(2), [writeOf('42/c', 1)]))).toEqual(['QUOTA_EXCEEDED'])
    expect(
      await codes(
        there.take(passOf('bob', [{ map: 'todos', prefix: '43/', may: 'write' }]), guestId(3), [writeOf('43/c', 1)]),
      ),
    ).toEqual([''])
  })
})
