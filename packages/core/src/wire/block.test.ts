import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BlockWriter, readBlock } from './block.ts'
import type { BlockRecord, PartitionName } from './block.ts'
import { ByteWriter } from '../bytes/bytes.ts'
import { encodeValue } from '../bytes/cbor.ts'
import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import { HLC_MAX } from '../clock/hlc.ts'
import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from '../limits.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { SeededRandom, mutated } from '../bytes/seeded-random.ts'

const ID_A = '00000000000000aa'
const ID_B = 'bbbbbbbbbbbbbbbb'
const users: PartitionName = { collection: 'users', kind: 1, partition: 0 }
const odd: PartitionName = { collection: 'ünïcode 😀', kind: 200, partition: 4095 }

function rowOf(key: string, writer: number, sequence: number, hlc: number, value: unknown): Row {
  const bytes = value === undefined ? undefined : Uint8Array.of(0xff, ...encodeValue(value, VALUE_MAX_BYTES), 0xff)
  const start = bytes === undefined ? 0 : 1
  return { key, hlc, writer, sequence, replaced: sequence & 0xffff, bytes, start, end: (bytes?.length ?? 1) - 1 }
}

function plain(record: BlockRecord, ids: ReplicaIds): unknown[] {
  const { partition, replicaId } = record
  if (record.type === 'superseded') return [{ partition, replicaId, ranges: [...record.ranges] }]
  return record.rows.map((row) => {
    expect(ids.id(row.writer)).toBe(replicaId)
    return plainRow(partition, row, ids)
  })
}

function plainRow(partition: PartitionName, row: Row, ids: ReplicaIds): unknown {
  const { key, hlc, sequence, replaced } = row
  const value = row.bytes === undefined ? undefined : [...row.bytes.subarray(row.start, row.end)]
  return { partition, replicaId: ids.id(row.writer), key, hlc, sequence, replaced, value }
}

function refused(bytes: Uint8Array): void {
  expect(() => readBlock(bytes, new ReplicaIds())).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
}

/** The beginning of a record, as honest writers write it. */
function header(type: number, partition: PartitionName = users): ByteWriter {
  const writer = new ByteWriter()
  writer.byte(type)
  writer.text(partition.collection)
  writer.byte(partition.kind)
  writer.varint(partition.partition)
  writer.replicaId(ID_A)
  return writer
}

interface RowSpec {
  step?: number
  hlc?: number
  key?: string
  value?: readonly number[]
  length?: number
}

function rows(first: { count?: number; sequence?: number; hlc?: number }, specs: readonly RowSpec[]): Uint8Array {
  const writer = header(1)
  writer.varint(first.count ?? specs.length)
  writer.varint(first.sequence ?? 1)
  writer.varint(first.hlc ?? 1000)
  for (const [i, spec] of specs.entries()) {
    writer.varint(spec.step ?? (i === 0 ? 0 : 1))
    writer.signedVarint(spec.hlc ?? 0)
    writer.uint16(0)
    writer.text(spec.key ?? 'k')
    const value = spec.value ?? [0x01]
    writer.varint(spec.length ?? value.length + 1)
    writer.raw(Uint8Array.from(value))
  }
  return writer.copy()
}

const key = fc.oneof(
  fc.string({ minLength: 1 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  fc.constantFrom('__proto__', 'constructor', 'x'.repeat(KEY_MAX_BYTES), 'ä'.repeat(KEY_MAX_BYTES / 2), '\0'),
)
const item = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      partition: fc.constantFrom(users, odd),
      writer: fc.nat(1),
      key,
      sequence: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 0xffffffff })),
      hlc: fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: 2 ** 52 })),
      value: fc.option(fc.oneof(fc.string(), fc.integer(), fc.uint8Array({ maxLength: 100 })), { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      partition: fc.constantFrom(users, odd),
      writer: fc.nat(1),
      gaps: fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.nat(1000)), { maxLength: 10 }),
    }),
  },
)

