import type { AskedQuery, Collection } from '@gossipgrid/core'
import type { WritePath } from '../../runtime/write-path.ts'
import type { PartitionQueries } from '../partition-options.ts'
import type { RoutedEntries } from '../routed-entries.ts'
import { AskedQuestions } from './asked-questions.ts'
import { CopiedMaps } from './copied-maps.ts'
import { PartAsking } from './part-asking.ts'
import { RoutedQueries } from './routed-queries.ts'
import type { RoutedQueriesDeps } from './routed-queries.ts'

/** The queries of partitioned maps of one grid: those of this peer, and those that it answers. Loaded with the first one. */
export class OwnerQueries {
  readonly #writes: WritePath
  readonly #copies: CopiedMaps
  readonly #asked: AskedQuestions
  /** Asks for what live queries show. */
  readonly asking: PartAsking

  constructor(writes: WritePath) {
    this.#writes = writes
    this.#copies = new CopiedMaps(writes.pump)
    this.#asked = new AskedQuestions(writes, this.#copies)
    this.asking = new PartAsking({ pump: writes.pump, copies: this.#copies })
    this.#copies.readSoon()
  }

  /** Answers a query of another peer. */
  answer(query: AskedQuery): Promise<void> {
    return this.#asked.answer(query)
  }

  /** The queries of one map, or of a part of it. */
  of<Value>(
    collection: Collection,
    entries: RoutedEntries,
    part: Pick<RoutedQueriesDeps, 'pageMaxBytes' | 'within'> = {},
  ): PartitionQueries<Value> {
    return new RoutedQueries<Value>({ writes: this.#writes, collection, entries, copies: this.#copies, ...part })
  }
}
