import type { Peer } from '@gossipgrid/core'
import { LOG_PREFIX } from '@gossipgrid/core/internals'
import type { Application } from './application.ts'
import { checkContent, findDifference, findLost } from './checkers.ts'
import type { Violation } from './checkers.ts'
import { isHolder } from './peer-state.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

const LOG_MAX_BYTES = 16 * 1024 * 1024

export interface FinalResult {
  /** Acknowledged sets that are missing. */
  readonly lost: number
  /** Acknowledged deletes that were undone. */
  readonly resurrected: number
  /** Peers that differ from the first peer. */
  readonly diverged: number
  readonly violations: readonly Violation[]
}

/**
 * All of these machines are up, report the same root for the partitions they share, have stored everything, and wait
 * for nothing.
 */
export function areEqual(machines: readonly SimulatedPeer[]): boolean {
  const root = machines[0]!.peer?.collections.root()
  return machines.every(({ peer, clock, disk }, i) => {
    if (peer === undefined || disk.busy) return false
    const { backlog, quarantine } = peer.report(clock.now())
    // A quarantined row will still be applied.
    if (quarantine.rows > 0 || backlog.undurableBytes > 0 || peer.collections.root() !== root) return false
    return holdsForAll(peer) || machines.slice(i + 1).every((other) => shareRoot(peer, other.peer))
  })
}

/** All peers own everything that this peer owns, so the compared roots cover it. */
function holdsForAll({ collections }: Peer): boolean {
  return [...collections.shared()].length === [...collections.partitions()].length
}

function shareRoot(peer: Peer, other: Peer | undefined): boolean {
  return other !== undefined && peer.collections.root(other.peerId) === other.collections.root(peer.peerId)
}

/** The peer's store would give back exactly its state in memory. */
export function differsOnDisk(machine: SimulatedPeer, applications: readonly Application[]): Violation | undefined {
  if (!machine.persistent) return undefined
  const collections = applications.flatMap((application) => application.collections)
  const difference = findDifference(machine.peer!, machine.stored(), collections)
  return difference === undefined ? undefined : `stored: ${difference}`
}

/** Compares all machines, which are up and have exchanged everything, with the ledger and with each other. */
export function checkEnd(
  ledger: Ledger,
  machines: readonly SimulatedPeer[],
  applications: readonly Application[],
): FinalResult {
  const collections = applications.flatMap((application) => application.collections)
  const found = { lost: 0, resurrected: 0, diverged: 0 }
  const violations: (Violation | undefined)[] = []
  const references = referencesOf(machines, collections)
  for (const [reference, checked] of references) violations.push(checkContent(ledger, reference, checked))
  for (const machine of machines) {
    const peer = machine.peer!
    const difference = firstOf(references.keys(), (reference) => findDifference(reference, peer, collections))
    if (difference !== undefined) found.diverged += 1
    violations.push(difference)
    const { lost, resurrected, first: loss } = findLost(ledger, peer)
    found.lost = Math.max(found.lost, lost)
    found.resurrected = Math.max(found.resurrected, resurrected)
    violations.push(loss, differsOnDisk(machine, applications))
    for (const application of applications) violations.push(application.check(peer, machine.clock.now()))
    const logBytes = machine.disk.sizeBytes(LOG_PREFIX)
    if (logBytes > LOG_MAX_BYTES) violations.push(`unbounded: ${peer.peerId} keeps ${logBytes} bytes of log`)
  }
  return { ...found, violations: violations.filter((violation) => violation !== undefined) }
}

/** For each collection its first owner; the other owners are compared with that one. */
function referencesOf(
  machines: readonly SimulatedPeer[],
  collections: readonly SimulatedCollection[],
): Map<Peer, SimulatedCollection[]> {
  const first = machines[0]!.peer!
  const references = new Map<Peer, SimulatedCollection[]>([[first, []]])
  for (const collection of collections) {
    const reference = machines.find(({ peer }) => isHolder(peer!, collection))?.peer ?? first
    references.set(reference, [...(references.get(reference) ?? []), collection])
  }
  return references
}

function firstOf(peers: Iterable<Peer>, find: (peer: Peer) => Violation | undefined): Violation | undefined {
  for (const peer of peers) {
    const found = find(peer)
    if (found !== undefined) return found
  }
  return undefined
}