test('rows and superseded dots survive the way to a peer that numbers replica ids differently', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      const mine = new ReplicaIds()
      for (const id of [ID_A, ID_B]) mine.intern(id)
      const theirs = new ReplicaIds()
      theirs.intern(ID_B)
      const writer = new BlockWriter(mine)
      const expected: unknown[] = []
      let rowCount = 0
      for (const each of items) {
        if ('gaps' in each) {
          let last = 0
          const ranges = each.gaps.flatMap(([gap, length]) => [last + gap, (last = last + gap + length)])
          writer.superseded(each.partition, each.writer, ranges)
          expected.push({ partition: each.partition, replicaId: mine.id(each.writer), ranges })
          continue
        }
        const row = rowOf(each.key, each.writer, each.sequence, each.hlc, each.value)
        writer.row(each.partition, row)
        rowCount += 1
        expected.push(plainRow(each.partition, row, mine))
      }
      expect(writer.rowCount).toBe(rowCount)
      const bytes = writer.take()
      expect(writer.rowCount).toBe(0)
      expect(writer.length).toBe(0)
      expect(readBlock(bytes, theirs).flatMap((record) => plain(record, theirs))).toEqual(expected)
    }),
    { numRuns: 300 },
  )
})

test('ascending rows of one replica id share a record, and blocks can be put one after the other', () => {
  const ids = new ReplicaIds()
  ids.intern(ID_A)
  const writer = new BlockWriter(ids)
  for (let i = 1; i <= 100; i++) writer.row(users, rowOf(`key ${i}`, 0, i * 3, 5000 + i, i))
  const first = writer.take()
  expect(readBlock(first, ids).length).toBe(1)
  expect(first.length).toBeLessThan(100 * 15)
  writer.row(users, rowOf('k', 0, 1, 1, 1))
  writer.block(first)
  writer.row(users, rowOf('k', 0, 2, 1, 1))
  const records = readBlock(writer.take(), ids)
  expect(records.map((record) => (record.type === 'rows' ? record.rows.length : 0))).toEqual([1, 100, 1])
})

test('a descending sequence opens another record', () => {
  const ids = new ReplicaIds()
  ids.intern(ID_A)
  const writer = new BlockWriter(ids)
  for (const sequence of [5, 4, 4, 6]) writer.row(users, rowOf('k', 0, sequence, 10, 1))
  const records = readBlock(writer.take(), ids)
  expect(records.map((record) => record.type === 'rows' && record.rows.map((row) => row.sequence))).toEqual([
    [5],
    [4],
    [4, 6],
  ])
})

test('an empty block is a block', () => {
  expect(readBlock(new Uint8Array(0), new ReplicaIds())).toEqual([])
})

test('a block cut off at any byte is malformed, but where a record ends', () => {
  const ids = new ReplicaIds()
  ids.intern(ID_A)
  const writer = new BlockWriter(ids)
  const ends = new Set([0])
  const parts: Uint8Array[] = []
  writer.row(users, rowOf('first', 0, 1, 900, 'one'))
  writer.row(users, rowOf('second ä', 0, 300, 1000, undefined))
  parts.push(writer.take())
  writer.superseded(odd, 0, [2, 2, 5, 400])
  parts.push(writer.take())
  writer.row(odd, rowOf('x'.repeat(200), 0, 7, 900, { a: [1, 2, 3] }))
  parts.push(writer.take())
  for (const part of parts) {
    writer.block(part)
    ends.add(writer.length)
  }
  const bytes = writer.take()
  for (let end = 0; end < bytes.length; end++) {
    if (ends.has(end)) readBlock(bytes.subarray(0, end), new ReplicaIds())
    else refused(bytes.subarray(0, end))
  }
})

