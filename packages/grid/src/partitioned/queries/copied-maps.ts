import { INDEX_ROWS, kindCode } from '@gossipgrid/core'
import type { PartitionName } from '@gossipgrid/core'
import { SharedTurns } from '../../flow/shared-turns.ts'
import type { Pump } from '../../runtime/write-path.ts'
import { CopiedMap } from './copied-map.ts'

/** What this peer holds of all partitioned maps, for queries. It follows which indexes the registry names. */
export class CopiedMaps {
  readonly turns: SharedTurns = new SharedTurns()
  readonly #pump: Pump
  readonly #maps = new Map<string, CopiedMap>()
  #isStale = false

  constructor(pump: Pump) {
    this.#pump = pump
    const { replica } = pump.peer.housekeeping.rows.partition
    replica.observe({
      changed: (slot) => {
        if (!this.#isStale && replica.table.key(slot).startsWith(INDEX_ROWS)) this.readSoon()
      },
    })
  }

  /** The map that a partition is of. Undefined if this peer has no copy of any of its partitions. */
  of({ collection, kind, partition }: PartitionName): CopiedMap | undefined {
    const { collections, partitions } = this.#pump.peer
    const registered = partitions.collections.find(({ name }) => name === collection)
    if (registered === undefined || kindCode(registered) !== kind || partition < registered.partitions) return undefined
    const found = collections.get(collection, kind, registered.partitions)
    if (found === undefined) return undefined
    const id = `${kind} ${registered.partitions} ${collection}`
    const known = this.#maps.get(id)
    if (known !== undefined) return known
    const map = new CopiedMap(this.#pump, this.turns, found)
    this.#maps.set(id, map)
    return map
  }

  /** Builds the indexes of all maps that the registry names, soon. */
  readSoon(): void {
    this.#isStale = true
    this.#pump.afterStep(() => {
      this.#isStale = false
      this.#read()
    })
  }

  #read(): void {
    const { collections } = this.#pump.peer.partitions
    const registered = new Set(
      collections.map(({ name, partitions, ...rest }) => `${kindCode(rest)} ${partitions} ${name}`),
    )
    for (const [id, map] of this.#maps) {
      if (registered.has(id)) continue
      map.close()
      this.#maps.delete(id)
    }
    for (const { name, partitions, ...rest } of collections) {
      const map = this.of({ collection: name, kind: kindCode(rest), partition: partitions })
      // It fails only when the grid has closed.
      void map?.readIndexes().catch(() => undefined)
    }
  }
}
