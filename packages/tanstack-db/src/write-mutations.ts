import type { OperationType } from '@tanstack/db'
import type { GridMap, WriteOptions } from 'gossipgrid'
import type { RowForm } from './row-form.ts'

/** What is read of a mutation of TanStack DB, whatever its rows are. */
export interface RowMutation {
  /** What it does. */
  readonly type: OperationType
  /** The key of its row. */
  readonly key: string | number
  /** The row as it is to be. */
  readonly modified: object
  /** The fields that change. */
  readonly changes: object
  /** The collection that the row is in. */
  readonly collection: { readonly id: string }
}

/**
 * Writes mutations as one batch, and in several ones if they are too many for one. An update writes the fields that it changed: the
 * others stay as this peer has them now.
 */
export async function writeMutations(
  map: GridMap<object>,
  form: RowForm,
  mutations: readonly RowMutation[],
  options: WriteOptions | undefined,
): Promise<void> {
  try {
    await map.transact((batch) => {
      for (const { type, key, modified, changes } of mutations) {
        if (type === 'delete') batch.delete(key as string)
        else {
          const current = type === 'update' ? batch.get(key as string) : undefined
          batch.set(key as string, updated(current, form.valueOf(modified), form.valueOf(changes)))
        }
      }
    }, options)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'BATCH_TOO_LARGE' || mutations.length === 1) throw error
    const middle = mutations.length >> 1
    await writeMutations(map, form, mutations.slice(0, middle), options)
    await writeMutations(map, form, mutations.slice(middle), options)
  }
}

/** The value that an update leaves: `changes` names the fields that it touched, deleted ones too; `modified` is the whole. */
export function updated(current: object | undefined, modified: object, changes: object): object {
  if (current === undefined) return modified
  const next: Record<string, unknown> = { ...current }
  for (const name of Object.keys(changes)) {
    const value = (modified as Readonly<Record<string, unknown>>)[name]
    // TanStack DB writes undefined for a field that was deleted.
    if (value === undefined) delete next[name]
    else next[name] = value
  }
  return next
}
