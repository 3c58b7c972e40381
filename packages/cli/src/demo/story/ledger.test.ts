import { describe, expect, test } from 'vitest'
import { DemoLedger } from './ledger.ts'
import { valueHash } from '../cluster/value-hash.ts'

const LISBON = { name: 'Lisbon' }
const PORTO = { name: 'Porto' }

function hashes(entries: Record<string, object>): Map<string, string> {
  return new Map(Object.entries(entries).map(([key, value]) => [key, valueHash(value)]))
}

describe('the ledger', () => {
  test('the write with the larger time wins, in whatever order the acknowledgements arrive', () => {
    const ledger = new DemoLedger()
    ledger.acknowledge({ peer: 1, key: 'a', value: PORTO, version: [7, 'aa'] })
    ledger.acknowledge({ peer: 2, key: 'a', value: LISBON, version: [5, 'ff'] })
    expect(ledger.standing('a')).toMatchObject({ peer: 1, value: PORTO })
    expect(ledger.check(3, hashes({ a: PORTO }))).toEqual([])
    expect(ledger.check(3, hashes({ a: LISBON }))).toEqual([{ peer: 3, key: 'a', kind: 'changed' }])
  })

  test('the replica id decides between equal times', () => {
    const ledger = new DemoLedger()
    ledger.acknowledge({ peer: 1, key: 'a', value: PORTO, version: [5, 'aa'] })
    ledger.acknowledge({ peer: 2, key: 'a', value: LISBON, version: [5, 'ff'] })
    expect(ledger.standing('a')).toMatchObject({ peer: 2 })
  })

  test('an absent entry is missing', () => {
    const ledger = new DemoLedger()
    ledger.acknowledge({ peer: 1, key: 'a', value: LISBON, version: [1, 'aa'] })
    expect(ledger.check(4, hashes({}))).toEqual([{ peer: 4, key: 'a', kind: 'missing' }])
  })

  test('a deleted key that is present is resurrected, and one written again later is not', () => {
    const ledger = new DemoLedger()
    ledger.acknowledge({ peer: 1, key: 'a', value: LISBON, version: [1, 'aa'] })
    ledger.acknowledge({ peer: 1, key: 'a', value: null, version: [2, 'aa'] })
    expect(ledger.entries).toBe(0)
    expect(ledger.check(1, hashes({}))).toEqual([])
    expect(ledger.check(1, hashes({ a: LISBON }))).toEqual([{ peer: 1, key: 'a', kind: 'resurrected' }])
    ledger.acknowledge({ peer: 2, key: 'a', value: PORTO, version: [3, 'bb'] })
    expect(ledger.entries).toBe(1)
    expect(ledger.check(1, hashes({ a: PORTO }))).toEqual([])
  })

  test('an entry that no peer wrote is a mismatch too', () => {
    expect(new DemoLedger().check(2, hashes({ ghost: LISBON }))).toEqual([{ peer: 2, key: 'ghost', kind: 'unknown' }])
  })

  test('an unanswered write of a killed peer may be there or not, but no other value may', () => {
    const ledger = new DemoLedger()
    ledger.acknowledge({ peer: 1, key: 'a', value: LISBON, version: [1, 'aa'] })
    ledger.leaveOpen('a', PORTO)
    ledger.leaveOpen('new', PORTO)
    expect(ledger.check(1, hashes({ a: LISBON }))).toEqual([])
    expect(ledger.check(1, hashes({ a: PORTO, new: PORTO }))).toEqual([])
    expect(ledger.check(1, hashes({}))).toEqual([{ peer: 1, key: 'a', kind: 'missing' }])
  })

  test('a key that both sides wrote is one conflict, however often they wrote it', () => {
    const ledger = new DemoLedger()
    ledger.acknowledge({ peer: 1, key: 'before', value: LISBON, version: [1, 'aa'] })
    for (const [hlc, key, side] of [
      [2, 'both', 0],
      [3, 'both', 0],
      [4, 'both', 1],
      [5, 'left', 0],
      [6, 'right', 1],
    ] as const) {
      ledger.acknowledge({ peer: 1, key, value: PORTO, version: [hlc, 'aa'] }, side)
    }
    expect(ledger).toMatchObject({ writes: 6, splitWrites: 5, conflicts: 1, entries: 4 })
  })
})
