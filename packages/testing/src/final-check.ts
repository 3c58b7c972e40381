import { LOG_PREFIX } from '@gossipgrid/core/internals'
import type { Application } from './application.ts'
import { checkContent, findDifference, findLost } from './checkers.ts'
import type { Violation } from './checkers.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

const LOG_MAX_BYTES = 16 * 1024 * 1024

export interface FinalResult {
  /** Acknowledged sets that are gone. */
  readonly lost: number
  /** Acknowledged deletes that are undone. */
  readonly resurrected: number
  /** Peers that differ from the first one. */
  readonly diverged: number
  readonly violations: readonly Violation[]
}

/** All of these machines are up, show the same root, have stored everything, and wait for nothing. */
export function areEqual(machines: readonly SimulatedPeer[]): boolean {
  const root = machines[0]!.peer?.collections.root()
  return machines.every(({ peer, disk }) => {
    // Writes that are held back because of their date are news to come.
    if (peer === undefined || peer.inbound.held.count > 0) return false
    return peer.collections.root() === root && peer.commit.undurableBytes === 0 && !disk.busy
  })
}

/** What a peer would come back with is what it has. */
export function differsOnDisk(machine: SimulatedPeer, applications: readonly Application[]): Violation | undefined {
  if (!machine.persistent) return undefined
  const collections = applications.flatMap((application) => application.collections)
  const difference = findDifference(machine.peer!, machine.stored(), collections)
  return difference === undefined ? undefined : `stored: ${difference}`
}

/** Holds all machines, which are up and have told each other everything, against the ledger and against each other. */
export function checkEnd(
  ledger: Ledger,
  machines: readonly SimulatedPeer[],
  applications: readonly Application[],
): FinalResult {
  const collections = applications.flatMap((application) => application.collections)
  const first = machines[0]!.peer!
  const found = { lost: 0, resurrected: 0, diverged: 0 }
  const violations: (Violation | undefined)[] = [checkContent(ledger, first, collections)]
  for (const machine of machines) {
    const peer = machine.peer!
    const difference = findDifference(first, peer, collections)
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
