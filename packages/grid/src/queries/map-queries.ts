import type { Partition } from '@gossipgrid/core'
import { TimeSlices } from '../flow/time-slices.ts'
import type { EntrySource } from '../indexes/entry-source.ts'
import type { MapIndex } from '../indexes/map-index.ts'
import { MapIndexes } from '../indexes/map-indexes.ts'
import { MapTextIndex } from '../indexes/map-text-index.ts'
import { sourceOfMap } from '../indexes/source-of-map.ts'
import type { MapEntriesView } from '../indexes/source-of-map.ts'
import type { Pump } from '../runtime/write-path.ts'
import { aggregated, checkAggregate } from './aggregate.ts'
import type { AggregateResult } from './aggregate.ts'
import { checkIndexNames } from './checks/check-index.ts'
import { checkTextIndex, withoutText } from './checks/check-text.ts'
import { invalidQuery } from './checks/invalid-query.ts'
import { checkCounted, checkQuery } from './check-query.ts'
import type { CheckedQuery } from './check-query.ts'
import type { QueryPlan, QueryResult, QueryRow } from './query.ts'
import { positionText } from './row-order.ts'
import { selected } from './selection.ts'
import { eachMatch, isByRelevance, runQuery, valueOf } from './run-query.ts'
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

/** A text index of a map at this peer. From `map.textIndex()`. */
export interface TextIndexHandle {
  /** The fields whose words are in it. */
  readonly names: readonly string[]
  /** Entries with text in one of these fields. What has just been written counts a moment later. */
  readonly size: number
  /** Ends its upkeep, and frees its memory. Returns false if it was dropped before. */
  drop(): boolean
}

/** A query without its `$text`, and what to run it with. */
interface Prepared<Checked> {
  readonly checked: Checked
  readonly deps: QueryDeps
  readonly slices: TimeSlices
}

/** The queries of one map. Loaded with the first one. */
export class MapQueries {
  readonly #pump: Pump
  readonly #source: EntrySource
  readonly #indexes: MapIndexes
  readonly #text: MapTextIndex

  constructor(pump: Pump, partition: Partition, stored: MapEntriesView) {
    this.#pump = pump
    this.#source = sourceOfMap(pump, partition, stored)
    this.#indexes = new MapIndexes(this.#source)
    this.#text = new MapTextIndex(this.#source)
  }

  async query<Shown>(query: unknown): Promise<QueryResult<Shown>> {
    const { checked, deps, slices } = this.#prepare(query, checkQuery)
    const found = await runQuery(deps, checked)
    const rows: QueryRow<Shown>[] = []
    for (const row of found.rows) {
      rows.push({ key: row.key, value: selected(valueOf(row), checked.select) as Shown })
      if (slices.isOver(rows.length, row.end - row.start)) await slices.next()
    }
    return { rows, complete: true, next: nextOf(found, checked) }
  }

  async count(where: unknown): Promise<number> {
    let count = 0
    const { checked, deps } = this.#prepare({ where }, (rest) => checkCounted((rest as { where: unknown }).where))
    await eachMatch(deps, checked, () => void count++)
    return count
  }

  async aggregate(aggregate: unknown): Promise<AggregateResult> {
    const { checked, deps } = this.#prepare(aggregate, checkAggregate)
    return { rows: await aggregated(deps, checked), complete: true }
  }

  async explain(query: unknown): Promise<QueryPlan> {
    const { checked, deps } = this.#prepare(query, checkQuery)
    const { plan, looked, rows } = await runQuery(deps, checked)
    const index = deps.text?.index.names ?? plan?.index.names
    return { index, ordered: isByRelevance(deps, checked) || plan?.ordered === true, looked, given: rows.length }
  }

  /** What a live query needs of this map. */
  get liveDeps(): QueryDeps & { readonly pump: Pump } {
    return { ...this.#deps(this.#slices()), pump: this.#pump }
  }

  async index(names: unknown): Promise<IndexHandle> {
    return this.#handle(await this.#indexes.open(checkIndexNames(names), this.#slices()))
  }

  async textIndex(names: unknown, options: unknown): Promise<TextIndexHandle> {
    const index = await this.#text.open(checkTextIndex(names, options), () => this.#slices())
    return {
      names: index.names,
      get size() {
        return index.size
      },
      drop: () => this.#text.drop(index),
    }
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

  #prepare<Checked>(query: unknown, check: (query: unknown) => Checked): Prepared<Checked> {
    const { query: rest, words } = withoutText(query)
    const checked = check(rest)
    const slices = this.#slices()
    const deps = this.#deps(slices)
    if (words === undefined) return { checked, deps, slices }
    const index = this.#text.complete
    if (index === undefined)
      throw invalidQuery('where.$text', 'the map has no text index at this peer: await map.textIndex(…) first')
    return { checked, deps: { ...deps, text: { index, words } }, slices }
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
