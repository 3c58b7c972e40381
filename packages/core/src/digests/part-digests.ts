import { nameKey } from '../wire/block.ts'
import type { Collections } from '../replica/collections.ts'
import { Floor } from '../versions/floor.ts'
import { hashHex } from '../bytes/hash.ts'
import { MESSAGE_MAX_BYTES, PART_DIGEST_MAX_BYTES } from '../limits.ts'
import type { PartDigest } from '../wire/messages.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { decodeForeignVector, encodeVector } from '../versions/vector-codec.ts'
import type { VersionVector } from '../versions/version-vector.ts'

/** A part digest with its vector decoded, standing on its floor. */
export interface SeenPart extends PartDigest {
  readonly seen: VersionVector
  /** The floor that the vector stands on; undefined when it is the one here. */
  readonly otherFloor: Floor | undefined
}

/** What this peer says of its partitions, and how it reads what others say of theirs. */
export class PartDigests {
  readonly #collections: Collections
  readonly #ids: ReplicaIds

  constructor(collections: Collections, ids: ReplicaIds) {
    this.#collections = collections
    this.#ids = ids
  }

  /**
   * What this peer has seen of each partition that it holds in common with another one, as far as one message can say it;
   * with the purge floors if wanted. Without a peer: of what every peer holds.
   */
  parts(peer?: PeerId, floors: boolean = false): PartDigest[] {
    const parts: PartDigest[] = []
    let sizeBytes = 0
    for (const { name, replica } of this.#collections.shared(peer)) {
      if (replica.vector.isEmpty) continue
      const { floor } = replica
      const ofFloor = {
        ...(floor.isEmpty ? {} : { floorHash: floor.hash }),
        ...(floor.isEmpty || !floors ? {} : { floor: floor.encode() }),
      }
      const vector = encodeVector(replica.vector, this.#ids)
      sizeBytes += vector.length + (ofFloor.floor?.length ?? 0) + PART_DIGEST_MAX_BYTES
      // What is left out is sent whole by the other peer: dear, but right.
      if (sizeBytes > MESSAGE_MAX_BYTES / 2) break
      parts.push({ ...name, fingerprint: hashHex(replica.fingerprint), vector, ...ofFloor })
    }
    return parts
  }

  /** Leaves out what this peer does not hold in common with the sender. Throws `MESSAGE_MALFORMED`. */
  decode(from: PeerId, parts: readonly PartDigest[]): SeenPart[] {
    const { placement } = this.#collections
    const shared = parts.filter((part) => placement.shares(part, from))
    return shared.map((part) => {
      const seen = decodeForeignVector(part.vector, this.#ids)
      const here = this.#collections.find(part)?.replica.floor
      const same = (part.floorHash ?? '') === (here?.hash ?? '')
      const otherFloor = same
        ? undefined
        : part.floor === undefined
          ? Floor.empty(this.#ids)
          : Floor.decode(part.floor, this.#ids)
      // Where the floor was not sent, as in a heartbeat, the one here is the best guess.
      const isUntold = part.floor === undefined && part.floorHash !== undefined
      seen.setFloor(same || isUntold ? here : otherFloor)
      return { ...part, seen, otherFloor }
    })
  }

  /** The hashes that open a session. */
  roots(peer: PeerId): { readonly root: string; readonly floors?: string } {
    const floors = this.#collections.floors(peer)
    return { root: this.#collections.root(peer), ...(floors === '' ? {} : { floors }) }
  }

  /** Whether any partition stands on another floor than the other side's. */
  differInFloors(peer: PeerId, parts: readonly SeenPart[]): boolean {
    const reported = new Map(parts.map((part) => [nameKey(part), part.floorHash ?? '']))
    for (const { name, replica } of this.#collections.shared(peer)) {
      if (replica.floor.hash !== (reported.get(nameKey(name)) ?? '')) return true
    }
    return parts.some(({ otherFloor }) => otherFloor !== undefined)
  }
}
