/** What has changed in one partition, as it comes to a reader. */
export interface ArrivedKeys<Key> {
  readonly keys: readonly Key[]
  /** Of the partition, among those that are followed. */
  readonly place: number
  /** It has what was there when the reader began: deletes in it are of keys that the reader was never given. */
  readonly isFirst: boolean
  /** What the reader has of the partition is void. */
  readonly reset: boolean
  /** More of what was there when it was asked for follows. */
  readonly more: boolean
  /** Where to go on after it. Undefined: where it goes on has not changed. */
  readonly since: Uint8Array | undefined
}

/** Where a reader gets the changes of partitions from: from their owners, or, at a guest, from a member. */
export interface ChangeSource<Key> {
  /** The places of partitions that nothing has come from yet. */
  readonly unanswered: ReadonlySet<number>
  /** The reader has been given all that has come. */
  readonly isCaughtUp: boolean
  /** By place, where to go on after what the reader was given. */
  readonly cursors: readonly (Uint8Array | undefined)[]
  /** What comes next. Undefined when the grid closes; 'woken' after `wake`. */
  next(): Promise<ArrivedKeys<Key> | 'woken' | undefined>
  /** The reader has taken all of it. */
  done(arrived: ArrivedKeys<Key>): void
  /** The reader has something to do of its own. */
  wake(): void
  /** Ends it, also while it waits. */
  stop(): void
}
