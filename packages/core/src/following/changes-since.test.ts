import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../bytes/seeded-random.ts'
import type { Row } from '../entries/entry-table.ts'
import { WiredPeers } from '../rig/wired-peers.ts'
import type { Peer } from '../peer/peer.ts'
import type { Partition } from '../replica/collections.ts'
import { changesSince, fromStart } from './changes-since.ts'
import type { GivenRows } from './changes-since.ts'
import { decodeCursor, encodeCursor } from './partition-cursor.ts'

const SEEDS = 60
const STEPS = 80
const OBJECTS = 3
const FIELDS = 5

function objectsOf(peer: Peer): Partition {
  return peer.open({ name: 'objects', kind: 'fields', mode: 'replicated', partitions: 1 }).partitions[0]!
}

function textOf({ bytes, end, key, start }: Readonly<Row>): [string, string] {
  return [key, bytes === undefined ? 'deleted' : bytes.slice(start, end).join()]
}

/** Keeps rows, and goes on at any peer. */
class Reader {
  readonly rows = new Map<string, string>()
  given = 0
  readonly #given: GivenRows
  #cursor: Uint8Array | undefined

  constructor(given: GivenRows) {
    this.#given = given
  }

  read(peer: Peer, wallMs: number): void {
    const { collections } = peer
    const since = this.#cursor === undefined ? fromStart(wallMs) : decodeCursor(this.#cursor, collections.ids)
    const { cursor, keys, more } = changesSince(
      collections,
      objectsOf(peer).name,
      since,
      () => true,
      wallMs,
      this.#given,
    )
    for (const row of keys.flatMap(({ rows }) => rows)) {
      this.rows.set(...textOf(row))
      this.given += 1
    }
    this.#cursor = encodeCursor(cursor, collections.ids)
    if (more) this.read(peer, wallMs)
  }
}

describe('a reader of new rows', () => {
  it('that goes from peer to peer, also to those that are behind, ends with what all have', () => {
    let [all, few] = [0, 0]
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new SeededRandom(seed)
      const peers = new WiredPeers()
      const names = ['a', 'b', 'c']
      for (const name of names) objectsOf(peers.open(name))
      const readers = [new Reader('new rows'), new Reader('all rows')]
      for (let step = 0; step < STEPS; step++) {
        const [name, other] = [names[random.below(names.length)]!, names[random.below(names.length)]!]
        if (random.below(10) < 6) {
          const key = `o${random.below(OBJECTS)}\0f${random.below(FIELDS)}`
          const bytes = random.below(10) < 2 ? undefined : Uint8Array.of(random.below(24))
          peers.peer(name).write(objectsOf(peers.peer(name)), key, bytes, peers.nowOf(name))
          peers.give(name, { type: 'tick' })
        } else if (name !== other) peers[random.below(2) === 0 ? 'link' : 'cut'](name, other)
        peers.run()
        if (random.below(10) < 3) peers.advance(3000)
        if (random.below(10) < 5) for (const reader of readers) reader.read(peers.peer(other), peers.wallMs)
      }
      for (const [i, name] of names.entries()) for (const other of names.slice(i + 1)) peers.link(name, other)
      peers.advance(60_000)
      const { table } = objectsOf(peers.peer('a')).replica
      const there = [...table.slots()].map((slot) => textOf(objectsOf(peers.peer('a')).replica.row(slot)))
      for (const reader of readers) {
        reader.read(peers.peer('a'), peers.wallMs)
        expect(Object.fromEntries(reader.rows), `seed ${seed}`).toEqual(Object.fromEntries(there))
      }
      few += readers[0]!.given
      all += readers[1]!.given
    }
    expect(few, 'it is given less').toBeLessThan(all / 2)
  })
})
