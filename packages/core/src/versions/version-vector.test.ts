import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashHex } from '../bytes/hash.ts'
import { ReplicaIds } from './replica-ids.ts'
import { VersionVector } from './version-vector.ts'
import { VECTOR_RANGES_MAX } from '../limits.ts'

const SEQUENCES = 24
const REPLICAS = 3

type Change =
  | { readonly type: 'add'; readonly writer: number; readonly first: number }
  | { readonly type: 'range'; readonly writer: number; readonly first: number; readonly last: number }
  | { readonly type: 'truncate'; readonly writer: number; readonly first: number }

const writer = fc.nat(REPLICAS - 1)
const sequence = fc.integer({ min: 1, max: SEQUENCES })
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('add' as const), writer, first: sequence }) },
  {
    weight: 3,
    arbitrary: fc
      .record({ type: fc.constant('range' as const), writer, first: sequence, last: sequence })
      .map((range) => ({ ...range, last: Math.max(range.first, range.last) })),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('truncate' as const), writer, first: fc.nat(SEQUENCES) }) },
)
const changes = fc.array(change, { maxLength: 40 })

/** The plain set of dots that a vector stands for. */
class Model {
  readonly dots = new Set<string>()

  has(writer: number, sequence: number): boolean {
    return this.dots.has(`${writer} ${sequence}`)
  }

  /** True when any was news. */
  apply(change: Change): boolean {
    const before = this.dots.size
    const last = change.type === 'range' ? change.last : change.first
    if (change.type === 'truncate') {
      let head = 0
      while (head < change.first && this.has(change.writer, head + 1)) head += 1
      for (let i = head + 1; i <= SEQUENCES; i++) this.dots.delete(`${change.writer} ${i}`)
      return false
    }
    for (let i = change.first; i <= last; i++) this.dots.add(`${change.writer} ${i}`)
    return this.dots.size > before
  }
}

function apply(vector: VersionVector, change: Change): boolean {
  if (change.type === 'add') return vector.add(change.writer, change.first)
  if (change.type === 'range') return vector.addRange(change.writer, change.first, change.last)
  vector.truncate(change.writer, change.first)
  return false
}

function built(list: readonly Change[]): { vector: VersionVector; model: Model } {
  const vector = new VersionVector()
  const model = new Model()
  for (const each of list) expect(apply(vector, each)).toBe(model.apply(each))
  return { vector, model }
}

function expectSame(vector: VersionVector, model: Model): void {
  for (let of = 0; of < REPLICAS; of++) {
    let head = 0
    while (model.has(of, head + 1)) head += 1
    let highest = 0
    for (let i = 1; i <= SEQUENCES + 1; i++) {
      expect(vector.has(of, i)).toBe(model.has(of, i))
      if (model.has(of, i)) highest = i
    }
    expect(vector.head(of)).toBe(head)
    expect(vector.highest(of)).toBe(highest)
    let last = head
    const ranges = vector.rangesAbove(of)
    for (let i = 0; i < ranges.length; i += 2) {
      expect(ranges[i]).toBeGreaterThan(last + 1)
      expect(ranges[i + 1]).toBeGreaterThanOrEqual(ranges[i]!)
      last = ranges[i + 1]!
    }
  }
}

function idsOf(count: number): ReplicaIds {
  const ids = new ReplicaIds()
  for (let i = 0; i < count; i++) ids.intern(String(i).padStart(16, '0'))
  return ids
}

test('a vector is the set of dots that were added, and says which were new', () => {
  fc.assert(
    fc.property(changes, (list) => {
      const { vector, model } = built(list)
      expectSame(vector, model)
    }),
    { numRuns: 250 },
  )
})

test('the dots missing in another vector are the difference of the sets, each dot once and in order of its replica id', () => {
  fc.assert(
    fc.property(changes, changes, (mine, theirs) => {
      const a = built(mine)
      const b = built(theirs)
      const missing: string[] = []
      for (const range of a.vector.missingIn(b.vector)) {
        expect(range.last).toBeGreaterThanOrEqual(range.first)
        for (let i = range.first; i <= range.last; i++) missing.push(`${range.writer} ${i}`)
      }
      const expected = [...a.model.dots].filter((dot) => !b.model.dots.has(dot))
      expect(new Set(missing)).toEqual(new Set(expected))
      expect(missing.length).toBe(expected.length)
      for (const id of new Set(missing.map((dot) => dot.split(' ')[0]))) {
        const sequences = missing.filter((dot) => dot.split(' ')[0] === id).map((dot) => Number(dot.split(' ')[1]))
        expect(sequences).toEqual(sequences.toSorted((x, y) => x - y))
      }
      expect(a.vector.countMissingIn(b.vector)).toBe(expected.length)
      expect(b.vector.covers(a.vector)).toBe(expected.length === 0)
    }),
    { numRuns: 250 },
  )
})

