import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mainOf } from '../bytes/composite-key.ts'
import { EntryTable } from './entry-table.ts'
import type { Row } from './entry-table.ts'
import { expiring, sweptForm, writtenBy } from './value-header.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'

function rowOf(key: string, hlc: number, value: Uint8Array | undefined, sequence = hlc): Row {
  const bytes = value === undefined ? undefined : Uint8Array.of(9, 9, ...value, 9)
  const end = value === undefined ? 0 : value.length + 2
  return {
    key,
    hlc,
    writer: hlc % 3,
    sequence,
    replaced: hlc % 65_536,
    bytes,
    start: value === undefined ? 0 : 2,
    end,
  }
}

function put(table: EntryTable, row: Row): number {
  return table.put(table.slotOf(row.key), row, table.hashKey(row.key))
}

function emptyRow(): Row {
  return { key: '', hlc: 0, writer: 0, sequence: 0, replaced: 0, bytes: undefined, start: 0, end: 0 }
}

test('a table has the last row of every key, in the first slot of the key', () => {
  const key = fc.constantFrom('a', 'b', '', '__proto__', 'constructor', 'toString', 'ä', '😀', '\0')
  const write = fc.record({ key, value: fc.option(fc.uint8Array({ minLength: 1, maxLength: 90 }), { nil: undefined }) })
  fc.assert(
    fc.property(fc.array(write), (writes) => {
      const table = new EntryTable(1)
      const model = new Map<string, Row & { value: Uint8Array | undefined }>()
      for (const [i, { key: name, value }] of writes.entries()) {
        const row = rowOf(name, i + 1, value)
        put(table, row)
        model.set(name, { ...row, value })
      }
      const live = [...model.values()].filter((row) => row.value !== undefined)
      expect(table.slotCount).toBe(model.size)
      expect(table.liveCount).toBe(live.length)
      expect(table.tombstoneCount).toBe(model.size - live.length)
      expect(table.valueBytes).toBe(live.reduce((sum, row) => sum + row.value!.length, 0))
      expect([...table.slots()].map((slot) => table.key(slot))).toEqual([...model.keys()])
      for (const [name, expected] of model) {
        const slot = table.slotOf(name)!
        const read = emptyRow()
        table.read(slot, read)
        expect(read.bytes?.slice(read.start, read.end)).toEqual(expected.value)
        expect(table.value(slot)).toEqual(expected.value)
        expect(table.deleted(slot)).toBe(expected.value === undefined)
        expect(table.valueLength(slot)).toBe(expected.value?.length ?? 0)
        const { key, hlc, writer, sequence, replaced } = read
        expect({ key, hlc, writer, sequence, replaced }).toEqual({
          key: name,
          hlc: expected.hlc,
          writer: expected.writer,
          sequence: expected.sequence,
          replaced: expected.replaced,
        })
        expect([table.hlc(slot), table.writer(slot), table.sequence(slot), table.replaced(slot)]).toEqual([
          hlc,
          writer,
          sequence,
          replaced,
        ])
        expect(table.keyHash(slot)).toBe(table.hashKey(name))
      }
    }),
    { numRuns: 150 },
  )
})

