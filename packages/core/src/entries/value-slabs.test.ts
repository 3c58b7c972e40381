import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeededRandom } from '../bytes/seeded-random.ts'
import { ValueSlabs } from './value-slabs.ts'

const MEBIBYTE = 1024 * 1024
/** A flag beside the length, which is 0 for a deleted entry. */
const MARK = 0x80000000
const DELETED = MARK

/** Slabs with the columns an entry table keeps, and what every slot should hold. */
class Columns {
  readonly slabs = new ValueSlabs()
  readonly addresses: Uint32Array
  readonly lengths: Uint32Array
  readonly fills: Int16Array
  #random = new SeededRandom(3)

  constructor(slots: number) {
    this.addresses = new Uint32Array(slots)
    this.lengths = new Uint32Array(slots).fill(DELETED)
    this.fills = new Int16Array(slots).fill(-1)
  }

  set(slot: number, length: number): void {
    this.delete(slot)
    const fill = this.#random.below(256)
    this.addresses[slot] = this.slabs.store(new Uint8Array(length + 2).fill(fill), 1, length + 1)
    this.lengths[slot] = slot % 3 === 0 ? MARK + length : length
    this.fills[slot] = fill
  }

  delete(slot: number): void {
    if (this.lengths[slot] !== DELETED) this.slabs.release(this.addresses[slot]!, this.lengths[slot]! % MARK)
    this.lengths[slot] = DELETED
  }

  compact(): void {
    this.slabs.compact(this.addresses, this.lengths, this.lengths.length, MARK - 1)
  }
}

/** Looks at the edges and at every 61st byte in between: looking at all takes too long. */
function filled(view: Uint8Array, fill: number): boolean {
  for (let i = 0; i < view.length; i += 61) if (view[i] !== fill) return false
  return view.at(-1) === fill
}

function expectTrue({ slabs, addresses, lengths, fills }: Columns): void {
  let live = 0
  for (let slot = 0; slot < lengths.length; slot++) {
    const length = lengths[slot]! % MARK
    if (length === 0) continue
    live += length
    const view = slabs.view(addresses[slot]!, length)
    if (view.length !== length || !filled(view, fills[slot]!)) throw new Error(`slot ${slot} has lost its value`)
  }
  expect(slabs.liveBytes).toBe(live)
  expect(slabs.totalBytes).toBeGreaterThanOrEqual(live)
}

test('values are found again after any history of stores, releases and compactions', () => {
  const step = fc.record({
    slot: fc.nat(19),
    length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 70_000 }), fc.constant(300_000)),
    after: fc.constantFrom('keep', 'keep', 'delete', 'compact'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const columns = new Columns(20)
      for (const { slot, length, after } of steps) {
        columns.set(slot, length)
        if (after === 'delete') columns.delete((slot + 7) % 20)
        if (after === 'compact') columns.compact()
      }
      expectTrue(columns)
      columns.compact()
      expectTrue(columns)
    }),
    { numRuns: 40 },
  )
})

test('rewriting the same keys for ever does not make the slabs grow', () => {
  const columns = new Columns(100)
  let largest = 0
  for (let i = 0; i < 20_000; i++) {
    columns.set(i % 100, 8000)
    if (columns.slabs.wantsCompaction) columns.compact()
    largest = Math.max(largest, columns.slabs.totalBytes)
  }
  expectTrue(columns)
  expect(largest).toBeLessThan(8 * MEBIBYTE)
})

test('a view that was handed out stays true when its value is replaced and the slabs compact', () => {
  const columns = new Columns(600)
  for (let slot = 0; slot < 600; slot++) columns.set(slot, 20_000)
  const views = Array.from({ length: 600 }, (_, slot) => columns.slabs.view(columns.addresses[slot]!, 20_000))
  const fills = columns.fills.slice()
  for (let round = 0; round < 3; round++) {
    for (let slot = 0; slot < 600; slot++) if (slot % 5 > 0) columns.set(slot, 19_000)
    columns.compact()
    expectTrue(columns)
  }
  for (const [slot, view] of views.entries()) expect(filled(view, fills[slot]!)).toBe(true)
})

test('compaction gives back the slabs that are dead', () => {
  const columns = new Columns(100)
  for (let slot = 0; slot < 100; slot++) columns.set(slot, 200_000)
  for (let slot = 0; slot < 100; slot++) if (slot % 10 > 0) columns.delete(slot)
  expect(columns.slabs.wantsCompaction).toBe(true)
  columns.compact()
  expectTrue(columns)
  expect(columns.slabs.totalBytes).toBeLessThan(5 * MEBIBYTE)
  expect(columns.slabs.wantsCompaction).toBe(false)
})

test('one compaction moves a bounded amount, and the next ones the rest', () => {
  const columns = new Columns(1200)
  for (let slot = 0; slot < 1200; slot++) columns.set(slot, 50_000)
  for (let slot = 0; slot < 1200; slot++) if (slot % 5 > 1) columns.delete(slot)
  const before = columns.slabs.totalBytes
  const live = columns.slabs.liveBytes
  columns.compact()
  expectTrue(columns)
  expect(columns.slabs.totalBytes).toBeGreaterThan(live + 20 * MEBIBYTE)
  expect(columns.slabs.totalBytes).toBeLessThan(before)
  for (let i = 0; i < 5; i++) columns.compact()
  expectTrue(columns)
  expect(columns.slabs.totalBytes).toBeLessThan(live + 3 * MEBIBYTE)
})

test('a value larger than a slab gets one of its own', () => {
  const columns = new Columns(3)
  columns.set(0, 10)
  columns.set(1, 3 * MEBIBYTE)
  columns.set(2, 10)
  expectTrue(columns)
})

test('few small values take little room', () => {
  const columns = new Columns(3)
  for (let slot = 0; slot < 3; slot++) columns.set(slot, 10)
  expect(columns.slabs.totalBytes).toBeLessThanOrEqual(64 * 1024)
})

test('a few values that are rewritten for ever stay small', () => {
  const columns = new Columns(50)
  let largest = 0
  for (let i = 0; i < 50_000; i++) {
    columns.set(i % 50, 1000)
    if (columns.slabs.wantsCompaction) columns.compact()
    largest = Math.max(largest, columns.slabs.totalBytes)
  }
  expectTrue(columns)
  expect(largest).toBeLessThan(MEBIBYTE)
})