test('merging is the union, in either order', () => {
  fc.assert(
    fc.property(changes, changes, (mine, theirs) => {
      const a = built(mine)
      const b = built(theirs)
      const ids = idsOf(REPLICAS)
      const reverse = b.vector.clone()
      reverse.merge(a.vector)
      a.vector.merge(b.vector)
      for (const dot of b.model.dots) a.model.dots.add(dot)
      expectSame(a.vector, a.model)
      expect(reverse.hash(ids)).toEqual(a.vector.hash(ids))
      expect(a.vector.covers(b.vector)).toBe(true)
    }),
    { numRuns: 250 },
  )
})

test('hashes are equal exactly if the sets are, in any order of additions', () => {
  fc.assert(
    fc.property(changes, changes, (mine, theirs) => {
      const ids = idsOf(REPLICAS)
      const a = built(mine)
      const b = built(theirs)
      const same = a.model.dots.size === b.model.dots.size && [...a.model.dots].every((dot) => b.model.dots.has(dot))
      expect(hashHex(a.vector.hash(ids)) === hashHex(b.vector.hash(ids))).toBe(same)
      const shuffled = new VersionVector()
      for (const dot of [...a.model.dots].reverse()) {
        const [of, at] = dot.split(' ').map(Number)
        shuffled.add(of!, at!)
      }
      expect(shuffled.hash(ids)).toEqual(a.vector.hash(ids))
    }),
    { numRuns: 250 },
  )
})

test('the hash does not depend on the order in which replica ids were met', () => {
  const one = new ReplicaIds()
  const other = new ReplicaIds()
  const [a, b] = ['a'.repeat(16), 'b'.repeat(16)]
  const first = new VersionVector()
  first.addRange(one.intern(a!), 1, 5)
  first.addRange(one.intern(b!), 3, 4)
  const second = new VersionVector()
  second.addRange(other.intern(b!), 3, 4)
  second.addRange(other.intern(a!), 1, 5)
  expect(first.hash(one)).toEqual(second.hash(other))
  expect(new VersionVector().hash(one)).toEqual({ high: 0, low: 0 })
})

test('two vectors that share one half of the hash do not share the other', () => {
  const ids = idsOf(1)
  const highs = new Map<number, number>()
  let shared = 0
  for (let i = 0; i < 200_000; i++) {
    const vector = new VersionVector()
    vector.addRange(0, 3 + i, 5 + i * 3)
    const { low, high } = vector.hash(ids)
    if (highs.has(low)) {
      shared += 1
      expect(highs.get(low)).not.toBe(high)
    }
    highs.set(low, high)
  }
  expect(shared).toBeGreaterThan(0)
})

test('a clone goes its own way', () => {
  fc.assert(
    fc.property(changes, changes, (before, after) => {
      const { vector, model } = built(before)
      const copy = vector.clone()
      for (const each of after) apply(copy, each)
      expectSame(vector, model)
    }),
  )
})

test('ranges are bounded: a dot that needs one too many stays unseen, and is accepted once there is room', () => {
  const vector = new VersionVector()
  for (let i = 1; i <= VECTOR_RANGES_MAX; i++) expect(vector.add(0, 2 * i + 1)).toBe(true)
  const beyond = 2 * VECTOR_RANGES_MAX + 3
  expect(vector.add(0, beyond)).toBe(false)
  expect(vector.has(0, beyond)).toBe(false)
  expect(vector.rangesAbove(0).length).toBe(2 * VECTOR_RANGES_MAX)
  expect(vector.add(0, 2 * VECTOR_RANGES_MAX + 2)).toBe(true)
  expect(vector.add(0, 4)).toBe(true)
  expect(vector.add(0, beyond + 2)).toBe(true)
})

test('sequence numbers reach 2^32 - 1', () => {
  const vector = new VersionVector()
  vector.addRange(0, 1, 0xfffffffe)
  expect(vector.add(0, 0xffffffff)).toBe(true)
  expect(vector.head(0)).toBe(0xffffffff)
  expect(vector.countMissingIn(new VersionVector())).toBe(0xffffffff)
})
