import type { Followed, FollowedKey, PartitionName } from '@gossipgrid/core'
import type { Violation } from './checkers.ts'
import type { EventQueue } from './event-queue.ts'
import { PARTITIONS, nameOf } from './partition-ledger.ts'
import type { PartitionLedger } from './partition-ledger.ts'
import { copyKey, isOwner } from './partition-witness.ts'
import type { Witness } from './partition-witness.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** How many partitions of a collection are followed. */
const FOLLOWED = 4

/** What a reader was given of a key last, by the date of the row. */
interface Given {
  readonly hlc: number
  readonly isLive: boolean
}

/** One reader of one partition, which goes on after each start of its machine. */
interface Reader {
  readonly machine: SimulatedPeer
  readonly name: PartitionName
  readonly given: Map<string, Given>
  cursor: Uint8Array | undefined
  /** The life of the machine in which it asks. */
  life: number
}

export interface PartitionFollowsDeps {
  readonly collections: readonly string[]
  readonly ledger: PartitionLedger
  readonly machines: readonly SimulatedPeer[]
  readonly queue: EventQueue
}

/**
 * Readers that follow partitions, over restarts of their machines, splits, and absences of weeks. In the end each of them was given the
 * last version of every key, whichever owners answered, and none that is gone stays.
 */
export class PartitionFollows {
  /** How often a reader was given something, and had to begin again. */
  answers = 0
  resets = 0
  readonly #deps: PartitionFollowsDeps
  readonly #readers: Reader[] = []

  constructor(deps: PartitionFollowsDeps) {
    this.#deps = deps
  }

  /** The first and the last machine follow. */
  start(): void {
    const { collections, machines } = this.#deps
    for (const machine of new Set([machines[0]!, machines.at(-1)!])) {
      for (const collection of collections) {
        for (const name of followedOf(collection)) {
          this.#readers.push({ machine, name, given: new Map(), cursor: undefined, life: 0 })
        }
      }
    }
  }

  /** Readers whose machines were started ask. */
  look(): void {
    for (const reader of this.#readers) {
      const { machine } = reader
      if (machine.peer === undefined || reader.life === machine.life) continue
      reader.life = machine.life
      this.#ask(reader)
    }
  }

  /** What a reader was not given, although all owners have it. */
  behind(witnesses: readonly Witness[]): Violation | undefined {
    for (const reader of this.#readers) {
      const owner = witnesses.find(({ peer }) => isOwner(peer, reader.name))
      if (reader.machine.peer === undefined || owner === undefined) continue
      const wrong = this.#wrongOf(reader, owner)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  #wrongOf({ given, machine, name }: Reader, { peer }: Witness): Violation | undefined {
    const table = peer.collections.find(name)?.replica.table
    const where = `of ${copyKey(name)} at the reader of machine ${machine.index}`
    const there = new Set<string>()
    for (const slot of table?.slots() ?? []) {
      const key = table!.key(slot)
      there.add(key)
      const found = given.get(key)
      if (table!.deleted(slot)) {
        // One that has expired has the date of its value, and the reader ends it itself.
        if (found?.isLive !== true || found.hlc >= table!.hlc(slot)) continue
        return `follow: '${key}' ${where} is deleted, and it was not given that`
      }
      if (found === undefined || found.hlc < table!.hlc(slot))
        return `follow: '${key}' ${where} has a later version, which it was not given`
    }
    for (const [key, { hlc, isLive }] of given) {
      if (!isLive || there.has(key)) continue
      // What was lost with a disk, or was never acknowledged, may have been given before.
      const write = this.#deps.ledger.writes.find((each) => each.hlc === hlc && each.key === key)
      if (write !== undefined && write.acknowledged && !write.excused && write.endsAtMs === Infinity)
        return `follow: '${key}' ${where} is purged, and it still has it`
    }
    return undefined
  }

  #ask(reader: Reader): void {
    const { life, machine, name } = reader
    const { peer } = machine
    if (peer === undefined || machine.life !== life) return
    const follow = { name, prefix: '', exact: false, initial: true, since: reader.cursor }
    peer.partitions.follow(follow, machine.clock.now(), (followed) => {
      // Views of a message: what is kept is numbers alone.
      this.#take(reader, followed)
      // A caller goes on after the step that has answered it.
      this.#deps.queue.after(1, () => this.#ask(reader))
    })
    machine.take({ type: 'tick' })
  }

  #take(reader: Reader, { ahead, keys, reset, since }: Followed): void {
    this.answers += 1
    if (reset) {
      this.resets += 1
      reader.given.clear()
    }
    for (const { key, rows } of [...keys, ...ahead]) {
      const given = givenOf(rows)
      const before = reader.given.get(key)
      // A change may come twice, from an owner that is behind.
      if (given !== undefined && (before === undefined || given.hlc >= before.hlc)) reader.given.set(key, given)
    }
    reader.cursor = since
  }
}

function givenOf(rows: FollowedKey['rows']): Given | undefined {
  const [row] = rows
  return row === undefined ? undefined : { hlc: row.hlc, isLive: row.bytes !== undefined }
}

function followedOf(collection: string): PartitionName[] {
  const names = new Map<number, PartitionName>()
  for (let i = 0; names.size < Math.min(FOLLOWED, PARTITIONS); i++) {
    const name = nameOf(collection, `key ${i}`)
    names.set(name.partition, name)
  }
  return [...names.values()]
}
