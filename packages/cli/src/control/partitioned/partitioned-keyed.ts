import type {
  Grid,
  PartitionChange,
  PartitionReceipt,
  PartitionedCounters,
  PartitionedSet,
  PartitionedSets,
} from 'gossipgrid'

/** How a call reads, writes and waits. */
interface CallOptions {
  readonly timeoutMs?: number
  readonly copies?: number | 'all'
}

interface FollowQuery {
  readonly key?: string
  readonly prefix?: string
  readonly initial?: boolean
  readonly signal?: AbortSignal
}

/** What calls need of a partitioned collection with entries under keys: a map, counters or sets. */
export interface PartitionedEntries {
  get(key: string, options: CallOptions): Promise<unknown>
  delete(key: string, options: CallOptions): Promise<PartitionReceipt | undefined>
  entries(query: { readonly prefix: string; readonly signal: AbortSignal }): AsyncIterable<[string, unknown]>
  changes(query: FollowQuery): AsyncIterable<PartitionChange<unknown> & { readonly cursor?: string | undefined }>
  /** Maps and counters only. */
  watch?(query: {
    readonly prefix?: string
    readonly since?: string | undefined
    readonly signal?: AbortSignal
  }): AsyncIterable<PartitionChange<unknown> & { readonly cursor?: string | undefined }>
  /** Maps only. */
  expiresAt?(key: string, options: CallOptions): Promise<Date | undefined>
}

/** What is partitioned under a name, and is no map. */
export type PartitionedKeyed =
  | { readonly kind: 'counters'; readonly counters: PartitionedCounters }
  | { readonly kind: 'sets'; readonly sets: PartitionedSets<unknown> }
  | { readonly kind: 'set'; readonly set: PartitionedSet<unknown> }

/** The partitioned counters, sets or set of that name, if that is what is here. */
export function partitionedKeyed(grid: Grid, name: string): PartitionedKeyed | undefined {
  const { kind, owners, partitions } = grid.collections().find((collection) => collection.name === name) ?? {}
  if (owners === undefined || partitions === undefined) return undefined
  const options = { mode: 'partitioned', owners, partitions } as const
  if (kind === 'counters') return { kind, counters: grid.counters(name, options) }
  if (kind === 'sets') return { kind, sets: grid.sets(name, options) }
  return kind === 'set' ? { kind, set: grid.set(name, options) } : undefined
}

/** The entries under keys: of sets, each key with its elements. */
export function keyedEntries(grid: Grid, name: string): PartitionedEntries | undefined {
  const keyed = partitionedKeyed(grid, name)
  if (keyed === undefined || keyed.kind === 'set') return undefined
  if (keyed.kind === 'counters') return keyed.counters
  const { sets } = keyed
  return {
    get: (key, options) => sets.get(key, options),
    delete: (key, options) => sets.delete(key, options),
    entries: (query) => sets.entries(query),
    async *changes(query) {
      for await (const { at, by, key, local, partition, type } of sets.changes(query)) {
        const value = type === 'reset' ? undefined : await sets.get(key)
        const shown = type === 'reset' ? type : value === undefined ? ('delete' as const) : ('set' as const)
        yield { type: shown, key, value, expiresAt: undefined, at, by, local, partition }
      }
    },
  }
}
