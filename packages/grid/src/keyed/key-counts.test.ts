import { compositeKey, encodeValue } from '@gossipgrid/core'
import type { Partition, Row } from '@gossipgrid/core'
import { Replica, ReplicaIds } from '@gossipgrid/core/internals'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { KeyCounts } from './key-counts.ts'

const SLOT_IDS = ['00000000000000aa', 'ffffffffffffffff', '7777777777777777']
const KEYS = ['home', 'about']

/** A row as it travels, with the increments that it counts, or that it deletes. */
interface Sent {
  readonly key: string
  readonly bytes: Uint8Array | undefined
  readonly hlc: number
  readonly sequence: number
  readonly id: string
  readonly counts: readonly number[]
  readonly deletes: readonly number[]
}

/** One peer, which counts and deletes as `GridCounters` does. */
class Machine {
  readonly ids = new ReplicaIds()
  readonly replica = new Replica(this.ids, 99, 'counters')
  readonly counts: KeyCounts
  readonly id: string
  /** The increments that this peer has seen under each key, and those that it knows to be deleted. */
  readonly seen = new Set<number>()
  readonly deleted = new Set<number>()
  readonly #counted = new Map<string, number[]>()
  #hlc = 0
  #sequence = 0

  constructor(id: string) {
    this.id = id
    this.counts = new KeyCounts({ replica: this.replica } as unknown as Partition, { slotId: id })
    this.replica.observe({ changed: (slot, previous) => void this.counts.changed(slot, previous) })
  }

