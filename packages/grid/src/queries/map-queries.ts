import type { Partition } from '@gossipgrid/core'
import { TimeSlices } from '../flow/time-slices.ts'
import type { EntrySource } from '../indexes/entry-source.ts'
import type { MapIndex } from '../indexes/map-index.ts'
import { MapIndexes } from '../indexes/map-indexes.ts'
import { sourceOfMap } from '../indexes/source-of-map.ts'
import type { MapEntriesView } from '../indexes/source-of-map.ts'
import type { Pump } from '../runtime/write-path.ts'
import { aggregated, checkAggregate } from './aggregate.ts'
import type { Aggregate, AggregateResult } from './aggregate.ts'
import { checkIndexNames } from './checks/check-index.ts'
import { checkQuery, checkWhere } from './check-query.ts'
import type { CheckedQuery } from './check-query.ts'
import type { Query, QueryPlan, QueryResult, QueryRow, Where } from './query.ts'
import { positionText } from './row-order.ts'
import { selected } from './selection.ts'
import { eachMatch, runQuery, valueOf } from './run-query.ts'
import type { Found, QueryDeps } from './run-query.ts'

/** An index of a map at this peer. From `map.index()`. */
export interface IndexHandle {
  /** The fields that it is on, in order. */
  readonly names: readonly string[]
  /** Entries in it, and elements of arrays. */
  readonly size: number
  /** Ends its upkeep, and frees its memory. Returns false if it was dropped before. */
  drop(): boolean
}

/** The queries of one map. Loaded with the first one. */
export class MapQueries<Value> {
  readonly #pump: Pump
  readonly #source: EntrySource
  readonly #indexes: MapIndexes

  constructor(pump: Pump, partition: Partition, stored: MapEntriesView) {
    this.#pump = pump
    this.#source = sourceOfMap(pump, partition, stored)
    this.#indexes = new MapIndexes(this.#source)
  }

  async query<Shown>(query: unknown): Promise<QueryResult<Shown>> {
    const checked = checkQuery(query)
    const slices = this.#slices()
    const found = await runQuery(this.#deps(slices), checked)
    const rows: QueryRow<Shown>[] = []
    for (const row of found.rows) {
      rows.push({ key: row.key, value: selected(valueOf(row), checked.select) as Shown })
      if (slices.isOver(rows.length)) await slices.next()
    }
    return { rows, complete: true, next: nextOf(found, checked) }
  }

  async count(where: Where<Value> | undefined): Promise<number> {
    let count = 0
    await eachMatch(this.#deps(this.#slices()), checkWhere(where), () => void count++)
    return count
  }

  async aggregate(aggregate: Aggregate<Value>): Promise<AggregateResult> {
    const rows = await aggregated(this.#deps(this.#slices()), checkAggregate(aggregate))
    return { rows, complete: true }
  }

  async explain(query: Query<Value>): Promise<QueryPlan> {
    const { plan, looked, rows } = await runQuery(this.#deps(this.#slices()), checkQuery(query))
    return { index: plan?.index.names, ordered: plan?.ordered === true, looked, given: rows.length }
  }

  /** What a live query needs of this map. */
  get liveDeps(): QueryDeps & { readonly pump: Pump } {
    return { ...this.#deps(this.#slices()), pump: this.#pump }
  }

  async index(names: unknown): Promise<IndexHandle> {
    return this.#handle(await this.#indexes.open(checkIndexNames(names), this.#slices()))
  }

  /** The indexes that are complete. */
  indexes(): readonly IndexHandle[] {
    return this.#indexes.all.map((index) => this.#handle(index))
  }

  #handle(index: MapIndex): IndexHandle {
    return {
      names: index.names,
      get size() {
        return index.size
      },
      drop: () => this.#indexes.drop(index),
    }
  }

  #deps(slices: TimeSlices): QueryDeps {
    return { source: this.#source, indexes: this.#indexes.all, slices }
  }

  #slices(): TimeSlices {
    return new TimeSlices(() => this.#pump.checkOpen())
  }
}

function nextOf({ next }: Found, { order }: CheckedQuery): string | undefined {
  return next === undefined ? undefined : positionText(order, next)
}