test('a table keeps its keys through deletes, returns, removals, slots given to others, and compactions', () => {
  const key = fc.constantFrom(
    'a',
    'b',
    'ab',
    '',
    '__proto__',
    'ä',
    'ÿ',
    'Ā',
    '😀',
    '\ud800',
    '\0',
    'a\0b',
    'k'.repeat(1024),
  )
  const step = fc.record({
    key,
    act: fc.constantFrom('set', 'delete', 'expire', 'come expired', 'bury', 'remove', 'compact'),
    length: fc.integer({ min: 1, max: 90_000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new EntryTable(1, true)
      const model = new Map<string, { slot: number; value: Uint8Array | undefined; swept?: boolean }>()
      for (const [i, { key: name, act, length }] of steps.entries()) {
        const stored = model.get(name)
        expect(table.slotOf(name)).toBe(stored?.slot)
        if (act === 'set' || act === 'delete') {
          const value = act === 'set' ? new Uint8Array(length).fill(i) : undefined
          const slot = put(table, rowOf(name, i + 1, value))
          model.set(name, { slot, value })
        } else if (act === 'expire' || act === 'come expired') {
          // A value that expires, swept here; or a delete by a guest, which comes in that form.
          const lasting = expiring(new Uint8Array(length).fill(i), 5)
          const swept = act === 'expire' ? sweptForm(lasting) : writtenBy('s'.repeat(1 + (i % 9)), undefined)
          const row = rowOf(name, i + 1, act === 'expire' ? lasting : swept)
          const slot = put(table, row)
          if (act === 'expire') table.sweep(slot)
          model.set(name, { slot, value: swept, swept: true })
        } else if (stored !== undefined && (act === 'bury' || act === 'remove')) {
          table.bury(stored.slot)
          stored.value = undefined
          stored.swept = false
          if (act === 'remove') {
            expect(table.key(stored.slot)).toBe(name)
            table.remove(stored.slot)
            model.delete(name)
          }
        } else table.compactIfWanted()
      }
      const live = [...model.values()].filter(({ value, swept }) => value !== undefined && swept !== true)
      expect([table.size, table.liveCount]).toEqual([model.size, live.length])
      expect(table.valueBytes).toBe(live.reduce((sum, { value }) => sum + value!.length, 0))
      expect([...table.slots()].map((slot) => table.key(slot)).toSorted()).toEqual([...model.keys()].toSorted())
      for (const [name, { slot, value }] of model) {
        expect(table.slotOf(name)).toBe(slot)
        const sharing = [...model].filter(([other]) => mainOf(other) === mainOf(name)).map(([, each]) => each.slot)
        expect(new Set(table.slotsOf(mainOf(name)))).toEqual(new Set(sharing))
        expect(table.isTombstone(slot)).toBe(value === undefined)
        const row = emptyRow()
        table.read(slot, row)
        expect(row.key).toBe(name)
        const bytes = row.bytes?.subarray(row.start, row.end)
        if (bytes?.length !== value?.length || value?.some((byte, at) => bytes![at] !== byte) === true) {
          throw new Error(`${name} has lost its value`)
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('columns keep their contents when they grow and when values are moved together', () => {
  const table = new EntryTable(1)
  const random = new SeededRandom(2)
  const sizes: number[] = []
  for (let i = 0; i < 70_000; i++)
    put(table, rowOf(`key ${i}`, i + 1, new Uint8Array((sizes[i] = 1 + (i % 40))).fill(i)))
  for (let i = 0; i < 9000; i++) {
    const at = random.below(1000)
    sizes[at] = 1000 + random.below(500)
    put(table, rowOf(`key ${at}`, 100_000 + i, new Uint8Array(sizes[at]).fill(at)))
    table.compactIfWanted()
  }
  for (let i = 0; i < 70_000; i++) {
    const slot = table.slotOf(`key ${i}`)!
    if (slot !== i || table.keyHash(slot) !== table.hashKey(`key ${i}`)) throw new Error(`key ${i} has moved`)
    const value = table.value(slot)!
    if (value.length !== sizes[i] || value.some((byte) => byte !== i % 256))
      throw new Error(`key ${i} has lost its value`)
  }
})

test('an HLC reading of 53 bits and a sequence of 32 bits are kept exactly', () => {
  const table = new EntryTable(1)
  const slot = put(table, rowOf('k', Number.MAX_SAFE_INTEGER, Uint8Array.of(1), 0xffffffff))
  expect([table.hlc(slot), table.sequence(slot)]).toEqual([Number.MAX_SAFE_INTEGER, 0xffffffff])
})

test('the hash of a slot depends on everything that distinguishes two versions', () => {
  const base = rowOf('k', 5_000_000_000, Uint8Array.of(1, 2))
  const variants: Row[] = [
    base,
    { ...base, key: 'l' },
    { ...base, hlc: base.hlc + 1 },
    { ...base, hlc: base.hlc + 2 ** 32 },
    { ...base, sequence: 7 },
    { ...base, bytes: undefined },
    { ...base, bytes: Uint8Array.of(9, 9, 1, 3, 9) },
    { ...base, end: base.end - 1 },
  ]
  const hashes = variants.map((row) => {
    const table = new EntryTable(1)
    const hash = { high: 0, low: 0 }
    table.hashSlot(put(table, row), 11, hash)
    return hash
  })
  const table = new EntryTable(1)
  const other = { high: 0, low: 0 }
  table.hashSlot(put(table, base), 12, other)
  hashes.push(other)
  expect(new Set(hashes.map((hash) => hash.high)).size).toBe(hashes.length)
  expect(new Set(hashes.map((hash) => hash.low)).size).toBe(hashes.length)
})

test('the hash of a slot does not depend on the place of its value or on earlier values', () => {
  const row = rowOf('k', 9, Uint8Array.of(1, 2, 3))
  const fresh = new EntryTable(1)
  const used = new EntryTable(1)
  put(used, rowOf('other', 1, new Uint8Array(500)))
  put(used, rowOf('k', 2, new Uint8Array(70)))
  put(used, rowOf('k', 3, undefined))
  const [a, b] = [
    { high: 0, low: 0 },
    { high: 0, low: 0 },
  ]
  fresh.hashSlot(put(fresh, row), 4, a)
  used.hashSlot(put(used, row), 4, b)
  expect(a).toEqual(b)
})

test('a slot can be given another dot and nothing else changes', () => {
  const table = new EntryTable(1)
  const slot = put(table, rowOf('k', 9, Uint8Array.of(1)))
  table.redot(slot, 8, 77)
  expect([table.writer(slot), table.sequence(slot), table.hlc(slot)]).toEqual([8, 77, 9])
  expect(table.value(slot)).toEqual(Uint8Array.of(1))
})
