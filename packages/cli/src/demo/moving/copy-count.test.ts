import { describe, expect, it } from 'vitest'
import { DemoLedger } from '../story/ledger.ts'
import { countCopies, entriesOfPartitions, entriesToMove, ownersOf } from './copy-count.ts'

function ledgerOf(writes: Record<string, readonly [hlc: number, value: object | null]>): DemoLedger {
  const ledger = new DemoLedger()
  for (const [key, [hlc, value]] of Object.entries(writes))
    ledger.acknowledge({ peer: 1, key, value, version: [hlc, 'aa'] })
  return ledger
}

function copy(...entries: [string, number][]) {
  return [{ index: 0, entries }]
}

describe('the copies of an entry', () => {
  it('are the peers that have its latest acknowledged write', () => {
    const ledger = ledgerOf({ a: [2, {}], b: [1, {}] })
    const all = copy(['a', 2], ['b', 1])
    expect(countCopies(ledger, [all, all, all])).toMatchObject({ min: 3, max: 3 })
    expect(countCopies(ledger, [all, all, copy(['b', 1])])).toEqual({ min: 2, max: 3, scarcest: 'a' })
    expect(countCopies(ledger, [all, all, copy(['a', 1], ['b', 1])])).toEqual({ min: 2, max: 3, scarcest: 'a' })
  })

  it('that are too many are found, whatever version they have', () => {
    const old = copy(['a', 1])
    expect(countCopies(ledgerOf({ a: [2, {}] }), [copy(['a', 2]), copy(['a', 2]), copy(['a', 2]), old])).toMatchObject({
      min: 3,
      max: 4,
    })
  })

  it('do not count for deleted keys, nor for those of which a write was never answered', () => {
    const ledger = ledgerOf({ a: [2, {}], deleted: [3, null], open: [4, {}] })
    ledger.leaveOpen('open', null)
    const all = copy(['a', 2])
    expect(countCopies(ledger, [all, all, all])).toMatchObject({ min: 3, max: 3 })
  })

  it('are none where nothing is', () => {
    expect(countCopies(ledgerOf({ a: [2, {}] }), [])).toEqual({ min: 0, max: 0, scarcest: 'a' })
    expect(countCopies(new DemoLedger(), [])).toMatchObject({ min: 0 })
  })
})

describe('what had to move', () => {
  it('is the entries of partitions that a peer owns newly', () => {
    const before = ownersOf(
      new Map([
        [1, 'ww'],
        [2, 'w.'],
        [3, '.w'],
      ]),
    )
    const after = ownersOf(
      new Map([
        [1, 'wh'],
        [3, '.w'],
        [4, 'ww'],
      ]),
    )
    expect(after).toEqual([new Set([1, 4]), new Set([3, 4])])
    const entries = entriesOfPartitions([
      [
        { index: 0, entries: [['a', 1]] },
        {
          index: 1,
          entries: [
            ['b', 1],
            ['c', 1],
          ],
        },
      ],
      [{ index: 0, entries: [] }],
    ])
    expect(entriesToMove(before, after, entries)).toBe(3)
    expect(entriesToMove(after, after, entries)).toBe(0)
  })
})
