import type { Collection } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import { GridCounter } from '../counters/grid-counter.ts'
import type { GridBatch } from './grid-maps.ts'
import { GridSet } from '../sets/grid-set.ts'
import type { Logger } from '../logger.ts'
import type { WritePath } from '../runtime/write-path.ts'

/** The counters and sets of a grid that were opened, by kind and name. */
export class CountersAndSets {
  readonly #writes: WritePath
  readonly #logger: Logger
  readonly #faces = new Map<string, GridCounter | GridSet<unknown>>()

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

  inBatch(batch: Batch): Pick<GridBatch, 'counter' | 'set'> {
    return {
      counter: (name) => this.counter(name).inBatch(batch),
      set: <Element>(name: string) => this.set<Element>(name).inBatch(batch),
    }
  }

  close(): void {
    for (const face of this.#faces.values()) face.close()
  }

  #face<Face>(kind: 'counter' | 'set', name: string, make: (collection: Collection) => Face): Face {
    this.#writes.pump.checkOpen()
    const known = this.#faces.get(`${kind} ${name}`)
    if (known !== undefined) return known as Face
    const face = make(this.#writes.pump.peer.open({ name, kind, mode: 'replicated', partitions: 1 }))
    this.#faces.set(`${kind} ${name}`, face as GridCounter | GridSet<unknown>)
    return face
  }
}
