import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { ELEMENT_SEPARATOR, compositeKey, splitKey } from '../bytes/composite-key.ts'
import type { Row } from '../entries/entry-table.ts'
import { hashHex } from '../bytes/hash.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { Replica } from './replica.ts'
import { PRESENT } from '../kinds/row-forms.ts'

const SEED = 99
const IDS = ['00000000000000aa', 'ffffffffffffffff', '7777777777777777']
const MAINS = ['a', 'b', '__proto__']

/** A row as it would travel: with the replica id itself, since every peer numbers ids in its own way. */
interface Sent extends Omit<Row, 'writer' | 'start' | 'end'> {
  readonly id: string
}

/** One peer's copy, which writes as a peer does: with fresh dots and readings past all it has seen. */
class Copy {
  readonly ids = new ReplicaIds()
  readonly replica: Replica
  readonly id: string
  #sequence = 0
  #hlc = 0
  #deletes = 0

  constructor(kind: CollectionKind, id: string) {
    // Each peer numbers ids in an order of its own.
    for (const each of [id, ...IDS.filter((other) => other !== id).reverse()]) this.ids.intern(each)
    this.replica = new Replica(this.ids, SEED, kind)
    this.id = id
  }

  write(key: string, bytes: Uint8Array | undefined): Sent {
    this.#hlc += 1
    this.#sequence += 1
    const { id } = this
    const row = this.#row({ key, bytes, id, hlc: this.#hlc, sequence: this.#sequence, replaced: 0 })
    const slot = this.replica.write(row)
    return this.#sent(this.replica.row(slot))
  }

  merge(rows: readonly Sent[]): this {
    for (const sent of rows) {
      this.#hlc = Math.max(this.#hlc, sent.hlc)
      this.replica.merge(this.#row(sent))
    }
    return this
  }

  /** The rows that this copy would send for all of its entries. */
  sent(): Sent[] {
    return this.replica.deltaSince(new Replica(this.ids, SEED).vector).map((row) => this.#sent(row))
  }

  live(key: string): boolean {
    const slot = this.replica.table.slotOf(key)
    return slot !== undefined && !this.replica.table.deleted(slot)
  }

  /** Keys of the live rows of an element or object. */
  rowsOf(main: string): string[] {
    const { table } = this.replica
    const live = table.slotsOf(main).filter((slot) => !table.deleted(slot))
    return live.map((slot) => table.key(slot)).sort()
  }

  /** Takes out an element as a set does: a tombstone for every add that is seen. */
  remove(main: string): Sent[] {
    return this.rowsOf(main).map((key) => this.write(key, undefined))
  }

  /** Counts once more under a key: in a slot that no delete was seen of. */
  count(main: string, amount: number): Sent {
    const slot = `${this.id}${this.#deletes.toString(16)}`
    const live = this.rowsOf(main).find((key) => splitKey(key).sub!.startsWith(this.id) && !key.includes('-'))
    const key = live ?? compositeKey(main, slot)
    const [up, down] = live === undefined ? [0, 0] : this.pair(live)
    return this.write(key, encodeValue([up + amount, down], 32))
  }

  /** Deletes a counter under a key: what is seen of each slot is written down, and the slot's row is removed. */
  reset(main: string): Sent[] {
    this.#deletes += 1
    const counts = this.rowsOf(main).filter((key) => !key.includes('-'))
    return counts.flatMap((key) => [
      this.write(`${key}-${this.id}`, encodeValue(this.pair(key), 32)),
      this.write(key, undefined),
    ])
  }

  pair(key: string): [number, number] {
    return decodeValue(this.replica.table.value(this.replica.table.slotOf(key)!)!) as [number, number]
  }

  /** All that must be equal on two peers, in a form that does not depend on slots, slabs or numbers of ids. */
  state(): { readonly entries: unknown[]; readonly fingerprint: string; readonly live: number } {
    const { table, fingerprint } = this.replica
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
      live: table.liveCount,
    }
  }

  #row({ id, bytes, ...rest }: Sent): Row {
    const padded = bytes === undefined ? undefined : Uint8Array.of(0, ...bytes)
    return { ...rest, writer: this.ids.intern(id), bytes: padded, start: 1, end: padded?.length ?? 1 }
  }

  #sent({ writer, start, end, bytes, ...rest }: Row): Sent {
    return { ...rest, id: this.ids.id(writer), bytes: bytes?.slice(start, end) }
  }
}