test('rows that no honest peer writes are malformed', () => {
  expect(readBlock(rows({}, [{}, {}]), new ReplicaIds()).length).toBe(1)
  refused(rows({ sequence: 0 }, [{}]))
  refused(rows({ sequence: 0x1_0000_0000 }, [{}]))
  refused(rows({ sequence: 0xffffffff }, [{}, {}]))
  refused(rows({}, []))
  refused(rows({}, [{ step: 1 }]))
  refused(rows({}, [{}, { step: 0 }]))
  refused(rows({}, [{ hlc: -1001 }]))
  refused(rows({ hlc: HLC_MAX }, [{ hlc: 1 }]))
  refused(rows({}, [{ key: '' }]))
  refused(rows({}, [{ key: 'x'.repeat(KEY_MAX_BYTES + 1) }]))
  refused(rows({}, [{ key: `${'ä'.repeat(KEY_MAX_BYTES / 2)}x` }]))
  refused(rows({}, [{ value: [] }]))
  refused(rows({}, [{ value: [0x01, 0x01] }]))
  refused(rows({}, [{ value: [0x19, 0x01] }]))
  refused(rows({}, [{ value: [0xc2, 0x41, 0x01] }]))
  refused(rows({}, [{ value: [0x5f, 0xff] }]))
  refused(rows({}, [{ value: [0xf7] }]))
  refused(rows({}, [{ length: VALUE_MAX_BYTES + 2 }]))
  refused(rows({}, [{ length: Number.MAX_SAFE_INTEGER }]))
})

test('a value of the largest size passes and one byte more does not', () => {
  const text = (length: number): number[] => [0x7a, 0, (length >> 16) & 255, (length >> 8) & 255, length & 255]
  const largest = [...text(VALUE_MAX_BYTES - 5), ...new Uint8Array(VALUE_MAX_BYTES - 5)]
  expect(readBlock(rows({}, [{ value: largest }]), new ReplicaIds()).length).toBe(1)
  refused(rows({}, [{ value: [...text(VALUE_MAX_BYTES - 4), ...new Uint8Array(VALUE_MAX_BYTES - 4)] }]))
})

test('partitions, superseded dots and types that no honest peer writes are malformed', () => {
  const superseded = (...numbers: number[]): Uint8Array => {
    const writer = header(2)
    for (const number of numbers) writer.varint(number)
    return writer.copy()
  }
  expect(readBlock(superseded(1, 1, 0), new ReplicaIds()).length).toBe(1)
  refused(superseded(1, 0, 3))
  refused(superseded(2, 1, 0, 0, 0))
  refused(superseded(1, 1, 0xffffffff))
  refused(superseded(1, 0x1_0000_0000, 0))
  refused(header(3).copy())
  refused(header(0).copy())
  for (const name of [
    { collection: '', kind: 1, partition: 0 },
    { collection: 'x'.repeat(129), kind: 1, partition: 0 },
    { collection: 'x', kind: 1, partition: 8192 },
  ]) {
    const writer = header(2, name)
    writer.varint(0)
    refused(writer.copy())
  }
})

test('a count of things that are not there is refused before anything is made for them', () => {
  for (const type of [1, 2]) {
    for (const count of [1000, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      const writer = header(type)
      writer.varint(count)
      writer.raw(new Uint8Array(40).fill(1))
      refused(writer.copy())
    }
  }
})

test('20,000 mutated blocks decode or are malformed, and nothing else', () => {
  const ids = new ReplicaIds()
  for (const id of [ID_A, ID_B]) ids.intern(id)
  const writer = new BlockWriter(ids)
  for (let i = 1; i < 6; i++)
    writer.row(users, rowOf(`key ${i}`, 0, i * 2, 10_000 + i * 7, { i, text: 'äöü', at: [i] }))
  writer.superseded(users, 0, [1, 1, 3, 3, 5, 90])
  writer.row(odd, rowOf('__proto__', 1, 0xffffffff, HLC_MAX, undefined))
  const bytes = writer.take()
  const random = new SeededRandom(20)
  let sound = 0
  for (let i = 0; i < 20_000; i++) {
    try {
      readBlock(mutated(bytes, random), new ReplicaIds())
      sound += 1
    } catch (error) {
      if (error instanceof GridError && error.code === 'MESSAGE_MALFORMED') continue
      throw error
    }
  }
  expect(sound).toBeGreaterThan(100)
  expect(sound).toBeLessThan(19_000)
})

test('the key __proto__ is a key like any other', () => {
  const ids = new ReplicaIds()
  ids.intern(ID_A)
  const writer = new BlockWriter(ids)
  writer.row(users, rowOf('__proto__', 0, 1, 1, { a: 1 }))
  const [record] = readBlock(writer.take(), ids)
  expect(record?.type === 'rows' && record.rows[0]?.key).toBe('__proto__')
})
