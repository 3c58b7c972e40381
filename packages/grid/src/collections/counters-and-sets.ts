import type { Collection, CollectionDescriptor } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import { GridCounter } from '../counters/grid-counter.ts'
import { forgetDropped } from './forget-dropped.ts'
import type { GridBatch } from './grid-maps.ts'
import { GridCounters } from '../keyed/grid-counters.ts'
import { GridSets } from '../keyed/grid-sets.ts'
import { KeyedFace } from '../keyed/keyed-face.ts'
import { GridSet } from '../sets/grid-set.ts'
import type { Logger } from '../logger.ts'
import type { WritePath } from '../runtime/write-path.ts'

type Kind = 'counter' | 'set' | 'counters' | 'sets'
type Face = GridCounter | GridSet<unknown> | GridCounters | GridSets<unknown>

/** The counters and sets of a grid that were opened, also those under keys, by kind and name. */
export class CountersAndSets {
  readonly #writes: WritePath
  readonly #logger: Logger
  readonly #faces = new Map<string, Face>()

  constructor(writes: WritePath, logger: Logger) {
    this.#writes = writes
    this.#logger = logger
  }

  counter(name: string): GridCounter {
    return this.#face('counter', name, (collection) => new GridCounter(this.#writes, collection, this.#logger))
  }

  set<Element>(name: string): GridSet<Element> {
    return this.#face('set', name, (collection) => new GridSet<Element>(this.#writes, collection, this.#logger))
  }

  counters(name: string): GridCounters {
    return this.#face('counters', name, (collection) => new GridCounters(this.#writes, collection, this.#logger))
  }

  sets<Element>(name: string): GridSets<Element> {
    return this.#face('sets', name, (collection) => new GridSets<Element>(this.#writes, collection, this.#logger))
  }

  inBatch(batch: Batch): Pick<GridBatch, Kind> {
    return {
      counter: (name) => this.counter(name).inBatch(batch),
      set: <Element>(name: string) => this.set<Element>(name).inBatch(batch),
      counters: (name) => this.counters(name).inBatch(batch),
      sets: <Element>(name: string) => this.sets<Element>(name).inBatch(batch),
    }
  }

  /** Number of keys of counters or sets under keys that are open. */
  keys({ name, kind }: Pick<CollectionDescriptor, 'name' | 'kind'>): number | undefined {
    const face = this.#faces.get(`${kind} ${name}`)
    return face instanceof KeyedFace && !face.isDropped ? face.keyCount : undefined
  }

  /** Forgets counters and sets that were dropped: the next ones of their names are other objects. */
  dropped(): void {
    forgetDropped(this.#faces, this.#writes.pump)
  }

  close(): void {
    for (const face of this.#faces.values()) face.close()
  }

  #face<Opened>(kind: Kind, name: string, make: (collection: Collection) => Opened): Opened {
    this.#writes.pump.checkOpen()
    const known = this.#faces.get(`${kind} ${name}`)
    if (known !== undefined) return known as Opened
    const face = make(this.#writes.pump.peer.open({ name, kind, mode: 'replicated', partitions: 1 }))
    this.#faces.set(`${kind} ${name}`, face as Face)
    return face
  }
}
