import type { Collections, Partition } from '../replica/collections.ts'
import type { Instant, RandomSource } from '../instant.ts'
import { rulesOf } from '../kinds/kinds.ts'
import { ABANDON_GAP_MAX_MS, ABANDON_GAP_MS } from '../limits.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import type { Row } from '../entries/entry-table.ts'

/**
 * The replica id this peer writes under. A dot given out twice would be silent divergence for ever, so an id is
 * abandoned at the first sign that its state was lost, copied or restored.
 */
export class ReplicaIdentity {
  readonly ids: ReplicaIds
  readonly #collections: Collections
  readonly #random: RandomSource
  readonly slotId: string
  /** Heads of the own id as opening found them: what lies above was written since. */
  readonly #openingHeads = new WeakMap<Partition, number>()
  #index: number
  /** Why the id is to be abandoned once it may be, '' while nothing speaks against it. */
  #suspicion = ''
  #gapMs = 0
  #restsUntilMs = -Infinity

  constructor(ids: ReplicaIds, collections: Collections, random: RandomSource, stored: ReplicaId | undefined) {
    this.ids = ids
    this.#collections = collections
    this.#random = random
    this.#index = ids.intern(stored ?? this.#draw())
    this.slotId = this.#draw()
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
   * Takes a new id. What was written under the old one since opening may share dots with writes of whoever else uses
   * it: it is issued anew under the new id, by `rewrite`, with its HLC, and the old id counts as seen only as far as
   * opening found it.
   */
  abandon(rewrite: (partition: Partition, row: Row) => void): void {
    const old = this.#index
    this.#index = this.ids.intern(this.#draw())
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

  #draw(): ReplicaId {
    let id = ''
    for (let i = 0; i < 2; i++) id += this.#random.uint32().toString(16).padStart(8, '0')
    return id
  }
}
