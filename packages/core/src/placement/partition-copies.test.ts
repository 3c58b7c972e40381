import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { readCopyGroups } from '../wire/copy-groups.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'
import { Fields } from '../wire/fields.ts'
import { PartitionCopies } from './partition-copies.ts'

const ORIGINS = ['0000000000000001', '0000000000000002']

const collection = fc.constantFrom('users', 'orders', 'carts')
const kind = fc.constantFrom(1, 4)
const shape = fc.constantFrom(16, 64)
const name = fc
  .record({ collection, kind, shape, index: fc.nat(15) })
  .map((each) => ({ collection: each.collection, kind: each.kind, partition: each.shape + each.index }))
const command = fc.record({
  type: fc.constantFrom('begin', 'complete', 'drop'),
  name,
  origin: fc.constantFrom(...ORIGINS),
})

type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

/** The same with plain sets. */
function model(commands: readonly Command[]): { present: Set<string>; whole: Set<string> } {
  const [present, whole] = [new Set<string>(), new Set<string>()]
  const origins = new Map<string, string>()
  for (const { type, name: each, origin } of commands) {
    const key = JSON.stringify(each)
    const group = `${each.collection} ${each.kind} ${each.partition < 64 ? 16 : 64}`
    if (type === 'begin') {
      present.add(key)
      if (![...present].some((other) => other !== key && groupOf(other) === group)) origins.set(group, origin)
    } else if (type === 'complete' && present.has(key)) {
      // A history of another registration takes the place of all that was whole.
      if (origins.get(group) !== origin) for (const other of whole) if (groupOf(other) === group) whole.delete(other)
      origins.set(group, origin)
      whole.add(key)
    } else if (type === 'drop') {
      present.delete(key)
      whole.delete(key)
    }
  }
  return { present, whole: new Set([...whole].map((key) => `${key} ${origins.get(groupOf(key))}`)) }
}

function groupOf(key: string): string {
  const each = JSON.parse(key) as { collection: string; kind: number; partition: number }
  return `${each.collection} ${each.kind} ${each.partition < 64 ? 16 : 64}`
}

function applied(commands: readonly Command[]): PartitionCopies {
  const copies = new PartitionCopies()
  for (const { type, name: each, origin } of commands) {
    if (type === 'begin') copies.begin(each, origin)
    else if (type === 'complete') copies.complete(each, origin)
    else copies.drop(each)
  }
  return copies
}

function read(groups: readonly CopyGroup[]): CopyGroup[] {
  return readCopyGroups(new Fields(decodeValue(encodeValue({ groups }, 1 << 20)), 'test'), 'groups')
}

describe('the copies of a peer', () => {
  it('are those that were begun and not dropped, whole where that was said of the same registration', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), fc.array(name, { maxLength: 10 }), (commands, others) => {
        const copies = applied(commands)
        const { present, whole } = model(commands)
        for (const each of [...commands.map((one) => one.name), ...others]) {
          const key = JSON.stringify(each)
          expect(copies.has(each)).toBe(present.has(key))
          for (const origin of ORIGINS) expect(copies.isWhole(each, origin)).toBe(whole.has(`${key} ${origin}`))
        }
      }),
    )
  })

  it('survive the way to another peer, collections with the same copies in one group', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const copies = applied(commands)
        const groups = read(copies.groups())
        const there = PartitionCopies.of(groups)
        for (const { name: each } of commands) {
          expect(there.has(each)).toBe(copies.has(each))
          for (const origin of ORIGINS) expect(there.isWhole(each, origin)).toBe(copies.isWhole(each, origin))
        }
        expect(there.groups()).toEqual(groups)
        const bitmaps = groups.map(
          ({ partitions, present, whole }) => `${partitions} ${present.join()} ${whole.join()}`,
        )
        expect(new Set(bitmaps).size).toBe(bitmaps.length)
      }),
    )
  })

  it('are refused from a peer that says what cannot be', () => {
    const good: CopyGroup = {
      partitions: 16,
      present: new Uint8Array(2),
      whole: new Uint8Array(2),
      collections: [{ name: 'users', kind: 1, origin: ORIGINS[0]! }],
    }
    expect(read([good])).toEqual([good])
    const many = Array.from({ length: 300 }, (_, i) => ({ ...good.collections[0]!, name: `c${i}` }))
    const wrong: unknown[][] = [
      [{ ...good, partitions: 17 }],
      [{ ...good, partitions: 8 }],
      [{ ...good, partitions: 8192, present: new Uint8Array(1024), whole: new Uint8Array(1024) }],
      [{ ...good, present: new Uint8Array(3) }],
      [{ ...good, whole: new Uint8Array(1) }],
      [{ ...good, collections: [{ name: 'users', kind: 1, origin: 'x' }] }],
      [
        { ...good, collections: many },
        { ...good, collections: many },
      ],
      ['x'],
    ]
    for (const groups of wrong) {
      expect(() => read(groups as CopyGroup[])).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
    }
  })

  it('are not whole where they are not present, whatever the other peer says', () => {
    const present = Uint8Array.of(0b01, 0)
    const all = Uint8Array.of(0xff, 0xff)
    const collections = [{ name: 'users', kind: 1, origin: ORIGINS[0]! }]
    const copies = PartitionCopies.of([{ partitions: 16, present, whole: all, collections }])
    expect(copies.isWhole({ collection: 'users', kind: 1, partition: 16 }, ORIGINS[0]!)).toBe(true)
    expect(copies.isWhole({ collection: 'users', kind: 1, partition: 17 }, ORIGINS[0]!)).toBe(false)
  })
})
