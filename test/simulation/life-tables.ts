import type { Partition, Peer } from '@gossipgrid/core'
import { partitionOf } from '@gossipgrid/testing/simulation'
import type { SimulatedCollection, SimulatedPeer } from '@gossipgrid/testing/simulation'

/** A table of the SDK that is kept up to date from the changes of a partition. */
interface LifeTable {
  changed(slot: number, previous: Uint8Array | undefined): unknown
}

/** One table for each machine, from one of its starts to the end, as the SDK keeps it while a grid is open. */
export class LifeTables<Table extends LifeTable> {
  readonly #collection: SimulatedCollection
  readonly #make: (partition: Partition, peer: Peer) => Table
  readonly #tables = new Map<number, { readonly peer: Peer; readonly table: Table }>()

  constructor(collection: SimulatedCollection, make: (partition: Partition, peer: Peer) => Table) {
    this.#collection = collection
    this.#make = make
  }

  of(machine: SimulatedPeer, peer: Peer): Table {
    const known = this.#tables.get(machine.index)
    if (known?.peer === peer) return known.table
    const partition = partitionOf(peer, this.#collection)!
    const table = this.#make(partition, peer)
    partition.replica.observe({ changed: (slot, previous) => void table.changed(slot, previous) })
    this.#tables.set(machine.index, { peer, table })
    return table
  }

  /** The table of a peer that is up, if it has one already. */
  now(peer: Peer): Table | undefined {
    return [...this.#tables.values()].find((each) => each.peer === peer)?.table
  }
}
