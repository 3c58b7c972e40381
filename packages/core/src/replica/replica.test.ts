import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Row } from '../entries/entry-table.ts'
import { encodeValue } from '../bytes/cbor.ts'
import { addHash, hashHex } from '../bytes/hash.ts'
import { subjectOf, writtenBy } from '../entries/value-header.ts'
import { Floor } from '../versions/floor.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { Replica } from './replica.ts'

const SEED = 99
const IDS = ['00000000000000aa', 'ffffffffffffffff', '7777777777777777']

/** A row as it would travel: with the replica id itself, since every peer numbers ids in its own way. */
interface Sent extends Omit<Row, 'writer' | 'start' | 'end'> {
  readonly id: string
}

class Copy {
  readonly ids = new ReplicaIds()
  readonly replica: Replica

  constructor(order: readonly string[] = IDS) {
    for (const id of order) this.ids.intern(id)
    this.replica = new Replica(this.ids, SEED)
  }

  row(sent: Sent): Row {
    const { id, bytes, ...rest } = sent
    const padded = bytes === undefined ? undefined : Uint8Array.of(0, ...bytes)
    return { ...rest, writer: this.ids.intern(id), bytes: padded, start: 1, end: padded?.length ?? 1 }
  }

  merge(sent: readonly Sent[]): this {
    for (const each of sent) this.replica.merge(this.row(each))
    return this
  }

  /** The rows that this copy would send for all of its entries. */
  sent(rows: readonly Row[] = this.replica.deltaSince(new Replica(this.ids, SEED).vector)): Sent[] {
    return rows.map(({ key, hlc, sequence, replaced, writer, bytes, start, end }) => {
      return { key, hlc, sequence, replaced, id: this.ids.id(writer), bytes: bytes?.slice(start, end) }
    })
  }

  /** All that must be equal on two peers, in a form that does not depend on slots, slabs or numbers of ids. */
  state(): unknown {
    const { table, fingerprint, vector } = this.replica
    const entries = [...table.slots()].map((slot) => [
      table.key(slot),
      table.hlc(slot),
      this.ids.id(table.writer(slot)),
      table.sequence(slot),
      table.replaced(slot),
      table.value(slot)?.join(),
    ])
    return {
      entries: entries.toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
      fingerprint: hashHex(fingerprint),
      vector: hashHex(vector.hash(this.ids)),
      live: table.liveCount,
      tombstones: table.tombstoneCount,
    }
  }

  /** The fingerprint from scratch, by its definition. */
  recomputed(): string {
    const sum = { high: 0, low: 0 }
    const term = { high: 0, low: 0 }
    for (const slot of this.replica.table.slots()) {
      this.replica.table.hashSlot(slot, this.ids.hash(this.replica.table.writer(slot)), term)
      addHash(sum, term)
    }
    return hashHex(sum)
  }
}

const key = fc.constantFrom('a', 'b', 'c', '__proto__')
const value = fc.option(fc.uint8Array({ minLength: 1, maxLength: 3 }), { nil: undefined })

/** Rows of a sound history: a dot is given out once, later dots of one id carry later readings. Many readings are equal. */
const honest: fc.Arbitrary<Sent[]> = fc
  .array(fc.record({ key, bytes: value, id: fc.constantFrom(...IDS), step: fc.nat(2) }), { maxLength: 25 })
  .map((writes) => {
    const heads = new Map(IDS.map((id) => [id, { sequence: 0, hlc: 0 }]))
    return writes.map(({ step, ...write }) => {
      const head = heads.get(write.id)!
      head.sequence += 1
      head.hlc += 1 + step
      return { ...write, ...head, replaced: 0 }
    })
  })

/** Rows of a grid in which replica ids were cloned: dots and whole versions collide with other keys and values. */
const cloned: fc.Arbitrary<Sent[]> = fc.array(
  fc.record({
    key,
    bytes: value,
    id: fc.constantFrom(...IDS),
    sequence: fc.integer({ min: 1, max: 6 }),
    hlc: fc.integer({ min: 1, max: 6 }),
    replaced: fc.constant(0),
  }),
  { maxLength: 25 },
)

const rows = fc.oneof(honest, cloned)

/** `rows` and an order with duplicates in which they arrive. */
const disordered = rows.chain((list) =>
  fc.tuple(
    fc.constant(list),
    fc.shuffledSubarray(list, { minLength: list.length }),
    list.length === 0 ? fc.constant([]) : fc.array(fc.constantFrom(...list), { maxLength: 10 }),
  ),
)

test('rows in any order and repeated end in equal entries, fingerprints and vectors', () => {
  fc.assert(
    fc.property(disordered, ([list, shuffled, repeated]) => {
      const one = new Copy().merge(list)
      const other = new Copy([...IDS].reverse()).merge(repeated).merge(shuffled).merge(repeated)
      expect(other.state()).toEqual(one.state())
    }),
    { numRuns: 250 },
  )
})

