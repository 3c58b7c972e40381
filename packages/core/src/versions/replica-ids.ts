import { GridError } from '../errors.ts'
import { hashText } from '../bytes/hash.ts'
import { REPLICA_IDS_MAX } from '../limits.ts'

/** Sixteen lower-case hexadecimal digits: one durable life of one peer's state. */
export type ReplicaId = string

/** Numbers the replica ids this peer has met, so that columns hold 4 bytes where the id has 16 characters. */
export class ReplicaIds {
  readonly #ids: ReplicaId[] = []
  readonly #hashes: number[] = []
  readonly #indexes = new Map<ReplicaId, number>()

  get count(): number {
    return this.#ids.length
  }

  /** The number of an id, given on first sight. Throws `REPLICA_ID_REFUSED` past a million ids. */
  intern(id: ReplicaId): number {
    const known = this.#indexes.get(id)
    if (known !== undefined) return known
    if (this.#ids.length >= REPLICA_IDS_MAX) {
      throw new GridError('REPLICA_ID_REFUSED', `more than ${REPLICA_IDS_MAX} replica ids`)
    }
    const index = this.#ids.length
    this.#ids.push(id)
    this.#hashes.push(hashReplicaId(id))
    this.#indexes.set(id, index)
    return index
  }

  indexOf(id: ReplicaId): number | undefined {
    return this.#indexes.get(id)
  }

  id(index: number): ReplicaId {
    return this.#ids[index]!
  }

  /** Hash of an id, the same on every peer. */
  hash(index: number): number {
    return this.#hashes[index]!
  }
}

/** The same on every peer. */
export function hashReplicaId(id: ReplicaId): number {
  return hashText(id, 0x1d5)
}
