import type { Grid, GridSet, GridSets, PartitionedSet, ReadOptions, WriteOptions } from 'gossipgrid'
import { partitionedKeyed } from './partitioned/partitioned-keyed.ts'

interface EntriesQuery {
  readonly prefix?: string
  readonly signal?: AbortSignal
}

/** A change of an entry. The value of a key of `sets` is an array of all its elements. */
export interface EntryChange {
  readonly type: string
  readonly key: string
  readonly value: unknown
  readonly missed: number
  /** Of a `reset`. */
  readonly partition?: number
  /** Of a watch: what to pass as `since` to go on after this change. */
  readonly cursor?: string | undefined
}

/** A collection with entries under keys: a map, counters or sets. */
export interface ReadableCollection {
  get(key: string, options?: ReadOptions): Promise<unknown>
  keys(query: EntriesQuery): AsyncIterable<string>
  entries(query: EntriesQuery): AsyncIterable<[string, unknown]>
  changes(query: EntriesQuery & { readonly key?: string; readonly initial?: boolean }): AsyncIterable<EntryChange>
  /** It was dropped, so that loops over its changes have ended. */
  readonly isDropped?: boolean
  /** Maps only. */
  watch?(query: EntriesQuery & { readonly since?: string | undefined }): AsyncIterable<EntryChange>
  delete(key: string, options: WriteOptions): Promise<unknown>
  expiresAt?(key: string): Date | undefined
}

/** The counters or sets of that name, if that is what is here. */
export function keyedCollection(grid: Grid, name: string): ReadableCollection | undefined {
  const kind = grid.collections().find((collection) => collection.name === name)?.kind
  if (kind === 'counters') return grid.counters(name)
  return kind === 'sets' ? setsAsEntries(grid.sets(name)) : undefined
}

function setsAsEntries(sets: GridSets<unknown>): ReadableCollection {
  return {
    get isDropped() {
      return sets.isDropped
    },
    get: (key, options) => sets.get(key, options),
    keys: (query) => sets.keys(query),
    entries: (query) => sets.entries(query),
    delete: (key, options) => sets.delete(key, options),
    async *changes(query) {
      for await (const { type, key, missed } of sets.changes(query)) {
        const value = type === 'lagged' ? undefined : sets.peek(key)
        yield { type: type === 'lagged' ? type : value === undefined ? 'delete' : 'set', key, value, missed }
      }
    },
  }
}

/** The set of that name, partitioned or not. */
export function openSet(grid: Grid, name: string): GridSet<unknown> | PartitionedSet<unknown> {
  const keyed = partitionedKeyed(grid, name)
  return keyed?.kind === 'set' ? keyed.set : grid.set(name)
}
