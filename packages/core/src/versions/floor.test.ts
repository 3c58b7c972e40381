import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Floor } from './floor.ts'
import { ReplicaIds } from './replica-ids.ts'
import { VersionVector } from './version-vector.ts'
import { decodeForeignVector, encodeVector, readVector } from './vector-codec.ts'

const IDS = ['00000000000000aa', '7fffffffffffffff', '8000000000000000', 'ffffffffffffffff']

/** Dots of four replica ids. */
const dots = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 30 })), { maxLength: 60 })

function vectorOf(ids: ReplicaIds, seen: readonly (readonly [number, number])[]): VersionVector {
  const vector = new VersionVector()
  for (const [id, sequence] of seen) vector.add(ids.intern(IDS[id]!), sequence)
  return vector
}

function floorOf(ids: ReplicaIds, seen: readonly (readonly [number, number])[], dateMs = 5): Floor {
  return Floor.empty(ids).with(readVector(encodeVector(vectorOf(ids, seen), ids)), dateMs)
}

function numbered(): ReplicaIds {
  const ids = new ReplicaIds()
  for (const id of IDS) ids.intern(id)
  return ids
}

test('a floor is the set of dots it was made from, and the union of two is their union', () => {
  fc.assert(
    fc.property(dots, dots, (one, other) => {
      const ids = numbered()
      const both = floorOf(ids, one, 3).with(floorOf(ids, other).entries(), 7)
      const expected = floorOf(ids, [...one, ...other], 7)
      for (let id = 0; id < 4; id++) {
        for (let sequence = 1; sequence <= 31; sequence++) {
          const inside = [...one, ...other].some(([a, b]) => a === id && b === sequence)
          expect(both.has(id, sequence)).toBe(inside)
        }
      }
      expect(both.hash).toBe(expected.isEmpty ? '' : expected.hash)
      expect(both.includes(floorOf(ids, one))).toBe(true)
      expect(floorOf(ids, one).includes(both)).toBe(floorOf(ids, one, 7).hash === both.hash)
      const read = Floor.decode(both.encode(), numbered())
      expect([read.hash, read.dateMs, [...read.entries()]]).toEqual([both.hash, both.dateMs, [...both.entries()]])
    }),
    { numRuns: 300 },
  )
})

test('a vector on a floor has seen its own dots and those below the floor, and keeps only replica ids above it', () => {
  fc.assert(
    fc.property(dots, dots, dots, (before, below, after) => {
      const ids = numbered()
      const vector = vectorOf(ids, [...before, ...below])
      const floor = floorOf(ids, below)
      expect(vector.reaches(floor, (id) => ids.indexOf(id))).toBe(true)
      vector.raiseTo(floor)
      const news = after.map(([id, sequence]) => vector.add(id, sequence))
      const plain = vectorOf(ids, [...before, ...below])
      expect(news).toEqual(after.map(([id, sequence]) => plain.add(id, sequence)))
      for (let id = 0; id < 4; id++) {
        for (let sequence = 1; sequence <= 31; sequence++)
          expect(vector.has(id, sequence)).toBe(plain.has(id, sequence))
        expect([vector.head(id), vector.highest(id)]).toEqual([plain.head(id), plain.highest(id)])
        const above = [...before, ...after].some(([a, b]) => a === id && !floor.has(a, b))
        expect(vector.isRetired(id)).toBe(!above)
      }
      // Decoded against the same floor, it is the same vector. Without a floor it lacks retired replica ids.
      const reported = decodeForeignVector(encodeVector(vector, ids), ids)
      reported.setFloor(floor)
      expect(reported.missingIn(vector)).toEqual([])
      expect(vector.missingIn(reported)).toEqual([])
      expect(reported.hash(ids)).toEqual(vector.hash(ids))
    }),
    { numRuns: 300 },
  )
})

test('a floor is reached exactly by vectors that have seen all of it', () => {
  fc.assert(
    fc.property(dots, dots, dots, (seen, other, below) => {
      const ids = numbered()
      const vector = vectorOf(ids, seen)
      const floor = floorOf(ids, below)
      const all = below.every(([id, sequence]) => vector.has(id, sequence))
      expect(vector.reaches(floor, (id) => ids.indexOf(id))).toBe(all)
      const standing = vectorOf(ids, seen)
      const own = floorOf(ids, other)
      standing.setFloor(own)
      const known = below.every(([id, sequence]) => standing.has(id, sequence))
      if (seen.length === 0) expect(standing.reaches(floor, (id) => ids.indexOf(id))).toBe(known)
      // As strangers too.
      const strangers = decodeForeignVector(encodeVector(vector, ids), new ReplicaIds())
      expect(strangers.reaches(floor, () => undefined)).toBe(all)
    }),
    { numRuns: 300 },
  )
})

test('a floor that is cut or changed at any byte is malformed', () => {
  const ids = numbered()
  const bytes = floorOf(ids, [
    [0, 1],
    [0, 2],
    [0, 9],
    [2, 1],
    [3, 4],
  ]).encode()
  for (let end = 0; end < bytes.length; end++) {
    expect(() => Floor.decode(bytes.subarray(0, end), ids)).toThrow(
      expect.objectContaining({ code: 'MESSAGE_MALFORMED' }),
    )
  }
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const changed = bytes.slice()
      changed[at] = value
      try {
        const floor = Floor.decode(changed, ids)
        expect(Floor.decode(floor.encode(), ids).hash).toBe(floor.hash)
      } catch (error) {
        expect(error).toMatchObject({ code: 'MESSAGE_MALFORMED' })
      }
    }),
    { numRuns: 2000 },
  )
})
