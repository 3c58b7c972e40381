import type { AntiEntropy } from './anti-entropy.ts'
import type { Collections } from '../replica/collections.ts'
import { GridError } from '../errors.ts'
import { hashHex } from '../bytes/hash.ts'
import type { Instant } from '../instant.ts'
import type { LagTable } from '../digests/lag.ts'
import { ANNOUNCE_VECTORS_MAX_BYTES, HEARTBEAT_MS } from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { Message, PartDigest } from '../wire/messages.ts'
import type { SeenPart } from '../digests/part-digests.ts'
import type { SeenVectors } from '../digests/seen-vectors.ts'
import type { PeerId } from '../ports.ts'
import { REPLICA_MIN_BYTES } from '../versions/vector-codec.ts'

export type Announce = Extract<Message, { readonly type: 'announce' }>

export interface AnnouncementsDeps {
  readonly antiEntropy: AntiEntropy
  readonly collections: Collections
  readonly lag: LagTable
  readonly membership: Membership
  readonly seenVectors: SeenVectors
}

/** What peers broadcast with every heartbeat: "I am here, and this is what I have seen". */
export class Announcements {
  readonly #deps: AnnouncementsDeps

  constructor(deps: AnnouncementsDeps) {
    this.#deps = deps
  }

  /** `root`: the hash over what every peer holds. `bulk`: frames were left out, come and get them. */
  compose(root: string, bulk: boolean, wallMs: number | undefined): Announce {
    const { antiEntropy, collections, membership } = this.#deps
    let ids = 0
    for (const { replica } of collections.shared()) ids += replica.vector.size
    // Most of what is too large need not be encoded to find out.
    const all = ids * REPLICA_MIN_BYTES > ANNOUNCE_VECTORS_MAX_BYTES ? undefined : antiEntropy.digests.parts()
    const parts = all !== undefined && sizeOf(all) <= ANNOUNCE_VECTORS_MAX_BYTES ? all : undefined
    return {
      type: 'announce',
      member: membership.self,
      root,
      bulk,
      parts,
      ...(wallMs === undefined ? {} : { wallMs }),
    }
  }

  /** The vectors of an announce, if it has any. Throws `MESSAGE_MALFORMED` for what no honest peer announces. */
  read(from: PeerId, { member, parts }: Announce): SeenPart[] | undefined {
    if (member.peerId !== from) throw new GridError('MESSAGE_MALFORMED', 'an announce of another')
    if (parts === undefined) return undefined
    if (sizeOf(parts) > ANNOUNCE_VECTORS_MAX_BYTES) {
      throw new GridError('MESSAGE_MALFORMED', 'an announce with vectors that are too large for it')
    }
    return this.#deps.antiEntropy.digests.decode(from, parts)
  }

  /** Compares what another peer has seen with what is here, and asks for what is missing. */
  compare(from: PeerId, announce: Announce, parts: readonly SeenPart[] | undefined, now: Instant): void {
    const { antiEntropy, collections, lag, membership, seenVectors } = this.#deps
    if (parts !== undefined) seenVectors.record(from, parts, now)
    lag.recordRoot(from, announce.root, now.monotonicMs)
    // A peer that the full table of members has no place for is never reported as gone.
    if (membership.get(from) === undefined) lag.forget(from)
    if (announce.root === collections.root()) return
    // It may hold what there is no room for here: sessions that bring nothing grow rare, as everywhere.
    const patienceMs = Math.max(HEARTBEAT_MS, antiEntropy.gapDelayMs(from, now))
    if (parts === undefined) antiEntropy.wantFrom(from, now, announce.bulk ? 0 : patienceMs)
    else if (lag.missing(parts) > 0) antiEntropy.wantFrom(from, now, announce.bulk ? 0 : undefined)
    else if (this.#unequal(parts)) antiEntropy.wantFrom(from, now)
  }

  /** Whether one that has seen nothing more holds something else: then one of the two has lost or given out dots twice. */
  #unequal(parts: readonly SeenPart[]): boolean {
    return parts.some((part) => {
      const { seen, fingerprint, otherFloor } = part
      const replica = this.#deps.collections.find(part)?.replica
      if (replica === undefined || replica.vector.countMissingIn(seen) > 0) return false
      return otherFloor !== undefined || fingerprint !== hashHex(replica.fingerprint)
    })
  }
}

function sizeOf(parts: readonly PartDigest[]): number {
  return parts.reduce((sum, part) => sum + part.vector.length + part.collection.length + 64, 0)
}
