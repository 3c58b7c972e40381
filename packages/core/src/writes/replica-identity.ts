import type { Collections, Partition } from '../replica/collections.ts'
import type { Instant, RandomSource } from '../instant.ts'
import { rulesOf } from '../kinds/kinds.ts'
import { ABANDON_GAP_MAX_MS, ABANDON_GAP_MS } from '../limits.ts'
import { drawReplicaId } from '../versions/replica-ids.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import type { Row } from '../entries/entry-table.ts'

/**
 * The replica id under which this peer writes. If one dot were given to two writes, peers would differ for ever without a
 * sign. So a peer gives up its replica id at the first sign that its stored state was lost, copied or restored.
 */
export class ReplicaIdentity {
  readonly ids: ReplicaIds
  readonly #collections: Collections
  readonly #random: RandomSource
  /** See `Peer.slotId`. */
  slotId: string
  /** Heads of the own replica id when the peer was opened. Later writes are above them. */
  readonly #openingHeads = new WeakMap<Partition, number>()
  #index: number
  /** Why the replica id is to be given up as soon as it may be; '' if there is no reason. */
  #suspicion = ''
  #gapMs = 0
  #restsUntilMs = -Infinity

  constructor(ids: ReplicaIds, collections: Collections, random: RandomSource, stored: ReplicaId | undefined) {
    this.ids = ids
    this.#collections = collections
    this.#random = random
    this.#index = ids.intern(stored ?? drawReplicaId(random))
    this.slotId = drawReplicaId(this.#random)
    for (const partition of collections.partitions()) {
      this.#openingHeads.set(partition, partition.replica.vector.highest(this.#index))
    }
  }

  get id(): ReplicaId {
    return this.ids.id(this.#index)
  }

  /** The id's number in `ReplicaIds`. */
  get index(): number {
    return this.#index
  }

  /** The sequence number of the next write to a partition. */
  nextSequence(partition: Partition): number {
    return partition.replica.vector.highest(this.#index) + 1
  }

  /** When an id that another peer seems to use may be abandoned. */
  get wakeAtMs(): number {
    return this.#suspicion === '' ? Infinity : this.#restsUntilMs
  }

  /**
   * Another peer shows writes of this id that this peer has not given out. True when the id is to be abandoned at once. Soon
   * after the last time it has to wait: any peer can claim that again, and issuing all writes again has a price.
   */
  suspect(reason: string, now: Instant): boolean {
    if (now.monotonicMs >= this.#restsUntilMs) return true
    this.#suspicion = reason
    return false
  }

  /** Why the id is to be abandoned now, or ''. */
  due(now: Instant): string {
    return now.monotonicMs >= this.#restsUntilMs ? this.#suspicion : ''
  }

  /** The id is being abandoned: no other time before a while has passed. */
  rest(now: Instant): void {
    const calm = now.monotonicMs - this.#restsUntilMs > ABANDON_GAP_MAX_MS
    this.#gapMs = calm ? ABANDON_GAP_MS : Math.min(this.#gapMs * 2, ABANDON_GAP_MAX_MS)
    this.#restsUntilMs = now.monotonicMs + this.#gapMs
    this.#suspicion = ''
  }

  /**
   * Takes a new replica id. Writes under the old one since opening may share dots with writes of another peer that uses it.
   * So they are issued again under the new id with the same HLC timestamp (`rewrite` logs each), and of the old id only the
   * dots that were there at opening count as seen.
   */
  abandon(rewrite: (partition: Partition, row: Row) => void): void {
    const old = this.#index
    this.#index = this.ids.intern(drawReplicaId(this.#random))
    for (const partition of this.#collections.partitions()) {
      const { replica } = partition
      const openingHead = this.#openingHeads.get(partition) ?? 0
      const highest = replica.vector.highest(old)
      this.#openingHeads.set(partition, 0)
      if (highest <= openingHead) continue
      const slots: number[] = []
      replica.visitDots([{ writer: old, first: openingHead + 1, last: highest }], (slot) => slots.push(slot) > 0)
      replica.vector.truncate(old, openingHead)
      const rules = rulesOf(partition.name.kind)
      for (const slot of slots) {
        const value = rules?.reissuedValue?.(replica.row(slot), this.ids.id(old))
        replica.redot(slot, this.#index, this.nextSequence(partition), value)
        rewrite(partition, replica.row(slot))
      }
    }
  }
}
