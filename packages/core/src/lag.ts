import type { Collections } from './collections.ts'
import type { SeenPart } from './anti-entropy.ts'
import type { PeerId } from './ports.ts'
import { VersionVector } from './version-vector.ts'

/** How one partition here compares with what another peer last said of its own. */
export interface Lag {
  readonly peerId: PeerId
  /** Monotonic milliseconds at which it said so. */
  readonly toldAtMs: number
  /** Writes it has seen and this peer has not. */
  readonly behind: number
  /** Writes this peer has seen and it has not. */
  readonly ahead: number
}

/** What the other peers were last heard to have seen: the ground for saying "equal" or "so many writes behind". */
export class LagTable {
  readonly #collections: Collections
  readonly #told = new Map<PeerId, { readonly toldAtMs: number; readonly vectors: Map<string, VersionVector> }>()

  constructor(collections: Collections) {
    this.#collections = collections
  }

  told(peerId: PeerId, parts: readonly SeenPart[], nowMs: number): void {
    const vectors = new Map<string, VersionVector>()
    for (const part of parts) vectors.set(`${part.partition} ${part.collection}`, part.seen)
    this.#told.set(peerId, { toldAtMs: nowMs, vectors })
  }

  forget(peerId: PeerId): void {
    this.#told.delete(peerId)
  }

  /** Writes that `parts` show and this peer lacks. */
  missing(parts: readonly SeenPart[]): number {
    let count = 0
    for (const part of parts) {
      const held = this.#collections.get(part.collection)?.partitions[part.partition]?.replica.vector
      count += part.seen.countMissingIn(held ?? new VersionVector())
    }
    return count
  }

  /** How a collection compares with every peer that has told. */
  of(collection: string): Lag[] {
    const partitions = this.#collections.get(collection)?.partitions ?? []
    const lags: Lag[] = []
    for (const [peerId, { toldAtMs, vectors }] of this.#told) {
      let behind = 0
      let ahead = 0
      for (const { name, replica } of partitions) {
        const theirs = vectors.get(`${name.partition} ${collection}`) ?? new VersionVector()
        behind += theirs.countMissingIn(replica.vector)
        ahead += replica.vector.countMissingIn(theirs)
      }
      lags.push({ peerId, toldAtMs, behind, ahead })
    }
    return lags
  }
}
