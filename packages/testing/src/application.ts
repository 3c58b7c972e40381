import type { Instant, Peer } from '@gossipgrid/core'
import type { Violation } from './checkers.ts'
import type { Random } from './random.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/**
 * Uses one kind of collection at every peer, as the SDK would. It records what it did and which writes were
 * acknowledged, and from that alone knows what the collection must contain in the end.
 */
export interface Application {
  readonly collections: readonly SimulatedCollection[]
  /** Does something at a machine, which may be down. */
  act(machine: SimulatedPeer, random: Random): void
  /** Deletes an existing entry, if there is one. */
  remove(machine: SimulatedPeer, random: Random): void
  /** Reads something at a machine that is up. */
  read(machine: SimulatedPeer, random: Random): void
  /** A row of one of its collections has changed at a machine, in the middle of a step. */
  changed?(machine: SimulatedPeer, key: string): void
  /** A machine has taken a step. */
  stepped?(machine: SimulatedPeer): void
  /**
   * Whether a machine has written all that it writes on its own. Asked when the faults are healed and the applications
   * have stopped.
   */
  isDone?(machine: SimulatedPeer): boolean
  /** What is wrong with the state of a peer, once all peers have received everything. */
  check(peer: Peer, now: Instant): Violation | undefined
}
