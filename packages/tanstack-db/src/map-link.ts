import type { Conflict, Query, WriteOptions } from 'gossipgrid'
import type { RowForm } from './row-form.ts'
import type { RowMutation } from './write-mutations.ts'

/** What queries of both kinds of maps give. */
export interface LinkedRows {
  readonly rows: readonly { readonly key: string; readonly value: object }[]
  readonly next: string | undefined
  readonly complete: boolean
}

/** Entries by their keys. `complete` is there if some may not have been answered for. */
export type LinkedValues = Iterable<readonly [string, object]> & { readonly complete?: boolean }

/** What rows are read from. */
export interface AskedMap {
  query(query: Query<object>): Promise<LinkedRows>
  getMany(keys: readonly string[]): Promise<LinkedValues>
}

export interface FollowRequest {
  /** Also what is there at the start, before `follow` resolves. */
  readonly initial: boolean
  readonly changed: (key: string, value: object | undefined) => void
  /** Following has ended, for this reason. */
  readonly failed: (error: unknown) => void
  readonly signal: AbortSignal
}

/** What a collection does with its map, of whichever kind that is. */
export interface MapLink {
  readonly asked: AskedMap
  /** Other peers have the entries: what one of them has just got, another one may not have yet. */
  readonly isRemote: boolean
  /** False while a part of the map has not answered. */
  readonly isComplete: boolean
  /** Calls back with each change from now on. Resolves when it follows all that has answered in time. */
  follow(request: FollowRequest): Promise<void>
  /** Resolves when they are stored as `options` ask for. By then `changed` was called with them. */
  write(form: RowForm, mutations: readonly RowMutation[], options: WriteOptions | undefined): Promise<void>
  onConflict(listener: (conflict: Conflict<object>) => unknown, signal: AbortSignal): void
}
