import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteWriter } from '../bytes/bytes.ts'
import { GridError } from '../errors.ts'
import { ReplicaIds } from './replica-ids.ts'
import { SeededRandom, mutated } from '../bytes/seeded-random.ts'
import { decodeVector, encodeVector } from './vector-codec.ts'
import { VersionVector } from './version-vector.ts'
import { VECTOR_RANGES_MAX } from '../limits.ts'

const ID = '0123456789abcdef'

const dots = fc.array(
  fc.record({
    id: fc.constantFrom(ID, 'ffffffffffffffff', '00000000000000ff'),
    first: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 0xffffffff })),
    span: fc.nat(5),
  }),
  { maxLength: 30 },
)

function vectorOf(list: readonly { id: string; first: number; span: number }[], ids: ReplicaIds): VersionVector {
  const vector = new VersionVector()
  for (const { id, first, span } of list) vector.addRange(ids.intern(id), first, Math.min(first + span, 0xffffffff))
  return vector
}

function refused(bytes: Uint8Array): void {
  expect(() => decodeVector(bytes, new ReplicaIds())).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
}

/** A vector of one replica id with these numbers behind it. */
function crafted(...numbers: number[]): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(1)
  writer.replicaId(ID)
  for (const number of numbers) writer.varint(number)
  return writer.copy()
}

test('a vector survives the way to a peer that numbers replica ids differently', () => {
  fc.assert(
    fc.property(dots, (list) => {
      const mine = new ReplicaIds()
      const theirs = new ReplicaIds()
      theirs.intern('00000000000000ff')
      const vector = vectorOf(list, mine)
      const bytes = encodeVector(vector, mine)
      const decoded = decodeVector(bytes, theirs)
      expect(decoded.hash(theirs)).toEqual(vector.hash(mine))
      expect(decodeVector(encodeVector(decoded, theirs), mine).missingIn(vector)).toEqual([])
    }),
  )
})

test('a vector cut off at any byte is malformed', () => {
  const ids = new ReplicaIds()
  const list = [
    { id: ID, first: 1, span: 3 },
    { id: ID, first: 300, span: 2 },
    { id: 'ffffffffffffffff', first: 0xfffffff0, span: 4 },
  ]
  const bytes = encodeVector(vectorOf(list, ids), ids)
  for (let end = 0; end < bytes.length; end++) refused(bytes.subarray(0, end))
  refused(Uint8Array.of(...bytes, 0))
})

test('what no honest peer encodes is malformed', () => {
  refused(new Uint8Array(0))
  refused(crafted(0x1_0000_0000, 0))
  refused(crafted(5, 1, 0, 0))
  refused(crafted(5, 1, 1, 0))
  refused(crafted(5, 2, 2, 0, 1, 0))
  refused(crafted(5, 1, 2, 0xffffffff))
  refused(crafted(5, VECTOR_RANGES_MAX + 1))
  const huge = new ByteWriter()
  huge.varint(Number.MAX_SAFE_INTEGER)
  refused(huge.copy())
  const twice = new ByteWriter()
  twice.varint(2)
  for (let i = 0; i < 2; i++) {
    twice.replicaId(ID)
    twice.varint(1)
    twice.varint(0)
  }
  refused(twice.copy())
})

test('more ranges than a vector may have are malformed even when they are all there', () => {
  const writer = new ByteWriter()
  writer.varint(1)
  writer.replicaId(ID)
  writer.varint(0)
  writer.varint(VECTOR_RANGES_MAX + 1)
  for (let i = 0; i <= VECTOR_RANGES_MAX; i++) {
    writer.varint(2)
    writer.varint(0)
  }
  refused(writer.copy())
})

test('20,000 mutated vectors decode to a sound vector or are malformed', () => {
  const random = new SeededRandom(41)
  const ids = new ReplicaIds()
  const list = Array.from({ length: 6 }, (_, i) => ({
    id: i % 2 === 0 ? ID : 'ffffffffffffffff',
    first: 1 + i * 4,
    span: 1,
  }))
  const bytes = encodeVector(vectorOf(list, ids), ids)
  for (let i = 0; i < 20_000; i++) {
    const theirs = new ReplicaIds()
    const input = mutated(bytes, random)
    try {
      const vector = decodeVector(input, theirs)
      expect(decodeVector(encodeVector(vector, theirs), theirs).hash(theirs)).toEqual(vector.hash(theirs))
    } catch (error) {
      expect(error).toBeInstanceOf(GridError)
      expect((error as GridError).code).toBe('MESSAGE_MALFORMED')
    }
  }
})
