import type { Instant, RandomSource } from '../instant.ts'
import { ABANDON_GAP_MS, SEQUENCE_MAX } from '../limits.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import { drawReplicaId, NO_REPLICA_ID } from '../versions/replica-ids.ts'

/**
 * The replica id under which this peer writes to partitions that it has no whole copy of. It is drawn at every opening, and its
 * sequence numbers begin with 1 in each partition: what this peer gave out in earlier lives it cannot know, since it does not
 * have the partition.
 */
export class WriterId {
  readonly #ids: ReplicaIds
  readonly #random: RandomSource
  readonly #lasts: boolean
  readonly #sequences = new Map<string, number>()
  #index: number | undefined
  #renewedAtMs = -Infinity

  /** `lasts`: false where nothing of this peer lasts, so that others issue its rows under ids of theirs. */
  constructor(ids: ReplicaIds, random: RandomSource, lasts: boolean) {
    this.#ids = ids
    this.#random = random
    this.#lasts = lasts
  }

  /** The id's number in `ReplicaIds`. Drawn with the first write: most peers never need one. */
  get index(): number {
    this.#index ??= this.#ids.intern(this.#lasts ? drawReplicaId(this.#random) : NO_REPLICA_ID)
    return this.#index
  }

  get id(): ReplicaId {
    return this.#ids.id(this.index)
  }

  /** Whether it has this number. */
  is(index: number): boolean {
    return index === this.#index
  }

  /** The highest sequence number that was given out in a partition. */
  given(name: PartitionName): number {
    return this.#sequences.get(nameKey(name)) ?? 0
  }

  /** The dot of the next write to a partition. The id is drawn again when all sequence numbers are used up. */
  next(name: PartitionName): { readonly writer: number; readonly sequence: number } {
    if (this.given(name) >= SEQUENCE_MAX) this.#draw()
    const sequence = this.given(name) + 1
    this.#sequences.set(nameKey(name), sequence)
    return { writer: this.index, sequence }
  }

  /** Another id from here on. False soon after the last time, because any peer can claim that the id is in use. */
  renew(now: Instant): boolean {
    if (now.monotonicMs - this.#renewedAtMs < ABANDON_GAP_MS) return false
    this.#renewedAtMs = now.monotonicMs
    this.#draw()
    return true
  }

  #draw(): void {
    this.#index = undefined
    this.#sequences.clear()
  }
}
