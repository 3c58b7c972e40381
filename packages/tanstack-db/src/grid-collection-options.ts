import { safeRandomUUID, withCollectionConfigFactory } from '@tanstack/db'
import type { BaseCollectionConfig, CollectionConfig, InferSchemaOutput, UtilsRecord } from '@tanstack/db'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Conflict, WriteOptions } from 'gossipgrid'
import { CollectionSync } from './collection-sync.ts'
import type { MapSource } from './collection-sync.ts'
import { rowFormOf } from './row-form.ts'
import type { KeyOfField, KeyOfRow, RowWithKey } from './row-form.ts'
import type { RowMutation } from './write-mutations.ts'

/** What a collection of a grid can do besides. Found at `collection.utils`. */
export interface GridCollectionUtils<Value extends object> extends UtilsRecord {
  /**
   * Writes the mutations of a transaction that are of this collection: for the `mutationFn` of `createTransaction` and
   * `createOptimisticAction`. Resolves and rejects as the handlers do.
   */
  acceptMutations: (transaction: { readonly mutations: readonly RowMutation[] }) => Promise<void>
  /** Calls `listener` when a write has lost against another one that it had not seen. The returned function ends that. */
  onConflict: (listener: (conflict: Conflict<Value>) => unknown) => () => void
  /** False if a part of the map has not answered, so that rows may be missing. Always true for a map that every peer has. */
  isComplete: () => boolean
  /** Calls `listener` with `isComplete()` when that has changed. The returned function ends that. */
  onComplete: (listener: (isComplete: boolean) => unknown) => () => void
  /** Number of entries that cannot be rows: values that are no objects, or that have another key than their entry. */
  leftOut: () => number
}

/** Options of every collection of a grid, besides where its rows have their key. */
export interface GridCollectionBase<
  Value extends object,
  Row extends object,
  RowSchema extends StandardSchemaV1 = never,
> extends Omit<
  BaseCollectionConfig<Row, string, RowSchema, GridCollectionUtils<Value>>,
  'getKey' | 'onInsert' | 'onUpdate' | 'onDelete' | 'utils'
> {
  /** The map, the promise of one, or a function that gives one of these, which is called when the collection is first used. */
  readonly map: MapSource<Value>
  /**
   * Only entries whose keys begin with this text. Of a partitioned map, one with a whole tag, as `{42}`, is followed in one partition
   * alone, which costs the least.
   */
  readonly prefix?: string
  /** What a write waits for, such as `{ copies: 2 }`. Default: until it is durable at this peer. */
  readonly write?: WriteOptions
}

/** Options of a collection whose rows are the values of the map, or these with their key beside the fields. */
export type GridCollectionConfig<Value extends object, KeyField extends string = never> =
  | (GridCollectionBase<Value, Value> & KeyOfRow<Value>)
  | (GridCollectionBase<Value, RowWithKey<Value, KeyField>> & KeyOfField<KeyField>)

/** What `createCollection` takes. */
export type GridCollectionOptions<
  Value extends object,
  Row extends object,
  RowSchema extends StandardSchemaV1 = never,
> = CollectionConfig<Row, string, RowSchema, GridCollectionUtils<Value>> & {
  /** The functions at `collection.utils`. */
  readonly utils: GridCollectionUtils<Value>
}

/**
 * Options of a TanStack DB collection whose rows are the entries of a map. Other peers' changes show in it, and what is inserted,
 * updated and deleted in it is written to the map: a transaction is one batch, `isPersisted` resolves when it is durable at this peer,
 * and if it is refused, the optimistic state is rolled back and `isPersisted` rejects with the error of the map.
 *
 * With `syncMode: 'on-demand'` the collection has only the rows that live queries ask for.
 *
 * @example
 * ```ts
 * const todos = createCollection(gridCollectionOptions({ map: grid.map<Todo>('todos'), keyField: 'id' }))
 * await todos.insert({ id: 'a', title: 'buy tea', done: false }).isPersisted.promise
 * ```
 */
export function gridCollectionOptions<RowSchema extends StandardSchemaV1>(
  config: GridCollectionBase<InferSchemaOutput<RowSchema>, InferSchemaOutput<RowSchema>, RowSchema> &
    KeyOfRow<InferSchemaOutput<RowSchema>> & { readonly schema: RowSchema },
): GridCollectionOptions<InferSchemaOutput<RowSchema>, InferSchemaOutput<RowSchema>, RowSchema> & {
  schema: RowSchema
}
export function gridCollectionOptions<RowSchema extends StandardSchemaV1, const KeyField extends string>(
  config: GridCollectionBase<Omit<InferSchemaOutput<RowSchema>, KeyField>, InferSchemaOutput<RowSchema>, RowSchema> &
    KeyOfField<KeyField> & { readonly schema: RowSchema },
): GridCollectionOptions<Omit<InferSchemaOutput<RowSchema>, KeyField>, InferSchemaOutput<RowSchema>, RowSchema> & {
  schema: RowSchema
}
export function gridCollectionOptions<Value extends object>(
  config: GridCollectionBase<Value, Value> & KeyOfRow<Value> & { readonly schema?: never },
): GridCollectionOptions<Value, Value> & { schema?: never }
export function gridCollectionOptions<Value extends object, const KeyField extends string>(
  config: GridCollectionBase<Value, RowWithKey<Value, KeyField>> & KeyOfField<KeyField> & { readonly schema?: never },
): GridCollectionOptions<Value, RowWithKey<Value, KeyField>> & { schema?: never }
export function gridCollectionOptions(
  config: GridCollectionBase<object, object, StandardSchemaV1> & {
    readonly getKey?: unknown
    readonly keyField?: unknown
  },
): unknown {
  const { map, write, prefix = '', keyField: _, getKey: __, id = safeRandomUUID(), ...rest } = config
  const form = rowFormOf(config, prefix)
  const sync = new CollectionSync({ source: map, form, prefix, write, isOnDemand: rest.syncMode === 'on-demand' })
  const persist = ({ transaction }: { readonly transaction: { readonly mutations: readonly RowMutation[] } }) =>
    sync.persist(transaction.mutations.filter(({ collection }) => collection.id === id))
  const options = {
    ...rest,
    id,
    getKey: form.keyOf,
    sync: { sync: sync.run, rowUpdateMode: 'full' },
    onInsert: persist,
    onUpdate: persist,
    onDelete: persist,
    utils: {
      acceptMutations: (transaction: { readonly mutations: readonly RowMutation[] }) => persist({ transaction }),
      onConflict: sync.onConflict,
      isComplete: () => sync.isComplete,
      onComplete: sync.onComplete,
      leftOut: () => sync.leftOutCount,
    },
  }
  // A client of TanStack DB may make several collections of the same options, each with a state of its own.
  const again = gridCollectionOptions as (given: object) => never
  return withCollectionConfigFactory(options as never, () => again({ ...config, id }))
}
