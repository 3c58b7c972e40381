import { Collections } from '../replica/collections.ts'
import { hashText } from '../bytes/hash.ts'
import { HybridClock } from '../clock/hlc.ts'
import type { Instant, RandomSource } from '../instant.ts'
import type { Role } from '../wire/member-record.ts'
import { Opening } from '../storage/opening.ts'
import { LatePlacement } from '../placement/late-placement.ts'
import { Peer } from './peer.ts'
import type { PeerId } from '../ports.ts'
import type { Placement } from '../placement/placement.ts'
import type { Partitioning } from '../ownership/partitioning.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'

/** What a peer is opened with. */
export interface PeerOptions {
  readonly peerId: PeerId
  /** All peers of one grid share it; it keys the fingerprints. */
  readonly gridName: string
  readonly random: RandomSource
  /** False where the store does not outlive the program: then nothing is logged and no write is called durable. */
  readonly persistent: boolean
  readonly software: string
  /** Writes go straight to the neighbours while that reaches every member; false when left out. */
  readonly direct?: boolean
  readonly addresses?: readonly string[]
  /** `storage` when left out and persistent; a peer that is not persistent is always `light`. */
  readonly role?: Role
  readonly weight?: number
  readonly zone?: string
  /**
   * How it takes part in partitioned collections; every peer holds everything when left out. `'later'`: the code for that is not
   * loaded, and `Peer.takePart` is to be called once it is.
   */
  readonly partitioning?: Partitioning | 'later'
  /** Another placement, for tests. */
  readonly placement?: Placement
}

/** A peer that is being opened: offer it every blob under `OPENING_PREFIXES`, then finish. */
export interface PeerOpening {
  /** Takes one blob, `bytes` undefined where the store could not read it. Throws `STORAGE_FORMAT`. */
  offer(key: string, bytes: Uint8Array | undefined, reason?: string): void
  /** The store itself has lost something, and it is not known what. */
  lost(reason: string): void
  finish(now: Instant): Peer
}

/** Opens a peer on what its store holds. */
export function openPeer(options: PeerOptions): PeerOpening {
  const ids = new ReplicaIds()
  const late = options.partitioning === 'later' ? new LatePlacement() : undefined
  const partitioning = options.partitioning === 'later' ? undefined : options.partitioning
  const rendezvous = partitioning?.placement(options.peerId)
  const placement = late ?? rendezvous ?? options.placement
  const collections = new Collections(ids, hashText(options.gridName, 0x67726964), placement)
  const clock = new HybridClock()
  const opening = new Opening(collections, ids, clock, options.peerId)
  const { random, persistent, peerId, software } = options
  return {
    offer: (key, bytes, reason) => opening.offer(key, bytes, reason),
    lost: (reason) => opening.lost(reason),
    finish: (now) => {
      // A peer that forgets everything at the end of the program is no durable copy, whatever role was asked for.
      const role = persistent ? (options.role ?? 'storage') : 'light'
      const isAble = role === 'storage' || (!persistent && partitioning?.ownsInMemory === true)
      const self = {
        peerId,
        incarnation: Math.floor(now.wallMs),
        role,
        weight: options.weight ?? (isAble ? 1 : 0),
        zone: options.zone ?? '',
        addresses: options.addresses ?? [],
        software,
      }
      const opened = opening.finish(now.wallMs)
      const direct = options.direct ?? false
      const peer = new Peer({ collections, direct, ids, clock, random, opened, self, persistent, late }, now)
      if (partitioning !== undefined && rendezvous !== undefined) peer.takePart(partitioning, now, rendezvous)
      return peer
    },
  }
}
