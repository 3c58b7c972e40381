import { kindCode } from '../kinds/kinds.ts'
import { COPIES_COMPARED_MAX_MS } from '../limits.ts'
import { hasBit, setBit } from '../placement/partition-copies.ts'
import type { PartitionedCollection, Rendezvous } from '../placement/rendezvous.ts'
import { partitionNumber } from '../wire/partition-numbers.ts'
import type { PartitionName } from '../wire/block.ts'
import type { OwnerRows } from './owner-rows.ts'

/** Peers may learn of the last owner's new copies only later: so long, an instruction to begin again waits for that. */
const AGAIN_KEPT_MS = 60_000

/** Partitions of one collection. */
export interface PartitionsOf {
  readonly collection: PartitionedCollection
  /** Their places, from 0. */
  readonly indexes: readonly number[]
}

/**
 * The partitions of which no registered peer has a whole copy any more, as when all disks that had one are lost. They stay so until a
 * peer with a whole copy comes back, or an operator has them begin again with what other peers still have of them.
 */
export class LostPartitions {
  readonly #placement: Rendezvous
  readonly #rows: OwnerRows
  /** By collection: since when each partition is lost, in monotonic milliseconds. */
  #lost = new Map<string, { readonly of: PartitionedCollection; readonly sinceMs: Map<number, number> }>()
  readonly #reported = new Set<string>()
  #again: ReturnType<OwnerRows['again']> = []
  #lookedAt = -1

  constructor(placement: Rendezvous, rows: OwnerRows) {
    this.#placement = placement
    this.#rows = rows
  }

  /** Whether no whole copy of a partition is known. */
  has({ descriptor }: PartitionedCollection, index: number): boolean {
    return this.#lost.get(keyOf(descriptor))?.sinceMs.has(index) === true
  }

  /** All that are lost for half a minute. Until then, rows of the registry may be on their way. */
  settled(nowMs: number): PartitionsOf[] {
    return [...this.#lost.values()].flatMap(({ of: collection, sinceMs }) => {
      const old = [...sinceMs].filter(([, since]) => nowMs - since >= COPIES_COMPARED_MAX_MS)
      return old.length === 0 ? [] : [{ collection, indexes: old.map(([index]) => index) }]
    })
  }

  /** Looks at what the registry says. Returns what is lost and was not returned before. */
  look(nowMs: number): PartitionsOf[] {
    if (this.#lookedAt !== this.#placement.changes) this.#read(nowMs)
    this.#lookedAt = this.#placement.changes
    return this.settled(nowMs).flatMap(({ collection, indexes }) => {
      const news = indexes.filter((index) => !this.#reported.has(`${index} ${keyOf(collection.descriptor)}`))
      for (const index of news) this.#reported.add(`${index} ${keyOf(collection.descriptor)}`)
      return news.length === 0 ? [] : [{ collection, indexes: news }]
    })
  }

  /** Has the lost partitions of a collection begin again at their first owners. Returns how many. */
  beginAgain(collection: PartitionedCollection): number {
    const { descriptor, origin } = collection
    const indexes = [...(this.#lost.get(keyOf(descriptor))?.sinceMs.keys() ?? [])]
    if (indexes.length === 0) return 0
    const partitions = new Uint8Array(descriptor.partitions >> 3)
    for (const index of indexes) setBit(partitions, index)
    this.#rows.beginAgain({ name: descriptor.name, kind: kindCode(descriptor), origin, partitions })
    return indexes.length
  }

  /** The lost partitions that this peer, their first owner, is to begin again. Instructions that are carried out are removed. */
  toBegin(wallMs: number): { readonly name: PartitionName; readonly origin: string }[] {
    const found: { name: PartitionName; origin: string }[] = []
    for (const { key, atMs, name: collection, kind, origin, partitions } of this.#again) {
      let isOpen = wallMs - atMs < AGAIN_KEPT_MS
      for (let index = 0; index < partitions.length * 8; index++) {
        const name = { collection, kind, partition: partitionNumber(partitions.length * 8, index) }
        const registered = this.#placement.registered(name)
        if (!hasBit(partitions, index) || registered?.origin !== origin || !this.has(registered, index)) continue
        isOpen = true
        const [first] = this.#placement.owners(name) as ReadonlySet<string>
        if (first === this.#placement.peerId) found.push({ name, origin })
      }
      if (!isOpen) this.#rows.removeAgain(key)
    }
    return found
  }

  #read(nowMs: number): void {
    const before = this.#lost
    this.#again = this.#rows.again()
    this.#lost = new Map()
    for (const collection of this.#placement.collections) {
      const { descriptor } = collection
      const key = keyOf(descriptor)
      const whole = this.#placement.wholeSomewhere(collection)
      const sinceMs = new Map<number, number>()
      for (let index = 0; index < descriptor.partitions; index++) {
        if (hasBit(whole, index)) this.#reported.delete(`${index} ${key}`)
        else sinceMs.set(index, before.get(key)?.sinceMs.get(index) ?? nowMs)
      }
      if (sinceMs.size > 0) this.#lost.set(key, { of: collection, sinceMs })
    }
  }
}

function keyOf(descriptor: PartitionedCollection['descriptor']): string {
  return `${kindCode(descriptor)} ${descriptor.partitions} ${descriptor.name}`
}
