/** The stored bytes of a value: `bytes[start, end)`. */
export interface Content {
  bytes: Uint8Array
  start: number
  end: number
}

/** The entries of a map at this peer, or of one of its partitions, under small whole numbers. A number stays that of its entry. */
export interface EntrySource {
  /** All numbers are below this one. */
  readonly span: number
  /** The key of an entry that is there, or of one that is reported as gone at this moment. */
  key(entry: number): string
  /** The number of a key's entry. Undefined if there is none. */
  find(key: string): number | undefined
  /** Points `into` at the value of an entry. False if there is none, or it has expired. */
  read(entry: number, into: Content): boolean
  /** Whether readers do not see the entry because the map's schema refuses it. Up to date after `refresh`. */
  isHidden(entry: number): boolean
  /** Calls `changed` for every entry that may read differently from now on, also for a new one and for one that is gone. */
  observe(changed: (entry: number) => void): () => void
  /** Calls the observers for all that has changed by now, also because it has expired. */
  refresh(): void
}

export function noContent(): Content {
  return { bytes: new Uint8Array(), start: 0, end: 0 }
}
