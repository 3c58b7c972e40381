import { documentKey, documentValue, generationKey, generationStart, openPeer } from '@gossipgrid/core'
import { Random } from '@gossipgrid/testing/simulation'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { DocumentTable } from '../rows/document-table.ts'
import type { LateEdits } from './late-edits.ts'
import { lateEdits } from './late-edits.ts'
import { isOpen } from './siblings.ts'
import { LateIds } from './late-ids.ts'

const NAME = 'note'
const NOW = { wallMs: 1_800_000_000_000, monotonicMs: 0 }
const OLD = 0
const NEW = 1_000
/** Who typed 'Zabc' into the old generation, and what the new one began with: 'Z'. */
const FIRST = 1
const BASE = 9

/** What one author has typed, as a Yjs update. */
interface Typed {
  readonly client: number
  readonly update: Uint8Array
}

/** Types into a Y.Doc under a client id. */
function typeInto(y: Y.Doc, client: number, edit: (text: Y.Text) => void): Typed {
  const before = Y.encodeStateVector(y)
  y.clientID = client
  edit(y.getText('body'))
  return { client, update: Y.encodeStateAsUpdate(y, before) }
}

class Rows {
  readonly table: DocumentTable
  readonly #peer = openPeer({
    peerId: 'bob',
    gridName: 'g',
    software: 'test',
    random: new Random(1),
    persistent: false,
  }).finish(NOW)

  constructor() {
    this.table = new DocumentTable(this.#peer)
  }

  write(key: string, bytes: Uint8Array): void {
    this.#peer.write(this.table.partition, key, bytes, NOW)
  }

  add({ client, update }: Typed, generation: number): void {
    const key = documentKey({ document: NAME, generation, nonce: client, client, level: 'a', index: 0 })
    this.write(key, documentValue(update, this.#peer.replicaId, this.#peer.replicaId))
  }

  /** The new generation, once all peers that were known had it and the rows of the old one are gone. */
  settle(settled = true): void {
    const base = typeInto(new Y.Doc(), BASE, (text) => text.insert(0, 'Z'))
    this.add(base, NEW)
    const start = { from: OLD, client: BASE, end: 1, settled, covers: [FIRST, 4], copied: [FIRST, 0, 1] }
    this.write(generationKey(NAME, NEW), generationStart(start)!)
  }

  late(isWanted: (client: number) => boolean = () => true): LateEdits {
    const start = this.table.lineOf(NAME).at(-1)
    if (!isOpen(start)) throw new Error('there is no generation to rebase edits to')
    const { replicaId } = this.#peer
    return lateEdits(this.table, NAME, start, { replicaId, isWanted: ({ client }) => isWanted(client) })
  }

  rebase({ edits }: LateEdits): void {
    for (const { writes } of edits) for (const { key, bytes } of writes) this.write(key, bytes!)
  }
}

/** The old generation, as those saw it who did not know of the new one. */
function old(): Y.Doc {
  const y = new Y.Doc()
  typeInto(y, FIRST, (text) => text.insert(0, 'Zabc'))
  return y
}

const unplacedOf = ({ edits }: LateEdits): number[] =>
  edits.flatMap(({ author, unplaced }) => (unplaced ? [author.client] : [])).toSorted((a, b) => a - b)

/** What three authors have typed, each at the end: the first one beside 'c', which is gone. */
function chain(): Typed[] {
  const y = old()
  return [2, 3, 4].map((client) => typeInto(y, client, (text) => text.insert(text.length, `<${client}>`)))
}

it.each([[[0, 1, 2]], [[0, 2, 1]], [[1, 0, 2]], [[1, 2, 0]], [[2, 0, 1]], [[2, 1, 0]]])(
  'what stands beside edits that have no place has none either, in whichever order they came: %j',
  (order) => {
    const rows = new Rows()
    rows.settle()
    const typed = chain()
    for (const i of order) rows.add(typed[i]!, OLD)
    expect(unplacedOf(rows.late())).toEqual([2, 3, 4])
  },
)

it('an author knows that of its own edits while those of other authors are not rebased yet', () => {
  const rows = new Rows()
  rows.settle()
  for (const typed of chain()) rows.add(typed, OLD)
  const late = rows.late((client) => client === 4)
  expect(late.edits).toHaveLength(1)
  expect(unplacedOf(late)).toEqual([4])
})

it('and when they were rebased, and their rows in the old generation are gone', () => {
  const typed = chain()
  const before = new Rows()
  before.settle()
  before.add(typed[0]!, OLD)
  const rows = new Rows()
  rows.settle()
  rows.rebase(before.late())
  rows.add(typed[1]!, OLD)
  expect(unplacedOf(rows.late())).toEqual([3])
})

it('what was typed into a nested type that has no place has none either', () => {
  const y = old()
  const list = new Y.Array<number>()
  const rows = new Rows()
  rows.settle()
  rows.add(
    typeInto(y, 2, (text) => text.insertEmbed(text.length, list)),
    OLD,
  )
  rows.add(
    typeInto(y, 3, () => list.insert(0, [1])),
    OLD,
  )
  expect(unplacedOf(rows.late())).toEqual([2, 3])
})

it('edits wait for the rows of edits that they are beside: it is not known whether those have a place', () => {
  const rows = new Rows()
  rows.settle()
  const typed = chain()
  rows.add(typed[1]!, OLD)
  expect(rows.late()).toEqual({ edits: [], waiting: true })
  rows.add(typed[0]!, OLD)
  expect(unplacedOf(rows.late())).toEqual([2, 3])
})

it('edits wait for the rows of the old generation that they are beside', () => {
  const rows = new Rows()
  rows.settle(false)
  const first = typeInto(new Y.Doc(), FIRST, (text) => text.insert(0, 'Zabc'))
  const typed = chain()
  rows.add(typed[0]!, OLD)
  expect(rows.late()).toEqual({ edits: [], waiting: true })
  rows.add(first, OLD)
  expect(rows.late()).toMatchObject({ edits: [{ author: { client: 2 } }], waiting: false })
})

it('edits beside late edits that have a place are rebased beside them', () => {
  const y = old()
  const rows = new Rows()
  rows.settle()
  for (const client of [2, 3]) {
    rows.add(
      typeInto(y, client, (text) => text.insert(client === 2 ? 1 : 4, `<${client}>`)),
      OLD,
    )
  }
  const late = rows.late()
  expect(unplacedOf(late)).toEqual([])
  rows.rebase(late)
  const shown = new Y.Doc()
  for (const { key } of rows.table.liveRowsOf(NAME, NEW)) Y.applyUpdate(shown, rows.table.read(key)!.bytes)
  expect(shown.getText('body').toJSON()).toBe('Z<2><3>')
})

it('ids are left out in any order, and the count grows with each new one and with nothing else', () => {
  const range = fc.record({ clock: fc.integer({ min: 0, max: 30 }), length: fc.integer({ min: 1, max: 8 }) })
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), (ranges) => {
      const ids = new LateIds(undefined)
      const leftOut = new Set<number>()
      for (const { clock, length } of ranges) {
        ids.leaveOut({ client: 1, clock }, length)
        for (let id = clock; id < clock + length; id++) leftOut.add(id)
        expect(ids.leftOutCount).toBe(leftOut.size)
      }
      for (let id = 0; id < 40; id++) expect(ids.isLeftOut({ client: 1, clock: id })).toBe(leftOut.has(id))
      expect(ids.isLeftOut({ client: 2, clock: 0 })).toBe(false)
    }),
  )
})
