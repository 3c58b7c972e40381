import type { Instant } from '../instant.ts'
import { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import { Ownership } from './ownership.ts'
import type { OwnershipDeps } from './ownership.ts'

/** What a peer is opened with to take part in partitioned collections. Who does not use it does not load it. */
export interface Partitioning {
  placement(peerId: PeerId): Rendezvous
  ownership(deps: Omit<OwnershipDeps, 'joins'>, now: Instant): Ownership
}

/** `joins`: the peer is to join a grid that exists, so it registers no collection before it has met that grid. */
export function partitioning({ joins }: { readonly joins: boolean }): Partitioning {
  return {
    placement: (peerId) => new Rendezvous(peerId),
    ownership: (deps, now) => new Ownership({ ...deps, joins }, now),
  }
}
