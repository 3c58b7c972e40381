import type { CollectionDescriptor, CollectionKind } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import type { CounterBatch } from '../counters/counter-batch.ts'
import type { CountersBatch } from '../keyed/counters-batch.ts'
import type { SetsBatch } from '../keyed/sets-batch.ts'
import { GridMap } from '../maps/grid-map.ts'
import type { Logger } from '../logger.ts'
import type { MapBatch } from '../maps/map-batch.ts'
import { checkMapOptions, checkSameMap } from '../maps/map-options.ts'
import type { MapOptions } from '../maps/map-options.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { forgetDropped } from './forget-dropped.ts'
import { ValueSchema } from '../maps/schema.ts'
import type { SetBatch } from '../sets/set-batch.ts'

/** The collections of a grid within a batch. */
export interface GridBatch {
  /** The map of that name within the batch. Throws as `grid.map` does. */
  map<Value = unknown>(name: string, options?: MapOptions<Value>): MapBatch<Value>
  /** The counter of that name within the batch. Throws as `grid.counter` does. */
  counter(name: string): CounterBatch
  /** The set of that name within the batch. Throws as `grid.set` does. */
  set<Element = unknown>(name: string): SetBatch<Element>
  /** The counters of that name within the batch. Throws as `grid.counters` does. */
  counters(name: string): CountersBatch
  /** The sets of that name within the batch. Throws as `grid.sets` does. */
  sets<Element = unknown>(name: string): SetsBatch<Element>
}

type Named = Pick<CollectionDescriptor, 'name' | 'kind'>

/** The maps of a grid that were opened, by name. */
export class GridMaps {
  readonly #writes: WritePath
  readonly #logger: Logger
  readonly #valueSizeMaxBytes: number
  readonly #maps = new Map<string, GridMap<unknown>>()

  constructor(writes: WritePath, logger: Logger, valueSizeMaxBytes: number) {
    this.#writes = writes
    this.#logger = logger
    this.#valueSizeMaxBytes = valueSizeMaxBytes
  }

  get<Value>(name: string, options: MapOptions<Value>): GridMap<Value> {
    this.#writes.pump.checkOpen()
    checkMapOptions(options as MapOptions<never>)
    const known = this.#maps.get(name)
    if (known !== undefined) {
      checkSameMap(name, known.options, options as MapOptions<never>)
      return known as GridMap<Value>
    }
    const schema = options.schema === undefined ? undefined : new ValueSchema(options.schema)
    const collection = this.#writes.pump.peer.open({
      name,
      kind: kindOfMap(options.merge),
      mode: 'replicated',
      partitions: 1,
    })
    const parts = { valueSizeMaxBytes: this.#valueSizeMaxBytes, logger: this.#logger, options, schema }
    const map = new GridMap<Value>(this.#writes, collection, parts)
    this.#maps.set(name, map as GridMap<unknown>)
    return map
  }

  inBatch(batch: Batch): Pick<GridBatch, 'map'> {
    return { map: (name, options = {}) => this.get(name, options).inBatch(batch) }
  }

  /** Number of entries of a collection that are hidden, because they are not valid by its schema. */
  hidden(collection: Named): number {
    return this.#opened(collection)?.hiddenCount ?? 0
  }

  /** Number of entries of a map that is open, hidden ones included. */
  entries(collection: Named): number | undefined {
    const map = this.#opened(collection)
    return map === undefined ? undefined : map.size + map.hiddenCount
  }

  /** Forgets maps that were dropped: the next ones of their names are other objects. */
  dropped(): void {
    forgetDropped(this.#maps, this.#writes.pump)
  }

  close(): void {
    for (const map of this.#maps.values()) map.close()
  }

  #opened({ name, kind }: Named): GridMap<unknown> | undefined {
    const map = this.#maps.get(name)
    return map === undefined || map.isDropped || kind !== kindOfMap(map.options.merge) ? undefined : map
  }
}

function kindOfMap(merge: MapOptions<never>['merge']): CollectionKind {
  return merge === 'fields' ? 'fields' : 'map'
}
