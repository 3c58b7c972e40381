import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader, ByteWriter } from './bytes.ts'
import { GridError } from '../errors.ts'

type Item =
  | { readonly type: 'byte' | 'varint' | 'signedVarint' | 'uint16' | 'uint32'; readonly value: number }
  | { readonly type: 'text' | 'replicaId'; readonly value: string }
  | { readonly type: 'raw'; readonly value: Uint8Array }

const MAX = Number.MAX_SAFE_INTEGER
const powers = Array.from({ length: 53 }, (_, i) => 2 ** i).flatMap((power) => [power - 1, power, power + 1])
const unsigned = fc.oneof(fc.maxSafeNat(), fc.constantFrom(...powers.filter((value) => value <= MAX), MAX))
const signed = fc.oneof(fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }), fc.integer({ min: -200, max: 200 }))
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'grapheme', minLength: 100, maxLength: 400 }),
  fc.constantFrom('', '\0', '\ufeffbom', 'ä', 'x'.repeat(127), 'x'.repeat(128), 'é'.repeat(127), '😀'.repeat(50)),
)
const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ type: fc.constant('byte' as const), value: fc.nat(255) }),
  fc.record({ type: fc.constant('varint' as const), value: unsigned }),
  fc.record({ type: fc.constant('signedVarint' as const), value: signed }),
  fc.record({ type: fc.constant('uint16' as const), value: fc.nat(0xffff) }),
  fc.record({ type: fc.constant('uint32' as const), value: fc.nat(0xffffffff) }),
  fc.record({ type: fc.constant('text' as const), value: text }),
  fc.record({ type: fc.constant('replicaId' as const), value: fc.stringMatching(/^[0-9a-f]{16}$/) }),
  fc.record({ type: fc.constant('raw' as const), value: fc.uint8Array({ maxLength: 200 }) }),
)

function write(items: readonly Item[], writer: ByteWriter): Uint8Array {
  for (const { type, value } of items) (writer[type] as (value: unknown) => void)(value)
  return writer.copy()
}

function read(reader: ByteReader, item: Item): unknown {
  if (item.type === 'text') return reader.text(10_000)
  if (item.type !== 'raw') return reader[item.type]()
  const start = reader.skip(item.value.length)
  return reader.bytes.slice(start, start + item.value.length)
}

function malformed(work: () => unknown): void {
  expect(work).toThrow(expect.objectContaining({ name: 'GridError', code: 'MESSAGE_MALFORMED' }))
}

test('everything written is read back, from a buffer that had to grow', () => {
  fc.assert(
    fc.property(fc.array(item), (items) => {
      const bytes = write(items, new ByteWriter(1))
      const reader = new ByteReader(bytes)
      for (const each of items) expect(read(reader, each)).toEqual(each.value)
      expect(reader.remaining).toBe(0)
    }),
  )
})

test('bytes cut off anywhere are malformed, not misread', () => {
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 6 }), (items) => {
      const bytes = write(items, new ByteWriter())
      for (let end = 0; end < bytes.length; end++) {
        const reader = new ByteReader(bytes, 0, end)
        malformed(() => {
          for (const each of items) read(reader, each)
        })
      }
    }),
    { numRuns: 50 },
  )
})

test('varints are exact up to 2^53 - 1 and as short as they can be', () => {
  const writer = new ByteWriter()
  for (const value of [...powers.filter((power) => power <= MAX), MAX]) {
    writer.clear()
    writer.varint(value)
    expect(writer.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)))
    expect(new ByteReader(writer.copy()).varint()).toBe(value)
  }
})

test('a varint that is too long or too large is malformed', () => {
  malformed(() => new ByteReader(Uint8Array.from({ length: 100 }, () => 0x80)).varint())
  malformed(() => new ByteReader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00)).varint())
  malformed(() => new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10)).varint())
  malformed(() => new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)).varint())
  expect(new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)).varint()).toBe(MAX)
})

test('text that is not UTF-8 is malformed, short or long', () => {
  const bad = [[0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xff], [0xc3], [0xf4, 0x90, 0x80, 0x80]]
  for (const bytes of bad) {
    malformed(() => new ByteReader(Uint8Array.of(bytes.length, ...bytes)).text(100))
    const long = [...Array.from({ length: 50 }, () => 0x61), ...bytes]
    malformed(() => new ByteReader(Uint8Array.of(long.length, ...long)).text(100))
  }
})

test('text longer than allowed is malformed before it is decoded', () => {
  const writer = new ByteWriter()
  writer.text('ä'.repeat(100))
  expect(new ByteReader(writer.copy()).text(200)).toBe('ä'.repeat(100))
  malformed(() => new ByteReader(writer.copy()).text(199))
})

test('a count is refused if too few bytes follow for what it counts', () => {
  expect(new ByteReader(Uint8Array.of(2, 0, 0, 0, 0)).count(2)).toBe(2)
  malformed(() => new ByteReader(Uint8Array.of(2, 0, 0, 0)).count(2))
  malformed(() => new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)).count(1))
})

test('a reader of a part sees nothing beyond it', () => {
  const bytes = Uint8Array.of(9, 1, 2, 3, 9)
  const reader = new ByteReader(bytes.subarray(1), 0, 3)
  expect([reader.byte(), reader.uint16()]).toEqual([1, 0x0203])
  malformed(() => reader.byte())
  malformed(() => new ByteReader(bytes, 4, 5).uint16())
})

test('random bytes never cause anything but MESSAGE_MALFORMED', () => {
  const methods = ['byte', 'varint', 'signedVarint', 'uint16', 'uint32', 'replicaId'] as const
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.nat(7)), (bytes, calls) => {
      const reader = new ByteReader(bytes)
      try {
        for (const call of calls) {
          if (call < methods.length) reader[methods[call]!]()
          else if (call === 6) reader.text(20)
          else reader.count(3)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(GridError)
        expect((error as GridError).code).toBe('MESSAGE_MALFORMED')
      }
      expect(reader.position).toBeLessThanOrEqual(bytes.length)
    }),
  )
})

test('what a writer gave out as a copy stays true when the writer goes on', () => {
  const writer = new ByteWriter(4)
  writer.uint32(1)
  const copy = writer.copy()
  writer.clear()
  writer.uint32(2)
  expect([...copy]).toEqual([0, 0, 0, 1])
  expect([...writer.take()]).toEqual([0, 0, 0, 2])
})
