import { expect, test } from 'vitest'
import { compositeKey } from '../bytes/composite-key.ts'
import type { Row } from '../entries/entry-table.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { Replica } from './replica.ts'
import type { Discarded } from './replica.ts'

const ids = new ReplicaIds()
let clock = 0

/** A peer that writes under its own id and hears of discarded versions. */
class Writer {
  readonly replica: Replica
  readonly discarded: Discarded[] = []
  readonly #id: number
  #sequence = 0

  constructor(id: string, kind: CollectionKind = 'map') {
    this.replica = new Replica(ids, 1, kind)
    this.#id = ids.intern(id.padStart(16, '0'))
    this.replica.observe({ discarded: (what) => this.discarded.push(what) })
  }

  write(key: string, value: number | undefined): Row {
    const bytes = value === undefined ? undefined : Uint8Array.of(value)
    const sequence = ++this.#sequence
    const row: Row = { key, hlc: ++clock, writer: this.#id, sequence, replaced: 0, bytes, start: 0, end: 1 }
    this.replica.write(row)
    return { ...row }
  }

  get(...rows: Row[]): void {
    for (const row of rows) this.replica.merge(row)
  }
}

function writers(): [Writer, Writer, Writer] {
  return [new Writer('a'), new Writer('b'), new Writer('c')]
}

test('overwriting a version that the writer has seen is no conflict', () => {
  const [a, b, c] = writers()
  for (let i = 0; i < 50; i++) {
    for (const [writer, ...others] of [
      [a, b, c],
      [b, c, a],
      [c, a, b],
    ] as const) {
      const row = writer.write('k', i % 7 === 0 ? undefined : i)
      for (const other of others) other.get(row)
    }
  }
  expect([a, b, c].map((writer) => writer.replica.conflicts)).toEqual([0, 0, 0])
})

test('rows of a sequential history are no conflicts when two of them change places', () => {
  const [a, b, c] = writers()
  const first = a.write('k', 1)
  b.get(first)
  const second = b.write('k', 2)
  c.get(second, first)
  expect(c.replica.conflicts).toBe(0)
})

test('one writer that overwrites its own values never conflicts, in any order of its rows', () => {
  const [a, b] = writers()
  const rows = [1, 2, 3, 4].map((value) => a.write('k', value))
  b.get(rows[2]!, rows[0]!, rows[3]!, rows[1]!)
  expect(b.replica.conflicts).toBe(0)
})

test('concurrent writes are one conflict on both sides, and both name the same loser', () => {
  const [a, b] = writers()
  const loser = a.write('k', 1)
  const winner = b.write('k', 2)
  a.get(winner)
  b.get(loser)
  expect([a.replica.conflicts, b.replica.conflicts]).toEqual([1, 1])
  for (const writer of [a, b]) {
    expect(writer.discarded).toEqual([{ key: 'k', value: Uint8Array.of(1), hlc: loser.hlc, writer: loser.writer }])
  }
})

test('a third peer that sees both counts the conflict too, once for each time', () => {
  const [a, b, c] = writers()
  const loser = a.write('k', 1)
  const winner = b.write('k', 2)
  c.get(loser, winner)
  expect(c.replica.conflicts).toBe(1)
})

test('a concurrent delete that loses or wins is reported as a delete', () => {
  const [a, b] = writers()
  const loser = a.write('k', undefined)
  const winner = b.write('k', 2)
  a.get(winner)
  b.get(loser)
  expect([a.discarded[0]?.value, b.discarded[0]?.value]).toEqual([undefined, undefined])
  expect([a.replica.conflicts, b.replica.conflicts]).toEqual([1, 1])
})

test('a conflict is counted once, however often the loser arrives', () => {
  const [a, b, c] = writers()
  const loser = a.write('k', 1)
  c.get(b.write('k', 2), loser, loser, loser)
  expect(c.replica.conflicts).toBe(1)
})

test('writes to different keys never conflict', () => {
  const [a, b] = writers()
  const rows = [a.write('k', 1), a.write('l', 1)]
  b.write('m', 1)
  b.get(...rows)
  expect(b.replica.conflicts).toBe(0)
})

test('two peers that write the same value, or both delete, do not conflict, in any order', () => {
  const [a, b, c] = writers()
  for (const value of [7, undefined]) {
    const first = a.write('k', value)
    const second = b.write('k', value)
    a.get(second)
    b.get(first)
    c.get(second, first)
  }
  expect([a, b, c].map((writer) => writer.replica.conflicts)).toEqual([0, 0, 0])
  expect([a, b, c].flatMap((writer) => writer.discarded)).toEqual([])
})

test('the object that two made at once with different fields is no conflict, a field that both set is one', () => {
  const [a, b] = [new Writer('a', 'fields'), new Writer('b', 'fields')]
  const rows = [a.write('k', 0xf5), a.write(compositeKey('k', 'x'), 1), a.write(compositeKey('k', 'both'), 1)]
  b.write('k', 0xf5)
  b.write(compositeKey('k', 'y'), 2)
  b.write(compositeKey('k', 'both'), 2)
  b.get(...rows)
  expect(b.discarded.map(({ key }) => key)).toEqual([compositeKey('k', 'both')])
  expect(b.replica.conflicts).toBe(1)
})