/** One act of a peer: a write, or merging some of the rows that were sent so far. */
type Act =
  | {
      readonly type: 'put'
      readonly peer: number
      readonly main: string
      readonly field: string
      readonly amount: number
    }
  | { readonly type: 'remove'; readonly peer: number; readonly main: string }
  | { readonly type: 'merge'; readonly peer: number; readonly from: number; readonly count: number }

const peer = fc.nat(IDS.length - 1)
const main = fc.constantFrom(...MAINS)
const put = fc.record({
  type: fc.constant('put' as const),
  peer,
  main,
  field: fc.constantFrom('x', 'y'),
  amount: fc.nat(300),
})
const remove = fc.record({ type: fc.constant('remove' as const), peer, main })
const merge = fc.record({
  type: fc.constant('merge' as const),
  peer,
  from: fc.nat(40),
  count: fc.integer({ min: 1, max: 12 }),
})
const history: fc.Arbitrary<Act[]> = fc.array(fc.oneof(put, remove, merge), { maxLength: 40 })

interface Played {
  readonly copies: readonly Copy[]
  readonly sent: readonly Sent[]
}

/** Plays a history on one copy for each id; the rows that were written come in order of writing. */
function play(kind: CollectionKind, acts: readonly Act[]): Played {
  const copies = IDS.map((id) => new Copy(kind, id))
  const counts = new Map<string, [number, number]>()
  const sent: Sent[] = []
  for (const act of acts) {
    const copy = copies[act.peer]!
    if (act.type === 'merge') copy.merge(sent.slice(act.from, act.from + act.count))
    else if (kind === 'counter') {
      const [up, down] = counts.get(copy.id) ?? [0, 0]
      const next: [number, number] = act.type === 'put' ? [up + act.amount, down] : [up, down + 1]
      counts.set(copy.id, next)
      sent.push(copy.write(copy.id, encodeValue(next, 32)))
    } else if (kind === 'counters') {
      sent.push(...(act.type === 'put' ? [copy.count(act.main, act.amount)] : copy.reset(act.main)))
    } else if (kind === 'sets') {
      const element = `${act.main}${ELEMENT_SEPARATOR}tx`
      sent.push(...(act.type === 'put' ? [copy.write(compositeKey(element, copy.id), PRESENT)] : copy.remove(element)))
    } else if (act.type === 'remove') sent.push(...copy.remove(act.main))
    else if (kind === 'set') sent.push(copy.write(compositeKey(act.main, copy.id), PRESENT))
    else sent.push(copy.write(compositeKey(act.main, act.field), encodeValue(act.amount, 32)))
  }
  return { copies, sent }
}

/** Rows in an order of their own, some of them repeated. */
function disorder(sent: readonly Sent[]): fc.Arbitrary<Sent[]> {
  if (sent.length === 0) return fc.constant([])
  return fc
    .tuple(
      fc.array(fc.constantFrom(...sent), { maxLength: 10 }),
      fc.shuffledSubarray([...sent], { minLength: sent.length }),
      fc.array(fc.constantFrom(...sent), { maxLength: 10 }),
    )
    .map((parts) => parts.flat())
}

describe.each(['set', 'counter', 'fields', 'counters', 'sets'] as const)('rows of a %s', (kind) => {
  const disordered = history
    .map((acts) => play(kind, acts))
    .chain((played) => fc.tuple(fc.constant(played), disorder(played.sent), disorder(played.sent)))

  it('end equal, in any order, with repeats, and from any state of each peer', () => {
    fc.assert(
      fc.property(disordered, ([{ copies, sent }, one, other]) => {
        const expected = new Copy(kind, IDS[0]!).merge(sent).state()
        expect(new Copy(kind, IDS[1]!).merge(one).state()).toEqual(expected)
        expect(new Copy(kind, IDS[2]!).merge(other).state()).toEqual(expected)
        for (const copy of copies) expect(copy.merge(one).state()).toEqual(expected)
      }),
      { numRuns: 150 },
    )
  })

  it('merge as states do: commutative, associative, idempotent', () => {
    fc.assert(
      fc.property(history, fc.nat(40), fc.nat(40), (acts, cut, later) => {
        const { sent } = play(kind, acts)
        const parts = [sent.slice(0, cut), sent.slice(cut, cut + later), sent.slice(cut + later)]
        const [a, b, c] = parts.map((rows) => new Copy(kind, IDS[0]!).merge(rows).sent())
        const left = new Copy(kind, IDS[1]!).merge(new Copy(kind, IDS[2]!).merge(a!).merge(b!).sent()).merge(c!)
        const right = new Copy(kind, IDS[1]!).merge(a!).merge(new Copy(kind, IDS[2]!).merge(b!).merge(c!).sent())
        const turned = new Copy(kind, IDS[1]!).merge(c!).merge(b!).merge(a!)
        expect(right.state()).toEqual(left.state())
        expect(turned.state()).toEqual(left.state())
        expect(turned.merge(a!).merge(left.sent()).state()).toEqual(left.state())
      }),
      { numRuns: 150 },
    )
  })
})

