import { decodeValue, encodeValue } from '@gossipgrid/core'
import type { Peer } from '@gossipgrid/core'
import type { Application } from './application.ts'
import type { Violation } from './checkers.ts'
import { partitionOf } from './peer-state.ts'
import type { LedgerWrite } from './ledger.ts'
import type { Random } from './random.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** The totals of one slot after one of its writes. */
interface Step {
  readonly incremented: number
  readonly decremented: number
  readonly write: LedgerWrite | undefined
}

interface Slot {
  readonly machine: number
  readonly life: number
  readonly steps: Step[]
}

const ZERO: Step = { incremented: 0, decremented: 0, write: undefined }

/** Counts up and down at every peer. Each start of a peer counts in a new slot. */
export class CounterApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #collection: SimulatedCollection
  readonly #slots = new Map<string, Slot>()

  constructor(collection: SimulatedCollection) {
    this.#collection = collection
    this.collections = [collection]
  }

  act(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    if (peer === undefined) return
    const slot = this.#slotOf(machine, peer)
    const last = slot.steps.at(-1) ?? ZERO
    this.#checkOwn(machine, peer, last)
    const by = random.between(1, 10)
    const up = random.chance(0.7)
    const incremented = last.incremented + (up ? by : 0)
    const decremented = last.decremented + (up ? 0 : by)
    const value = encodeValue([incremented, decremented], 64)
    const [write] = machine.write(this.#collection, [{ key: peer.slotId, value }])
    slot.steps.push({ incremented, decremented, write })
  }

  remove(): void {}

  /** A peer sees at least its own increments and decrements. */
  read(machine: SimulatedPeer): void {
    const { peer } = machine
    if (peer !== undefined) this.#checkOwn(machine, peer, this.#slotOf(machine, peer).steps.at(-1) ?? ZERO)
  }

  /** Every slot shows totals that it had after one of its writes, no older than the last acknowledged one. */
  check(peer: Peer): Violation | undefined {
    const { table } = partitionOf(peer, this.#collection)!.replica
    let expected = 0
    let shown = 0
    for (const slot of table.slots()) {
      const pair = pairOf(table.value(slot))
      const known = this.#slots.get(table.key(slot))?.steps ?? []
      const step = known.find((each) => each.incremented === pair?.[0] && each.decremented === pair[1])
      if (step === undefined)
        return `counter: ${peer.peerId} shows [${pair?.join()}], which slot ${table.key(slot)} never had`
      expected += step.incremented - step.decremented
      shown += pair![0] - pair![1]
    }
    for (const [slotId, { steps }] of this.#slots) {
      const owed = steps.findLast(({ write }) => write?.acknowledged === true && !write.excused)
      const slot = table.slotOf(slotId)
      const pair = slot === undefined ? undefined : pairOf(table.value(slot))
      if (owed === undefined) continue
      if (pair !== undefined && pair[0] >= owed.incremented && pair[1] >= owed.decremented) continue
      return `counter: ${peer.peerId} shows [${pair?.join()}] of slot ${slotId}, and [${owed.incremented},${owed.decremented}] was acknowledged`
    }
    return shown === expected ? undefined : `counter: ${peer.peerId} shows ${shown} instead of ${expected}`
  }

  #slotOf(machine: SimulatedPeer, peer: Peer): Slot {
    const known = this.#slots.get(peer.slotId)
    if (known === undefined) {
      const slot = { machine: machine.index, life: machine.life, steps: [] }
      this.#slots.set(peer.slotId, slot)
      return slot
    }
    if (known.machine !== machine.index || known.life !== machine.life) {
      machine.check(`counter: slot ${peer.slotId} is drawn by ${peer.peerId} and was by peer-${known.machine}`)
    }
    return known
  }

  #checkOwn(machine: SimulatedPeer, peer: Peer, last: Step): void {
    const { table } = partitionOf(peer, this.#collection)!.replica
    const slot = table.slotOf(peer.slotId)
    const pair = slot === undefined ? [0, 0] : pairOf(table.value(slot))
    if (pair?.[0] === last.incremented && pair[1] === last.decremented) return
    machine.check(
      `counter: ${peer.peerId} counted [${last.incremented},${last.decremented}] and reads [${pair?.join()}]`,
    )
  }
}

function pairOf(value: Uint8Array | undefined): [number, number] | undefined {
  return value === undefined ? undefined : (decodeValue(value) as [number, number])
}
