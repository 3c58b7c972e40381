import { IndexRows, kindCode } from '@gossipgrid/core'
import type { Collection, PartitionName } from '@gossipgrid/core'
import type { SharedTurns } from '../../flow/shared-turns.ts'
import { TimeSlices } from '../../flow/time-slices.ts'
import type { EntrySource } from '../../indexes/entry-source.ts'
import type { MapIndex } from '../../indexes/map-index.ts'
import { MapIndexes } from '../../indexes/map-indexes.ts'
import { checkName } from '../../queries/checks/check-name.ts'
import type { Pump } from '../../runtime/write-path.ts'
import { AskedEntries, CopyEntries } from './copy-entries.ts'

/** What this peer holds of a partitioned map, with the indexes that the registry names. */
export class CopiedMap {
  readonly #pump: Pump
  readonly #turns: SharedTurns
  readonly #collection: Collection
  readonly #entries: CopyEntries
  readonly #indexes: MapIndexes
  readonly #end: () => void
  #isClearing = false

  constructor(pump: Pump, turns: SharedTurns, collection: Collection) {
    this.#pump = pump
    this.#turns = turns
    this.#collection = collection
    this.#entries = new CopyEntries(pump, collection)
    this.#indexes = new MapIndexes(this.#entries)
    this.#end = pump.afterSteps(() => this.#follow())
  }

  /** The indexes that are complete. */
  get indexes(): readonly MapIndex[] {
    return this.#indexes.all
  }

  /** The entries of these partitions. */
  source(names: readonly PartitionName[]): EntrySource {
    this.#follow()
    const wanted = new Set(names.map(({ partition }) => partition))
    const isAll = [...this.#entries.partitions].every((partition) => wanted.has(partition))
    return isAll ? this.#entries : new AskedEntries(this.#entries, wanted)
  }

  /** Builds the indexes that the registry names, and drops the others. Resolves when all are complete. */
  async readIndexes(): Promise<void> {
    const wanted = definedIndexes(this.#pump, this.#collection)
    const isWanted = new Set(wanted.map((names) => names.join('\0')))
    for (const index of this.#indexes.all) if (!isWanted.has(index.names.join('\0'))) this.#indexes.drop(index)
    const slices = (): TimeSlices => new TimeSlices(() => this.#pump.checkOpen(), this.#turns.next)
    await Promise.all(wanted.map((names) => this.#indexes.open(names, slices())))
  }

  /** The map was dropped. */
  close(): void {
    this.#end()
    for (const index of this.#indexes.all) this.#indexes.drop(index)
  }

  #follow(): void {
    this.#entries.follow()
    if (this.#isClearing || !this.#entries.hasGone) return
    this.#isClearing = true
    // What is left of copies that were dropped goes in the background. It fails only when the grid has closed.
    void this.#clear().catch(() => undefined)
  }

  async #clear(): Promise<void> {
    const slices = new TimeSlices(() => this.#pump.checkOpen(), this.#turns.next)
    await slices.next()
    let step = 0
    for (const _ of this.#entries.clear()) if (slices.isOver(step++)) await slices.next()
    this.#isClearing = false
  }
}

/** The fields of the indexes of a partitioned map, as the registry has them. */
export function definedIndexes(pump: Pump, { descriptor, partitions }: Collection): (readonly string[])[] {
  const { name, partitions: count } = descriptor
  const kind = kindCode(descriptor)
  const partition = partitions[0]?.name.partition ?? count
  const origin = pump.peer.partitions.origin({ collection: name, kind, partition })
  if (origin === undefined) return []
  return new IndexRows(pump.peer.housekeeping.rows).of({ name, kind, origin }).filter(isOfNames)
}

function isOfNames(fields: readonly string[]): boolean {
  try {
    for (const field of fields) checkName(field, 'index')
    return new Set(fields).size === fields.length
  } catch {
    // A hostile peer, or a later version.
    return false
  }
}
