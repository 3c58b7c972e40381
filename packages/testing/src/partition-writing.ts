import type { PartitionName, Peer, PeerEvent, Written } from '@gossipgrid/core'
import type { EventQueue } from './event-queue.ts'
import { NOTHING_KNOWN } from './partition-ledger.ts'
import type { PartitionLedger, PartitionWrite } from './partition-ledger.ts'
import { originOf, ownersOf } from './partition-witness.ts'
import type { Random } from './random.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

export interface PartitionWritingDeps {
  /** Owners come and go within seconds: what one peer takes for all owners may not be what a reader does. */
  readonly flaps: boolean
  /** Machines that reach no other one. */
  readonly apart: ReadonlySet<SimulatedPeer>
  /** Machines that will not come back, as a user believes. */
  readonly forgotten: ReadonlySet<SimulatedPeer>
  readonly ledger: PartitionLedger
  readonly machines: readonly SimulatedPeer[]
  readonly queue: EventQueue
  /** Machines without a disk own as well. */
  readonly ownsInMemory: boolean
  /** Some writes wait for copies. */
  readonly waits: boolean
}

/** What a machine writes: a key that is gone from `endsAtMs` on, 0 for a delete. */
export interface MadeWrite {
  readonly name: PartitionName
  readonly key: string
  readonly endsAtMs: number
  /** It removes the add that has its date. */
  readonly removes: boolean
}

/** Records in the ledger what machines write, and what becomes of that. */
export class PartitionWriting {
  count = 0
  readonly #deps: PartitionWritingDeps
  /** Writes whose copies are counted, by machine and the number of their request. */
  readonly #counted = new Map<string, PartitionWrite>()

  constructor(deps: PartitionWritingDeps) {
    this.#deps = deps
  }

  /** A machine has written. */
  made(machine: SimulatedPeer, peer: Peer, made: MadeWrite, written: Written, random: Random): PartitionWrite {
    const { apart, forgotten, ledger, queue, waits } = this.#deps
    const { hlc, replicaId, sequence, writeId } = written
    const write: PartitionWrite = {
      ...made,
      machine: machine.index,
      life: machine.life,
      hlc,
      origin: originOf(peer, made.name),
      replicaId,
      sequence,
      writeId,
      madeAtMs: queue.nowMs,
      hinted: written.hinted === true,
      reissued: !machine.persistent && written.hinted === true,
      lostDisksBefore: ledger.lostDisks,
      ofKey: ledger.ofKey(made.name, made.key),
      ...NOTHING_KNOWN,
      everywhere: new Map(),
      // It goes on, and does not know.
      forgotten: forgotten.has(machine) && apart.has(machine),
    }
    ledger.add(write)
    if (!machine.persistent || (waits && random.chance(0.5))) this.#countCopies(machine, peer, write, written)
    this.count += 1
    machine.take({ type: 'tick' })
    return write
  }

  /** Something has become of a write. */
  heard(machine: SimulatedPeer, event: PeerEvent): void {
    const { ledger } = this.#deps
    if (event.type === 'durable' && machine.persistent) ledger.acknowledge(machine.index, event.writeId)
    if (event.type !== 'copies' || event.peers === 0) return
    const write = this.#counted.get(`${machine.index} ${machine.life} ${event.request}`)
    if (write === undefined) return
    if (write.reissued) write.acknowledged = true
    else if (!machine.persistent) write.acknowledged ||= event.isEnough
    else if (event.isEnough && this.#reachesAll(machine.peer!, write.name)) write.readable = true
  }

  #countCopies(machine: SimulatedPeer, peer: Peer, write: PartitionWrite, written: Written): void {
    const { key, name } = write
    const isOwnInMemory = !machine.persistent && written.hinted !== true
    const copies = machine.persistent ? ownersOf(peer, name).size : isOwnInMemory ? 2 : 1
    const by = isOwnInMemory || this.#deps.ownsInMemory ? 'peers' : 'durable'
    const request = peer.partitions.countCopies(name, key, written, copies, by)
    this.#counted.set(`${machine.index} ${machine.life} ${request}`, write)
  }

  /** It reaches every peer that is up, and those are all owners of the partition. */
  #reachesAll(peer: Peer, name: PartitionName): boolean {
    const { apart, machines } = this.#deps
    // One that is cut off may not have been noticed yet.
    if (machines.some((machine) => machine.peer !== undefined && apart.has(machine))) return false
    const up = machines.flatMap((machine) => machine.peer?.peerId ?? [])
    const isThere = (id: string): boolean => id === peer.peerId || peer.neighbours.has(id)
    return [...up, ...ownersOf(peer, name)].every(isThere) && (!this.#deps.flaps || this.#isAgreed(peer, name))
  }

  /** All peers that are up see the same owners. */
  #isAgreed(peer: Peer, name: PartitionName): boolean {
    const owners = [...ownersOf(peer, name)].join()
    return this.#deps.machines.every(
      (each) => each.peer === undefined || [...ownersOf(each.peer, name)].join() === owners,
    )
  }
}
