import { encodeValue } from '@gossipgrid/core'
import type { Application } from './application.ts'
import { partitionOf } from './peer-state.ts'
import type { Random } from './random.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

export interface MapTraits {
  readonly keys: number
  readonly deleteShare: number
  /** Longest filler of a value. */
  readonly valueMaxBytes: number
}

/** Sets and deletes on few keys, so that writes of several peers conflict. The ledger knows what must be there. */
export class MapApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #traits: MapTraits
  #count = 0

  constructor(collections: readonly SimulatedCollection[], traits: MapTraits) {
    this.collections = collections
    this.#traits = traits
  }

  act(machine: SimulatedPeer, random: Random): void {
    const { keys, deleteShare, valueMaxBytes } = this.#traits
    // Some keys are written by all peers all the time, others hardly ever.
    const key = `key ${random.mostlySmall(0, keys - 1)}`
    const collection = random.pick(this.collections)
    this.#count += 1
    const filler = 'x'.repeat(random.mostlySmall(0, valueMaxBytes))
    const value = random.chance(deleteShare) ? undefined : encodeValue([this.#count, machine.index, filler], 1 << 20)
    machine.write(collection, [{ key, value }])
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const collection = random.pick(this.collections)
    const key = liveKey(machine, collection, random)
    if (key !== undefined) machine.write(collection, [{ key, value: undefined }])
  }

  read(): void {}

  check(): undefined {}
}

/** The key of a random entry at a peer that is not deleted. */
export function liveKey(machine: SimulatedPeer, collection: SimulatedCollection, random: Random): string | undefined {
  if (machine.peer === undefined) return undefined
  const { table } = partitionOf(machine.peer, collection)!.replica
  const live = [...table.slots()].filter((slot) => !table.deleted(slot))
  return live.length === 0 ? undefined : table.key(random.pick(live))
}
