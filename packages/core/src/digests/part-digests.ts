import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import type { Replica } from '../replica/replica.ts'
import { Floor } from '../versions/floor.ts'
import { hashHex } from '../bytes/hash.ts'
import { MESSAGE_MAX_BYTES, MESSAGE_PARTS_MAX, PART_DIGEST_MAX_BYTES } from '../limits.ts'
import type { PartDigest } from '../wire/messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { SharedPartitions } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { decodeForeignVector, encodeVector } from '../versions/vector-codec.ts'
import { VersionVector } from '../versions/version-vector.ts'

/** The fingerprint of a partition without entries. */
const NOTHING = hashHex({ high: 0, low: 0 })

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
  /** The first partition that did not fit into the last message. */
  #first: PartitionName | undefined

  constructor(collections: Collections, ids: ReplicaIds) {
    this.#collections = collections
    this.#ids = ids
  }

  /**
   * What this peer has seen of each partition that it holds in common with another one, as far as one message can say it;
   * with the purge floors if wanted. Without a peer: of what every peer holds.
   */
  parts(isShared?: SharedPartitions, floors: boolean = false): PartDigest[] {
    return this.partsThatFit(isShared, floors).parts
  }

  /** The same; `more` if partitions of partitioned collections did not fit. Of those, others do next time. */
  partsThatFit(isShared: SharedPartitions | undefined, floors: boolean): { parts: PartDigest[]; more?: true } {
    const shared = this.#inTurn(isShared)
    const parts: PartDigest[] = []
    let sizeBytes = 0
    for (const [place, { name, replica }] of shared.entries()) {
      if (replica.vector.isEmpty) continue
      const part = this.#digestOf(name, replica, floors)
      sizeBytes += part.vector.length + (part.floor?.length ?? 0) + PART_DIGEST_MAX_BYTES
      if (sizeBytes > this.partsMaxBytes || (!isReplicated(name) && parts.length >= this.partsMax)) {
        // What is replicated and left out is sent whole by the other peer: dear, but right.
        const left = shared.slice(place).find((each) => !isReplicated(each.name))
        this.#first = left?.name
        return left === undefined ? { parts } : { parts, more: true }
      }
      parts.push(part)
    }
    this.#first = undefined
    return { parts }
  }

  /** What this peer has seen of one partition, without its purge floor: nothing, where it has no row of it yet. */
  part(name: PartitionName): PartDigest {
    const replica = this.#collections.find(name)?.replica
    if (replica !== undefined) return this.#digestOf(name, replica, false)
    return { ...name, fingerprint: NOTHING, vector: encodeVector(new VersionVector(), this.#ids) }
  }

  #digestOf(name: PartitionName, { fingerprint, floor, vector }: Replica, floors: boolean): PartDigest {
    return {
      ...name,
      fingerprint: hashHex(fingerprint),
      vector: encodeVector(vector, this.#ids),
      ...(floor.isEmpty ? {} : { floorHash: floor.hash }),
      ...(floor.isEmpty || !floors ? {} : { floor: floor.encode() }),
    }
  }

  /** Bytes of all parts in one message: a seam, so that tests can do with few. */
  get partsMaxBytes(): number {
    return MESSAGE_MAX_BYTES / 2
  }

  /** Parts in one message, in two lists. What is replicated leaves room for as many partitions as fit into one of them, or nearly. */
  get partsMax(): number {
    return 2 * MESSAGE_PARTS_MAX
  }

  /** What is replicated first; then the partitions, beginning with the one that did not fit last time. */
  #inTurn(isShared: SharedPartitions | undefined): Partition[] {
    const shared = [...this.#collections.shared(isShared)]
    const partitions = shared.filter(({ name }) => !isReplicated(name))
    if (partitions.length === 0) return shared
    const replicated = shared.filter(({ name }) => isReplicated(name))
    const first = this.#first === undefined ? undefined : nameKey(this.#first)
    const at = Math.max(
      0,
      partitions.findIndex(({ name }) => nameKey(name) === first),
    )
    return [...replicated, ...partitions.slice(at), ...partitions.slice(0, at)]
  }

  /** Leaves out what this peer does not hold in common with the sender, and what was dropped. Throws `MESSAGE_MALFORMED`. */
  decode(from: PeerId | SharedPartitions, parts: readonly PartDigest[]): SeenPart[] {
    const { dropped, placement } = this.#collections
    const isShared = (part: PartDigest): boolean =>
      typeof from === 'function' ? from(part) : placement.shares(part, from)
    const shared = parts.filter((part) => isShared(part) && !dropped.isDropped(part))
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
  differInFloors(isShared: SharedPartitions, parts: readonly SeenPart[]): boolean {
    const reported = new Map(parts.map((part) => [nameKey(part), part.floorHash ?? '']))
    for (const { name, replica } of this.#collections.shared(isShared)) {
      if (replica.floor.hash !== (reported.get(nameKey(name)) ?? '')) return true
    }
    return parts.some(({ otherFloor }) => otherFloor !== undefined)
  }
}
