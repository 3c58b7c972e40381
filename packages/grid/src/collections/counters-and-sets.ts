import { GridError } from '@gossipgrid/core'
import type { Collection } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import { GridCounter } from '../counters/grid-counter.ts'
import type { GridBatch } from './grid-maps.ts'
import type { GridCounters } from '../keyed/grid-counters.ts'
import type { GridSets } from '../keyed/grid-sets.ts'
import type * as keyedFaces from '../keyed/keyed-faces.ts'
import { GridSet } from '../sets/grid-set.ts'
import type { Logger } from '../logger.ts'
import type { WritePath } from '../runtime/write-path.ts'

/** The classes of counters and sets under keys. */
export type KeyedFaces = typeof keyedFaces

type Kind = 'counter' | 'set' | 'counters' | 'sets'
type Face = GridCounter | GridSet<unknown> | GridCounters | GridSets<unknown>

/** The counters and sets of a grid that were opened, also those under keys, by kind and name. */
export class CountersAndSets {
  readonly #writes: WritePath
  readonly #logger: Logger
  readonly #keyed: KeyedFaces | undefined
  readonly #faces = new Map<string, Face>()

  /** `keyed` is undefined where counters and sets under keys are not loaded. */
  constructor(writes: WritePath, logger: Logger, keyed: KeyedFaces | undefined) {
    this.#keyed = keyed
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
    const { GridCounters: Counters } = this.#loaded()
    return this.#face('counters', name, (collection) => new Counters(this.#writes, collection, this.#logger))
  }

  sets<Element>(name: string): GridSets<Element> {
    const { GridSets: Sets } = this.#loaded()
    return this.#face('sets', name, (collection) => new Sets<Element>(this.#writes, collection, this.#logger))
  }

  inBatch(batch: Batch): Pick<GridBatch, Kind> {
    return {
      counter: (name) => this.counter(name).inBatch(batch),
      set: <Element>(name: string) => this.set<Element>(name).inBatch(batch),
      counters: (name) => this.counters(name).inBatch(batch),
      sets: <Element>(name: string) => this.sets<Element>(name).inBatch(batch),
    }
  }

  close(): void {
    for (const face of this.#faces.values()) face.close()
  }

  #loaded(): KeyedFaces {
    if (this.#keyed !== undefined) return this.#keyed
    throw new GridError('INVALID_OPTION', 'in a browser, open the grid with keyed: true to use counters() and sets()')
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
