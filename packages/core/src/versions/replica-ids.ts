import { GridError } from '../errors.ts'
import { hashText } from '../bytes/hash.ts'
import type { RandomSource } from '../instant.ts'
import { REPLICA_IDS_MAX } from '../limits.ts'

/** Sixteen lower-case hexadecimal digits. A peer keeps its replica id as long as its stored state is sound. */
export type ReplicaId = string

/**
 * Gives each replica id that this peer meets a number, so that columns hold 4 bytes where the id has 16 characters. Such a
 * number is called `writer` everywhere. It means something on this peer only.
 */
export class ReplicaIds {
  readonly #ids: ReplicaId[] = []
  readonly #hashes: number[] = []
  readonly #indexes = new Map<ReplicaId, number>()

  get count(): number {
    return this.#ids.length
  }

  /** The number of an id; a new id gets the next one. Throws `REPLICA_ID_REFUSED` past a million ids. */
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

  /** The number of an id; undefined for one that has none. */
  indexOf(id: ReplicaId): number | undefined {
    return this.#indexes.get(id)
  }

  id(writer: number): ReplicaId {
    return this.#ids[writer]!
  }

  /** Hash of an id, the same on every peer. */
  hash(writer: number): number {
    return this.#hashes[writer]!
  }
}

/** Stands for no replica id, in rows that another peer is to issue under one of its own. */
export const NO_REPLICA_ID: ReplicaId = '0'.repeat(16)

/** Stands for what others have written, in a copy that no other peer compares with its own: see `LocalWrites.adopt`. No peer sends it. */
export const ADOPTED_REPLICA_ID: ReplicaId = 'f'.repeat(16)

/** A replica id that no other peer has. */
export function drawReplicaId(random: RandomSource): ReplicaId {
  let id = ''
  for (let i = 0; i < 2; i++) id += random.uint32().toString(16).padStart(8, '0')
  return id
}

/** The same on every peer. */
export function hashReplicaId(id: ReplicaId): number {
  return hashText(id, 0x1d5)
}