test('merging is commutative and associative over whole states', () => {
  fc.assert(
    fc.property(honest, honest, honest, (x, y, z) => {
      const [a, b, c] = [x, y, z].map((list) => new Copy().merge(list).sent())
      const left = new Copy().merge(new Copy().merge(a!).merge(b!).sent()).merge(c!)
      const right = new Copy().merge(a!).merge(new Copy().merge(b!).merge(c!).sent())
      const turned = new Copy().merge(c!).merge(b!).merge(a!)
      const { vector: _, ...expected } = left.state() as Record<string, unknown>
      expect(right.state()).toMatchObject(expected)
      expect(turned.state()).toMatchObject(expected)
    }),
    { numRuns: 300 },
  )
})

test('merging is idempotent', () => {
  fc.assert(
    fc.property(rows, (list) => {
      const copy = new Copy().merge(list)
      const before = copy.state()
      expect(copy.merge(list).merge(copy.sent()).state()).toEqual(before)
    }),
    { numRuns: 300 },
  )
})

test('the fingerprint is the one computed from scratch, after any history', () => {
  fc.assert(
    fc.property(rows, fc.array(fc.tuple(key, value)), (list, writes) => {
      const copy = new Copy().merge(list)
      const own = copy.ids.intern('1234567812345678')
      let sequence = 0
      for (const [name, bytes] of writes) {
        const row = copy.row({
          key: name,
          bytes,
          id: '1234567812345678',
          hlc: 1000 + sequence,
          sequence: ++sequence,
          replaced: 0,
        })
        copy.replica.write(row)
      }
      for (const slot of copy.replica.table.slots()) {
        if (copy.replica.table.writer(slot) === own)
          copy.replica.redot(slot, copy.ids.intern(IDS[0]!), 100 + ++sequence)
      }
      expect(hashHex(copy.replica.fingerprint)).toBe(copy.recomputed())
    }),
    { numRuns: 300 },
  )
})

test('merging the delta since a vector equals merging everything', () => {
  fc.assert(
    fc.property(honest, fc.nat(25), fc.array(fc.boolean()), (list, cut, received) => {
      const source = new Copy().merge(list)
      const behind = new Copy().merge(list.slice(0, cut).filter((_, i) => received[i] ?? true))
      const full = new Copy().merge(behind.sent()).merge(source.sent())
      const delta = source.replica.deltaSince(behind.replica.vector)
      for (const row of delta) expect(behind.replica.vector.has(row.writer, row.sequence)).toBe(false)
      behind.merge(source.sent(delta))
      const { vector: _, ...expected } = full.state() as Record<string, unknown>
      expect(behind.state()).toMatchObject(expected)
      behind.replica.vector.merge(source.replica.vector)
      expect(behind.state()).toEqual(source.state())
    }),
    { numRuns: 250 },
  )
})

test('a delta comes oldest first within a replica id, and as little as is asked for', () => {
  const list: Sent[] = [4, 1, 3, 2, 5].map((sequence) => {
    return { key: `k${sequence}`, bytes: Uint8Array.of(1), id: IDS[0]!, sequence, hlc: sequence, replaced: 0 }
  })
  const { replica, ids } = new Copy().merge(list)
  const nothing = new Replica(ids, SEED).vector
  expect(replica.deltaSince(nothing).map((row) => row.sequence)).toEqual([1, 2, 3, 4, 5])
  expect(replica.deltaSince(nothing, 2).map((row) => row.sequence)).toEqual([1, 2])
  nothing.addRange(0, 2, 4)
  expect(replica.deltaSince(nothing).map((row) => row.sequence)).toEqual([1, 5])
})

const base: Sent = { key: 'k', bytes: Uint8Array.of(5), id: IDS[0]!, sequence: 1, hlc: 10, replaced: 0 }

/** Merges both ways round and returns the value that won. */
function winner(a: Sent, b: Sent): Uint8Array | undefined {
  const one = new Copy().merge([a, b])
  const other = new Copy().merge([b, a])
  expect(one.state()).toEqual(other.state())
  return one.replica.table.value(0)
}

test('the later write wins, delete or not', () => {
  expect(winner(base, { ...base, id: IDS[1]!, hlc: 9, bytes: Uint8Array.of(9) })).toEqual(Uint8Array.of(5))
  expect(winner(base, { ...base, id: IDS[1]!, hlc: 11, bytes: undefined })).toBeUndefined()
  expect(winner(base, { ...base, id: IDS[1]!, hlc: 9, bytes: undefined })).toEqual(Uint8Array.of(5))
})