  count(key: string, increment: number, amount: number): Sent[] {
    const { slot, share } = this.counts.ownOf(key)
    const rowKey = compositeKey(key, slot)
    const counted = [...(this.#counted.get(rowKey) ?? []), increment]
    this.#counted.set(rowKey, counted)
    this.seen.add(increment)
    return [this.#write(rowKey, encodeValue([share.up + amount, share.down], 32), counted, [])]
  }

  /** `of` is the key of each increment. */
  delete(key: string, of: readonly string[]): Sent[] {
    const deletes = [...this.seen].filter((increment) => of[increment] === key)
    for (const increment of deletes) this.deleted.add(increment)
    const rows = this.counts.deletesOf(this.counts.rowsOf(key))
    return rows.map(({ key: rowKey, bytes }) => this.#write(rowKey, bytes, [], bytes === undefined ? [] : deletes))
  }

  merge(rows: readonly Sent[]): this {
    for (const { counts, deletes, id, ...row } of rows) {
      this.#hlc = Math.max(this.#hlc, row.hlc)
      for (const increment of counts) this.seen.add(increment)
      for (const increment of deletes) this.deleted.add(increment)
      this.replica.merge(this.#row(row, id))
    }
    return this
  }

  /** What is shown under each key, by the table kept up to date and by one that is made at once. */
  shown(): unknown[] {
    const fresh = new KeyCounts({ replica: this.replica } as unknown as Partition, { slotId: SLOT_IDS[2]! })
    return [this.counts, fresh].map((counts) => KEYS.map((key) => counts.sumOf(key)))
  }

  #write(key: string, bytes: Uint8Array | undefined, counts: readonly number[], deletes: readonly number[]): Sent {
    this.#hlc += 1
    this.#sequence += 1
    const row = this.#row({ key, bytes, hlc: this.#hlc, sequence: this.#sequence }, this.id)
    this.replica.write(row)
    return { key, bytes, hlc: row.hlc, sequence: row.sequence, id: this.id, counts, deletes }
  }

  #row({ bytes, ...row }: Pick<Row, 'key' | 'bytes' | 'hlc' | 'sequence'>, id: string): Row {
    return { ...row, bytes, writer: this.ids.intern(id), replaced: 0, start: 0, end: bytes?.length ?? 0 }
  }
}

type Act =
  | { readonly type: 'count'; readonly by: number; readonly key: string; readonly amount: number }
  | { readonly type: 'delete'; readonly by: number; readonly key: string }
  | { readonly type: 'merge'; readonly by: number; readonly from: number; readonly count: number }

const by = fc.nat(SLOT_IDS.length - 1)
const key = fc.constantFrom(...KEYS)
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    arbitrary: fc.record({ type: fc.constant('count' as const), by, key, amount: fc.integer({ min: 1, max: 99 }) }),
    weight: 3,
  },
  { arbitrary: fc.record({ type: fc.constant('delete' as const), by, key }), weight: 2 },
  {
    arbitrary: fc.record({
      type: fc.constant('merge' as const),
      by,
      from: fc.nat(60),
      count: fc.integer({ min: 1, max: 9 }),
    }),
    weight: 3,
  },
)

interface Played {
  readonly machines: readonly Machine[]
  readonly sent: readonly Sent[]
  /** The amount of each increment, and its key. */
  readonly amounts: readonly number[]
  readonly keys: readonly string[]
}

function play(acts: readonly Act[]): Played {
  const machines = SLOT_IDS.map((id) => new Machine(id))
  const [sent, amounts, keys]: [Sent[], number[], string[]] = [[], [], []]
  for (const each of acts) {
    const machine = machines[each.by]!
    if (each.type === 'merge') machine.merge(sent.slice(each.from, each.from + each.count))
    else if (each.type === 'delete') sent.push(...machine.delete(each.key, keys))
    else {
      keys.push(each.key)
      sent.push(...machine.count(each.key, amounts.length, each.amount))
      amounts.push(each.amount)
    }
  }
  return { machines, sent, amounts, keys }
}

/** What is to be shown: every increment once, unless a delete had seen it. */
function expected({ amounts, keys }: Played, isCounted: (increment: number) => boolean): (bigint | undefined)[] {
  return KEYS.map((wanted) => {
    const left = amounts.filter((_, increment) => keys[increment] === wanted && isCounted(increment))
    return left.length === 0 ? undefined : left.reduce((sum, amount) => sum + BigInt(amount), 0n)
  })
}

const history = fc.array(act, { maxLength: 60, size: 'max' })

it('every increment counts once, unless a delete had seen it, in any order and repeated', () => {
  const orders = history.map(play).chain((played) => {
    const rows = fc.shuffledSubarray([...played.sent], { minLength: played.sent.length })
    return fc.tuple(fc.constant(played), rows, rows)
  })
  fc.assert(
    fc.property(orders, ([played, one, other]) => {
      const deleted = new Set(played.sent.flatMap(({ deletes }) => deletes))
      const shown = expected(played, (increment) => !deleted.has(increment))
      const machine = new Machine(SLOT_IDS[2]!).merge(one).merge(other.slice(0, 9))
      expect(machine.shown()).toEqual([shown, shown])
      for (const each of played.machines) expect(each.merge(other).shown()).toEqual([shown, shown])
    }),
    { numRuns: 400 },
  )
})

it('a peer that writes shows its own increments at once, and nothing of what it deleted', () => {
  fc.assert(
    fc.property(history, (acts) => {
      const { machines, amounts, keys } = play(acts.filter(({ type }) => type !== 'merge'))
      for (const machine of machines) {
        const shown = expected(
          { machines, sent: [], amounts, keys },
          (each) => machine.seen.has(each) && !machine.deleted.has(each),
        )
        expect(machine.shown()).toEqual([shown, shown])
      }
    }),
    { numRuns: 100 },
  )
})

it('a delete whose numbers shrink, which no honest peer writes, shows the same on all peers', () => {
  const [slot, deleter] = ['00000000000000aa', '00000000000000bb']
  const row = (key: string, pair: readonly number[], hlc: number): Sent => {
    const bytes = encodeValue(pair, 32)
    return { key, bytes, hlc, sequence: hlc, id: deleter, counts: [], deletes: [] }
  }
  const count = row(compositeKey('home', slot), [9, 0], 1)
  const more = row(compositeKey('home', `${slot}-${deleter}`), [5, 0], 2)
  const less = row(compositeKey('home', `${slot}-${deleter}`), [3, 0], 3)
  for (const order of [
    [count, more, less],
    [more, less, count],
    [less, more, count],
  ]) {
    expect(new Machine(SLOT_IDS[2]!).merge(order).shown()).toEqual([
      [6n, undefined],
      [6n, undefined],
    ])
  }
})

it('a key is gone as soon as a delete of all its counts has come, and counting starts in another slot', () => {
  const machine = new Machine(SLOT_IDS[0]!)
  const other = new Machine(SLOT_IDS[1]!).merge(machine.count('home', 0, 5))
  const [seen, removed] = other.delete('home', ['home'])
  machine.merge([seen!])
  expect([machine.counts.sumOf('home'), machine.counts.all.size]).toEqual([undefined, 0])
  machine.count('home', 1, 2)
  expect(machine.counts.sumOf('home')).toBe(2n)
  expect(machine.merge([removed!]).shown()).toEqual([
    [2n, undefined],
    [2n, undefined],
  ])
})

it('deletes of slots that are not there any more are found, part by part', () => {
  const machine = new Machine(SLOT_IDS[0]!)
  for (let i = 0; i < 20; i++) machine.count('home', 0, 1)
  machine.delete('home', [])
  machine.count('home', 0, 1)
  machine.count('about', 0, 1)
  const found: string[] = []
  let next = 0
  do {
    const part = machine.counts.idleDeletes(next, 2, Infinity)
    found.push(...part.keys)
    next = part.next
  } while (next > 0)
  expect(found).toEqual([`home\u0000${SLOT_IDS[0]}-${SLOT_IDS[0]}`])
  expect(machine.counts.idleDeletes(0, 99, 1).keys).toEqual([])
})
