import { compositeKey, encodeShare, encodeValue, hlcFromWall, kindCode, readShare } from '@gossipgrid/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { TestGrids } from '../../rig/test-grids.ts'
import { counterName, setName } from '../covering.ts'
import type { Grant } from '../grants.ts'
import type { GuestWrite } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import { mapPartition } from '../serving/guest-reads.ts'
import { GuestWrites } from '../serving/guest-writes.ts'
import { SubjectTotals } from '../serving/subject-totals.ts'
import { TakenEdits } from '../serving/taken-edits.ts'
import { drawSlot } from './slot-proof.ts'
import type { Slot } from './slot-proof.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const GUEST = 'ab'.repeat(16)
const GRANTS: readonly Grant[] = [
  { counter: 'visits', may: 'write' },
  { counter: 'votes', prefix: '42/', may: 'write' },
  { set: 'tags', may: 'write' },
  { set: 'labels', prefix: '42/', may: 'write' },
]
const PASS: PassContent = { id: 'p', subject: 'ada', grants: GRANTS, expiresAtMs: Infinity, grid: 'test' }
const [COUNTER, SET, COUNTERS, SETS] = (['counter', 'set', 'counters', 'sets'] as const).map((kind) =>
  kindCode({ kind }),
) as [number, number, number, number]
const TRUE = Uint8Array.of(0xf5)

let grids: TestGrids
let member: Grid
let writes: GuestWrites
let slot: Slot
beforeEach(async () => {
  grids = new TestGrids()
  member = await grids.open()
  writes = writesAt(member)
  slot = await drawSlot()
})
afterEach(() => grids.close())

function writesAt(grid: Grid): GuestWrites {
  const totals = new SubjectTotals(() => grid.pump.peer.collections)
  return new GuestWrites({
    writes: grid.pump.writes,
    valueSizeMaxBytes: 1024,
    authorize: undefined,
    totals,
    edits: new TakenEdits({ pump: grid.pump, authors: { of: async () => [] }, authorize: undefined, logger: silent }),
    logger: silent,
  })
}

let last = 0
function writeOf(
  map: string,
  kind: number,
  rowKey: string,
  bytes: Uint8Array | undefined,
  change: Partial<GuestWrite> = {},
): GuestWrite {
  last = Math.max(last + 1, hlcFromWall(Date.now()))
  const proof = bytes === undefined ? {} : { proof: slot.proof }
  return { number: last, map, kind, rowKey, hlc: last, again: false, bytes, ...proof, ...change }
}

const share = (up: number, down = 0): Uint8Array => encodeShare({ up, down })
const visits = (up: number, down = 0, change: Partial<GuestWrite> = {}): GuestWrite =>
  writeOf(counterName('visits'), COUNTER, slot.id, share(up, down), change)
const votes = (rowSlot: string, bytes: Uint8Array | undefined, change: Partial<GuestWrite> = {}): GuestWrite =>
  writeOf(counterName('votes'), COUNTERS, compositeKey('42/a', rowSlot), bytes, change)
const tag = (rowSlot: string, bytes: Uint8Array | undefined, change: Partial<GuestWrite> = {}): GuestWrite =>
  writeOf(setName('tags'), SET, compositeKey('tred', rowSlot), bytes, change)

async function codes(...taken: GuestWrite[]): Promise<string[]> {
  return (await writes.take(PASS, GUEST, taken)).map(({ code }) => code)
}

const isMalformed = (write: GuestWrite): Promise<void> =>
  expect(writes.take(PASS, GUEST, [write]), JSON.stringify(write)).rejects.toMatchObject({ code: 'MESSAGE_MALFORMED' })

