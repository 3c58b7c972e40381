import type { Instant, Peer } from '@gossipgrid/core'
import type { Violation } from './checkers.ts'
import type { Random } from './random.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/**
 * An application on top of all peers: it does with one kind of collection what the SDK does, and knows by itself, from
 * what it did and was told, what the collection has to be in the end.
 */
export interface Application {
  readonly collections: readonly SimulatedCollection[]
  /** Does something at a machine, which may be down. */
  act(machine: SimulatedPeer, random: Random): void
  /** Deletes something that is there, if there is anything. */
  remove(machine: SimulatedPeer, random: Random): void
  /** Looks at something at a machine that is up. */
  read(machine: SimulatedPeer, random: Random): void
  /** A row of one of its collections has changed at a machine, in the middle of a step. */
  changed?(machine: SimulatedPeer, key: string): void
  /** A machine has taken a step. */
  stepped?(machine: SimulatedPeer): void
  /** Whether a machine has nothing left to write of its own accord, now that all trouble is over and nobody acts any more. */
  isDone?(machine: SimulatedPeer): boolean
  /** What is wrong with what a peer holds now that everybody has everything. */
  check(peer: Peer, now: Instant): Violation | undefined
}