describe('a set', () => {
  it('after any history, has an element if and only if no remove has seen some add of it', () => {
    fc.assert(
      fc.property(history, (acts) => {
        const { copies, sent } = play('set', acts)
        // A remove is dated as the add that it takes away, and takes those before it of the same adder along.
        const removed = new Map<string, number>()
        for (const { key, hlc, bytes } of sent) {
          if (bytes === undefined) removed.set(key, Math.max(hlc, removed.get(key) ?? 0))
        }
        const adds = sent.filter(({ bytes }) => bytes !== undefined)
        for (const element of MAINS) {
          const standing = adds.filter(
            ({ key, hlc }) => key.startsWith(`${element}\u0000`) && hlc > (removed.get(key) ?? 0),
          )
          for (const copy of copies) {
            expect(copy.merge(sent).rowsOf(element).length > 0).toBe(standing.length > 0)
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  const [ada, ben] = [IDS[0]!, IDS[1]!]

  /** Two peers that both know of one add. */
  function pair(): { one: Copy; other: Copy; added: Sent } {
    const one = new Copy('set', ada)
    const added = one.write(compositeKey('a', ada), PRESENT)
    return { one, other: new Copy('set', ben).merge([added]), added }
  }

  function inEveryOrder(rows: readonly Sent[], check: (copy: Copy) => void): void {
    const orders = fc.shuffledSubarray([...rows], { minLength: rows.length })
    fc.assert(
      fc.property(orders, (order) => {
        check(new Copy('set', IDS[2]!).merge(order))
      }),
      { numRuns: 60 },
    )
  }

  it('keeps an element whose add the remove has not seen, in every order', () => {
    const { one, other, added } = pair()
    const removes = other.remove('a')
    const again = one.write(compositeKey('a', ada), PRESENT)
    inEveryOrder([added, ...removes, again], (copy) => expect(copy.rowsOf('a')).toHaveLength(1))
  })

  it('keeps an element that another peer adds while it is removed', () => {
    const { one, other, added } = pair()
    const removes = one.remove('a')
    const theirs = other.write(compositeKey('a', ben), PRESENT)
    inEveryOrder([added, ...removes, theirs], (copy) => expect(copy.rowsOf('a')).toEqual([compositeKey('a', ben)]))
  })

  it('loses an element whose every add was seen by some remove', () => {
    const { one, other, added } = pair()
    const theirs = other.write(compositeKey('a', ben), PRESENT)
    const removes = one.merge([theirs]).remove('a')
    expect(removes).toHaveLength(2)
    inEveryOrder([added, theirs, ...removes], (copy) => expect(copy.rowsOf('a')).toEqual([]))
  })

  it('has an element that was added, removed and added again, in every order', () => {
    const { one, added } = pair()
    const rows = [added, ...one.remove('a'), one.write(compositeKey('a', ada), PRESENT)]
    inEveryOrder(rows, (copy) => expect(copy.live(compositeKey('a', ada))).toBe(true))
    inEveryOrder([...rows, ...one.remove('a')], (copy) => expect(copy.rowsOf('a')).toEqual([]))
  })

  it('two removes of one add are one', () => {
    const { one, other, added } = pair()
    inEveryOrder([added, ...one.remove('a'), ...other.remove('a')], (copy) => {
      expect(copy.rowsOf('a')).toEqual([])
      expect(copy.replica.table.slotCount).toBe(1)
    })
  })
})

describe('a counter', () => {
  it('is the sum of the last row of each peer, after any history and in any order', () => {
    const cases = history
      .map((acts) => play('counter', acts).sent)
      .chain((sent) => fc.tuple(fc.constant(sent), disorder(sent)))
    fc.assert(
      fc.property(cases, ([sent, order]) => {
        const last = new Map(sent.map(({ key, bytes }) => [key, decodeValue(bytes!) as [number, number]]))
        const { table } = new Copy('counter', IDS[1]!).merge(order).replica
        const stored = [...table.slots()].map((slot) => [table.key(slot), decodeValue(table.value(slot)!)] as const)
        expect(new Map(stored)).toEqual(last)
      }),
      { numRuns: 150 },
    )
  })
})