describe('a hostile guest', () => {
  it('writes in no slot but its own, neither counts nor deletes nor adds', async () => {
    await member.counter('visits').increment(5)
    await member.counters('votes').increment('42/a', 5)
    const theirs = member.pump.peer.slotId
    await isMalformed({ ...visits(9), rowKey: theirs })
    await isMalformed(visits(9, 0, { proof: undefined }))
    await isMalformed(visits(9, 0, { proof: new Uint8Array(16) }))
    await isMalformed(votes(theirs, share(9)))
    await isMalformed(votes(`${slot.id}-${theirs}`, share(9)))
    await isMalformed(tag(theirs, TRUE))
    await isMalformed(writeOf(setName('labels'), SETS, compositeKey('42/a\u0001tred', theirs), TRUE))
    expect([member.counter('visits').value, member.counters('votes').peek('42/a')]).toEqual([5, 5])
    expect(member.set('tags').getSnapshot()).toEqual([])
  })

  it('sends no rows that no peer takes', async () => {
    const key = slot.id
    for (const write of [
      visits(1, 0, { bytes: undefined }),
      visits(1, 0, { bytes: encodeValue([Number.NaN, 0], 99) }),
      visits(1, 0, { bytes: encodeValue([-1, 0], 99) }),
      visits(1, 0, { bytes: encodeValue([1.5, 0], 99) }),
      visits(1, 0, { bytes: encodeValue([2 ** 53, 0], 99) }),
      visits(1, 0, { bytes: encodeValue([1], 99) }),
      visits(1, 0, { bytes: TRUE }),
      visits(1, 0, { kind: SET }),
      visits(1, 0, { kind: 1 }),
      visits(1, 0, { map: 'visits', kind: 2 }),
      { ...visits(1), rowKey: 'x' },
      votes(`${key}123456789`, share(1)),
      votes(`${key}-${key}-${key}`, share(1)),
      tag(key, share(1)),
      tag('x', undefined),
      writeOf(setName('tags'), SET, compositeKey('red', key), TRUE),
      writeOf(setName('tags'), SET, 'tred', undefined),
      writeOf(setName('labels'), SETS, compositeKey('42/a', key), TRUE),
    ])
      await isMalformed(write)
    expect([member.counter('visits').value, member.counters('votes').size, member.set('tags').size]).toEqual([0, 0, 0])
  })

  it('writes nothing outside of its grants', async () => {
    await member.counters('votes').increment('43/b', 5)
    await member.sets('labels').add('43/b', 'x')
    const { table } = mapPartition(member.pump.peer.collections, setName('labels'))!.replica
    const theirs = [...table.slots()].map((each) => table.key(each))[0]!
    expect(
      await codes(
        writeOf(counterName('votes'), COUNTERS, compositeKey('43/b', slot.id), share(1)),
        writeOf(counterName('votes'), COUNTERS, compositeKey('42', slot.id), share(1)),
        writeOf(counterName('votes'), COUNTER, slot.id, share(1)),
        writeOf(counterName('sales'), COUNTER, slot.id, share(1)),
        writeOf(setName('labels'), SETS, theirs, undefined),
        writeOf(setName('labels'), SET, compositeKey('t42/x', slot.id), TRUE),
      ),
    ).toEqual(Array.from({ length: 6 }, () => 'FORBIDDEN'))
    expect([member.counters('votes').peek('43/b'), member.sets('labels').peek('43/b')]).toEqual([5, ['x']])
  })

  it('takes no counter out of its range', async () => {
    await member.counter('visits').increment(10)
    const most = Number.MAX_SAFE_INTEGER
    expect(await codes(visits(most), visits(0, most), visits(0, most))).toEqual(['COUNTER_RANGE', '', ''])
    expect(member.counter('visits').value).toBe(10 - most)
    expect(await codes(visits(most, most))).toEqual([''])
    expect(member.counter('visits').value).toBe(10)
    await member.counters('votes').increment('42/a', most)
    expect(await codes(votes(slot.id, share(1)), votes(slot.id, share(0, 1)))).toEqual(['COUNTER_RANGE', ''])
    expect(member.counters('votes').peek('42/a')).toBe(most - 1)
  })

  it('takes back nothing of its own slot', async () => {
    expect(await codes(visits(5, 2), visits(4, 2), visits(5, 1), visits(6, 2))).toEqual([
      '',
      'INVALID_VALUE',
      'INVALID_VALUE',
      '',
    ])
    expect(member.counter('visits').value).toBe(4)
  })

  it('deletes no more of a counter than there is, whatever it says that it has seen', async () => {
    await member.counters('votes').increment('42/a', 5)
    const theirs = member.pump.peer.slotId
    const table = (): [string, Uint8Array | undefined][] => {
      const rows = mapPartition(member.pump.peer.collections, counterName('votes'))!.replica.table
      return [...rows.slots()].map((each) => [rows.key(each).split('\0')[1]!, rows.value(each)])
    }
    const all = share(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    // Of a slot that there is not, there is nothing to delete.
    expect(await codes(votes(`${'0'.repeat(16)}-${slot.id}`, all), votes(theirs, undefined, { hlc: 1 }))).toEqual([
      '',
      '',
    ])
    expect(table().length).toBe(1)
    expect(await codes(votes(`${theirs}-${slot.id}`, all))).toEqual([''])
    expect(readShare(table()[1]![1])).toEqual({ up: 5, down: 0 })
    expect(member.counters('votes').peek('42/a')).toBeUndefined()
    await member.counters('votes').increment('42/a', 3)
    expect(member.counters('votes').peek('42/a')).toBe(3)
  })

  it('removes no row of a slot of which no delete has seen all, and no row that it has not seen', async () => {
    await member.counters('votes').increment('42/a', 5)
    const { table } = mapPartition(member.pump.peer.collections, counterName('votes'))!.replica
    const theirs = member.pump.peer.slotId
    const hlc = table.hlc([...table.slots()][0]!)
    await codes(votes(theirs, undefined, { hlc }), votes(theirs, undefined))
    expect(member.counters('votes').peek('42/a')).toBe(5)
    await codes(votes(`${theirs}-${slot.id}`, share(5)), votes(theirs, undefined))
    expect(table.deleted(table.slotOf(compositeKey('42/a', theirs))!)).toBe(false)
    await codes(votes(theirs, undefined, { hlc }))
    expect(table.deleted(table.slotOf(compositeKey('42/a', theirs))!)).toBe(true)
    // Nor what deletes have seen, or the counts would be back.
    await codes(
      votes(`${theirs}-${slot.id}`, undefined, {
        hlc: table.hlc(table.slotOf(compositeKey('42/a', `${theirs}-${slot.id}`))!),
      }),
    )
    expect(table.deleted(table.slotOf(compositeKey('42/a', `${theirs}-${slot.id}`))!)).toBe(false)
  })

  it('removes no element that is added later, whatever the date of the remove', async () => {
    const theirs = member.pump.peer.slotId
    const soon = hlcFromWall(Date.now() + 3_600_000)
    expect(await codes(tag(theirs, undefined, { hlc: soon }))).toEqual([''])
    await member.set('tags').add('red')
    expect(member.set('tags').holds('red')).toBe(true)
    await codes(tag(theirs, undefined, { hlc: soon }))
    expect(member.set('tags').holds('red')).toBe(false)
    await member.set('tags').add('red')
    const { table } = mapPartition(member.pump.peer.collections, setName('tags'))!.replica
    expect(member.set('tags').holds('red')).toBe(true)
    // A date before the add removes nothing.
    await codes(tag(theirs, undefined, { hlc: table.hlc(table.slotOf(compositeKey('tred', theirs))!) - 1 }))
    expect(member.set('tags').holds('red')).toBe(true)
  })
})

it('a delete that one member has taken whole stays whole, though another one that lacks some of the counts has taken it too', async () => {
  const other = await grids.open()
  const both = [member, other] as const
  await member.counter('mark').increment()
  await expect.poll(() => other.counter('mark').value, { timeout: 5000 }).toBe(1)
  for (const [round, [ahead, behind]] of [both, both.toReversed() as [Grid, Grid]].entries()) {
    const key = `42/${round}`
    await ahead.counters('votes').increment(key, 5)
    await expect.poll(() => behind.counters('votes').peek(key), { timeout: 5000 }).toBe(5)
    grids.split([0], [1])
    await ahead.counters('votes').increment(key, 2)
    const rowKey = compositeKey(key, `${ahead.pump.peer.slotId}-${slot.id}`)
    const write = writeOf(counterName('votes'), COUNTERS, rowKey, share(7))
    for (const grid of [ahead, behind]) await writesAt(grid).take(PASS, GUEST, [write])
    expect([ahead, behind].map((grid) => grid.counters('votes').peek(key))).toEqual([undefined, undefined])
    grids.heal()
    await member.counter('mark').increment()
    await expect.poll(() => other.counter('mark').value, { timeout: 20_000 }).toBe(2 + round)
    for (const grid of both)
      await expect.poll(() => grid.counters('votes').peek(key), { timeout: 5000 }).toBeUndefined()
  }
})

it('a remove that was sent before is taken after any time, and an add is not where no member knows its guest', async () => {
  const longAgo = { hlc: hlcFromWall(Date.now() - 30 * 86_400_000), again: true }
  expect(await codes(tag(slot.id, undefined, longAgo))).toEqual([''])
  writes = writesAt(await grids.open())
  expect(await codes(tag(slot.id, TRUE, longAgo))).toEqual(['QUOTA_EXCEEDED'])
})

it('what several members take of the same totals, in any order and any number of times, counts once', async () => {
  const others = [member, await grids.open()]
  const takers = others.map(writesAt)
  let round = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.boolean()), { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(5), fc.nat(1)), { minLength: 1, maxLength: 12 }),
      async (steps, order) => {
        round += 1
        const key = `42/${round}`
        let [up, down] = [0, 0]
        const totals = steps.map(([by, isUp]) => {
          if (isUp) up += by
          else down += by
          return writeOf(counterName('votes'), COUNTERS, compositeKey(key, slot.id), share(up, down))
        })
        const taken = order.filter(([which]) => which < totals.length)
        for (const [which, where] of taken) {
          const [verdict] = await takers[where]!.take(PASS, `${round}`.padStart(32, '0'), [totals[which]!])
          expect(verdict!.code).toBe('')
        }
        const most = Math.max(-1, ...taken.map(([which]) => which))
        const expected = most < 0 ? undefined : readShare(totals[most]!.bytes)
        const net = expected && expected.up - expected.down
        for (const grid of others)
          await expect.poll(() => grid.counters('votes').peek(key), { timeout: 5000 }).toBe(net)
      },
    ),
    { numRuns: 40 },
  )
})
