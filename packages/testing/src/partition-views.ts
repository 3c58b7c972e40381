import { OwnerRows } from '@gossipgrid/core/internals'
import type { Rendezvous } from '@gossipgrid/core/internals'
import type { PartitionLedger } from './partition-ledger.ts'
import { peerIdOf } from './peer-ids.ts'
import type { Random } from './random.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

export interface PartitionViewsDeps {
  readonly apart: ReadonlySet<SimulatedPeer>
  readonly ledger: PartitionLedger
  readonly machines: readonly SimulatedPeer[]
}

/**
 * Owners that are marked as away and back within seconds, so that the peers' views of who owns what differ, and change back. Any peer may
 * mark any other one. Peers do that after minutes, and so all the more rarely.
 *
 * As many owners as a partition is to have are never marked: so there is always an owner to hand over to.
 */
export class PartitionViews {
  readonly #deps: PartitionViewsDeps
  #flapping: readonly SimulatedPeer[] = []
  #isReady = false

  constructor(deps: PartitionViewsDeps) {
    this.#deps = deps
  }

  start(random: Random): void {
    const { ledger, machines } = this.#deps
    const durable = machines.filter(({ persistent }) => persistent)
    this.#flapping = random.shuffle(durable).slice(ledger.ownersMax)
  }

  /** Marks one of them as away, or as back. */
  flap(random: Random): void {
    if (!this.#areAllRegistered() || this.#flapping.length === 0) return
    const target = random.pick(this.#flapping)
    const by = this.#marker(random)
    if (by === undefined) return
    const isAway = rowsOf(by).away().has(peerIdOf(target.index))
    this.#mark(by, target, !isAway)
  }

  /** Marks those of these machines as away that may be. */
  away(machines: readonly SimulatedPeer[], random: Random): void {
    if (!this.#areAllRegistered()) return
    for (const machine of machines) {
      const by = this.#marker(random)
      if (by !== undefined && this.#flapping.includes(machine)) this.#mark(by, machine, true)
    }
  }

  #marker(random: Random): SimulatedPeer | undefined {
    const { apart, machines } = this.#deps
    const up = machines.filter((machine) => machine.peer !== undefined && !apart.has(machine))
    // One that is cut off marks no other: it would take over what it has not heard of for long.
    const able = up.filter((machine) => up.every((other) => other === machine || reaches(machine, other)))
    return able.length === 0 ? undefined : random.pick(able)
  }

  #mark(by: SimulatedPeer, target: SimulatedPeer, isAway: boolean): void {
    const rows = rowsOf(by)
    const peerId = peerIdOf(target.index)
    if (isAway) rows.markAway(peerId)
    else rows.markBack(peerId)
    by.take({ type: 'tick' })
  }

  /** Before that, a partition may have fewer owners than it is to have. */
  #areAllRegistered(): boolean {
    const { machines } = this.#deps
    const owning = machines.filter(({ persistent }) => persistent).map(({ index }) => peerIdOf(index))
    const knowsAll = ({ peer }: SimulatedPeer): boolean => {
      const placement = peer?.collections.placement as Rendezvous | undefined
      return placement !== undefined && owning.every((peerId) => placement.record(peerId) !== undefined)
    }
    this.#isReady ||= machines.every(knowsAll)
    return this.#isReady
  }
}

function reaches({ peer }: SimulatedPeer, other: SimulatedPeer): boolean {
  return peer!.neighbours.has(peerIdOf(other.index))
}

function rowsOf({ peer }: SimulatedPeer): OwnerRows {
  return new OwnerRows(peer!.housekeeping.rows)
}
