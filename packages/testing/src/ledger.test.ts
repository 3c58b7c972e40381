import { expect, test } from 'vitest'
import { Ledger } from './ledger.ts'
import type { LedgerWrite } from './ledger.ts'
import { simulatedCollection } from './simulated-collection.ts'

const NOTES = simulatedCollection('notes', 'map')
const DAY_MS = 86_400_000
const VALUE = Uint8Array.of(1)

class Calendar {
  nowMs = 0
  readonly ledger = new Ledger(Infinity, { graceMs: 14 * DAY_MS, nowMs: () => this.nowMs })

  write(hlc: number, day: number, value: Uint8Array | undefined): LedgerWrite {
    const dot = { hlc, replicaId: 'a', sequence: hlc, removes: false, writeId: hlc, peer: 0 }
    return this.ledger.add({ ...dot, collection: NOTES, key: 'k', value, atMs: day * DAY_MS, expiresAtMs: Infinity })
  }
}

test('a delete may be purged after the grace period, and the deleted entry stays gone', () => {
  const calendar = new Calendar()
  const { ledger } = calendar
  const set = calendar.write(1, 0, VALUE)
  const deleted = calendar.write(2, 1, undefined)
  set.seenAtMs = 0
  deleted.seenAtMs = DAY_MS
  calendar.nowMs = 14 * DAY_MS
  expect(ledger.mayBePurged(NOTES, 'k', set, undefined)).toBe(false)
  calendar.nowMs = 15 * DAY_MS
  expect(ledger.mayBePurged(NOTES, 'k', set, undefined)).toBe(true)
  expect(ledger.mayBePurged(NOTES, 'k', deleted, undefined)).toBe(true)
  expect(ledger.mayBePurged(NOTES, 'k', deleted, set)).toBe(false)
})

test('a write that no durable peer had seen when the delete was purged counts as new', () => {
  const calendar = new Calendar()
  const { ledger } = calendar
  const alone = calendar.write(1, 0, VALUE)
  const deleted = calendar.write(2, 1, undefined)
  calendar.nowMs = 30 * DAY_MS
  deleted.seenAtMs = DAY_MS
  alone.seenAtMs = 5 * DAY_MS
  expect(ledger.mayBePurged(NOTES, 'k', deleted, alone)).toBe(false)
  alone.seenAtMs = 20 * DAY_MS
  expect(ledger.mayBePurged(NOTES, 'k', deleted, alone)).toBe(true)
})

test('a purged delete never excuses the loss of a later write', () => {
  const calendar = new Calendar()
  calendar.write(1, 0, undefined).seenAtMs = 0
  const later = calendar.write(2, 0, VALUE)
  calendar.nowMs = 30 * DAY_MS
  expect(calendar.ledger.mayBePurged(NOTES, 'k', later, undefined)).toBe(false)
})

test('without purging no delete may be forgotten', () => {
  const ledger = new Ledger()
  const dot = { hlc: 1, replicaId: 'a', sequence: 1, removes: false, writeId: 1, peer: 0 }
  const noted = { ...dot, collection: NOTES, key: 'k', value: undefined, atMs: 0, expiresAtMs: Infinity }
  expect(ledger.mayBePurged(NOTES, 'k', ledger.add(noted), undefined)).toBe(false)
})