test('on equal HLC timestamps the larger replica id wins, whichever was known first', () => {
  const a = { ...base, id: '0000000000000001', bytes: Uint8Array.of(1) }
  const b = { ...base, id: '0000000000000002', bytes: Uint8Array.of(2) }
  const met = (...order: string[]): Uint8Array | undefined => new Copy(order).merge([a, b]).replica.table.value(0)
  expect(winner(a, b)).toEqual(Uint8Array.of(2))
  expect(met(a.id, b.id)).toEqual(Uint8Array.of(2))
  expect(met(b.id, a.id)).toEqual(Uint8Array.of(2))
})

test('equal versions with different values converge: a cloned id', () => {
  expect(winner(base, { ...base, bytes: Uint8Array.of(6) })).toEqual(Uint8Array.of(6))
  expect(winner(base, { ...base, bytes: Uint8Array.of(4, 0) })).toEqual(Uint8Array.of(4, 0))
  expect(winner(base, { ...base, bytes: undefined })).toBeUndefined()
  expect(winner(base, { ...base, sequence: 2, bytes: Uint8Array.of(1) })).toEqual(Uint8Array.of(1))
})

test('a merge says whether it won, lost or was known', () => {
  const copy = new Copy()
  expect(copy.replica.merge(copy.row(base))).toBe('won')
  expect(copy.replica.merge(copy.row(base))).toBe('known')
  expect(copy.replica.merge(copy.row({ ...base, id: IDS[1]!, hlc: 9 }))).toBe('lost')
  expect(copy.replica.merge(copy.row({ ...base, id: IDS[1]!, sequence: 2, hlc: 12 }))).toBe('won')
})

test('an observer is called for every change with the value before, and for nothing else', () => {
  const copy = new Copy()
  const changes: unknown[] = []
  copy.replica.observe({
    changed: (slot, previous) => changes.push([copy.replica.table.value(slot)?.join(), previous?.join()]),
  })
  copy.merge([base, base, { ...base, sequence: 2, hlc: 12, bytes: undefined }, { ...base, sequence: 3, hlc: 11 }])
  copy.merge([{ ...base, sequence: 4, hlc: 13, bytes: Uint8Array.of(7) }])
  expect(changes).toEqual([
    ['5', undefined],
    [undefined, '5'],
    ['7', undefined],
  ])
})

test('every observer is called until it ends, whatever the others do', () => {
  const copy = new Copy()
  const changes: string[] = []
  const observer = (name: string) => ({ changed: () => changes.push(name) })
  const twice = observer('twice')
  const ends = [copy.replica.observe(observer('first')), copy.replica.observe(twice), copy.replica.observe(twice)]
  const write = (sequence: number): string[] => {
    changes.length = 0
    copy.merge([{ ...base, sequence, hlc: 10 + sequence }])
    return [...changes]
  }
  expect(write(1)).toEqual(['first', 'twice', 'twice'])
  ends[1]!()
  ends[1]!()
  expect(write(2)).toEqual(['first', 'twice'])
  ends[0]!()
  expect(write(3)).toEqual(['twice'])
  ends[2]!()
  expect(write(4)).toEqual([])
})

test('an observer that ends itself, or starts another, while it is called disturbs no other', () => {
  const copy = new Copy()
  const changes: string[] = []
  const end = copy.replica.observe({
    changed: () => {
      changes.push('once')
      end()
      copy.replica.observe({ changed: () => changes.push('later') })
    },
  })
  copy.replica.observe({ changed: () => changes.push('always') })
  copy.merge([base])
  expect(changes).toEqual(['once', 'always'])
  copy.merge([{ ...base, sequence: 2, hlc: 12 }])
  expect(changes).toEqual(['once', 'always', 'always', 'later'])
})

test('a delete by a guest is no entry, wins by its date as any other, and is purged with the tombstones', () => {
  const [live, gone] = [encodeValue(1, 10), writtenBy('ada', undefined)]
  const row = { key: 'k', replaced: 0, id: IDS[0]! }
  const write = { ...row, hlc: 5, sequence: 1, bytes: live }
  const remove = { ...row, hlc: 6, sequence: 2, bytes: gone }
  const [one, other] = [new Copy().merge([write, remove]), new Copy().merge([remove, write])]
  expect(hashHex(one.replica.fingerprint)).toBe(hashHex(other.replica.fingerprint))
  for (const { ids, replica } of [one, other]) {
    expect([replica.table.liveCount, replica.table.tombstoneCount, replica.read(0, 1)]).toEqual([0, 1, undefined])
    expect(subjectOf(replica.table.value(0)!)).toBe('ada')
    replica.raiseFloor(Floor.empty(ids).with([{ replicaId: IDS[0]!, head: 1, ranges: [] }], 1))
    expect(replica.table.size, 'the floor does not cover it yet').toBe(1)
    replica.raiseFloor(replica.floor.with([{ replicaId: IDS[0]!, head: 2, ranges: [] }], 2))
    expect(replica.table.size).toBe(0)
  }
})
