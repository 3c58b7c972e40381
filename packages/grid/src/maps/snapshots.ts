import { frozen } from '../changes/frozen.ts'

/** Keys that may have changed since a snapshot was made. With more, the next one is made from scratch. */
const STALE_MAX = 65_536

/** The entries of a map at one moment, sorted by key. */
export type Snapshot<Value> = readonly (readonly [key: string, value: Value])[]

/** A snapshot that was given out. It is kept as long as a caller keeps it, and so is stable for those who could tell. */
interface Given<Value> {
  readonly snapshot: WeakRef<Snapshot<Value>>
  readonly stale: Set<string>
}

export interface SnapshotsDeps<Value> {
  /** The keys of all entries that start with `prefix`. */
  keys(prefix: string): Iterable<string>
  /** The value under a key, in an object that no other reader has. Undefined if there is none. */
  value(key: string): Value | undefined
  /** Called when the first snapshot is made, and when one is no longer in use. */
  used(): void
}

/** Snapshots of a map, by prefix: the same frozen array as long as nothing in it changes. */
export class Snapshots<Value> {
  readonly #deps: SnapshotsDeps<Value>
  readonly #given = new Map<string, Given<Value>>()
  readonly #collected = new FinalizationRegistry<string>((prefix) => {
    if (this.known(prefix) === undefined) this.#given.delete(prefix)
    this.#deps.used()
  })

  constructor(deps: SnapshotsDeps<Value>) {
    this.#deps = deps
  }

  /** True if a snapshot is in use. */
  get wanted(): boolean {
    return this.#given.size > 0
  }

  /** The last snapshot, if it is still in use. */
  known(prefix: string): Snapshot<Value> | undefined {
    return this.#given.get(prefix)?.snapshot.deref()
  }

  /** An entry has changed. */
  changed(key: string): void {
    for (const [prefix, { stale }] of this.#given) {
      if (!key.startsWith(prefix)) continue
      stale.add(key)
      if (stale.size > STALE_MAX) this.#given.delete(prefix)
    }
  }

  /** The entries now. The array is new, and so are the entries that have changed. */
  of(prefix: string): Snapshot<Value> {
    const known = this.known(prefix)
    const stale = this.#given.get(prefix)?.stale
    if (known === undefined || stale === undefined) {
      return this.#give(prefix, this.#entries(this.#deps.keys(prefix)))
    }
    const left = known.filter(([key]) => !stale.has(key))
    const changed = this.#entries(stale)
    stale.clear()
    // A key that came and went is no change.
    if (left.length === known.length && changed.length === 0) return known
    return this.#give(prefix, [...left, ...changed])
  }

  #give(prefix: string, entries: (readonly [string, Value])[]): Snapshot<Value> {
    const snapshot = Object.freeze(entries.sort(byKey))
    this.#given.set(prefix, { snapshot: new WeakRef(snapshot), stale: new Set() })
    this.#collected.register(snapshot, prefix)
    this.#deps.used()
    return snapshot
  }

  #entries(keys: Iterable<string>): (readonly [string, Value])[] {
    return Array.from(keys, (key) => [key, this.#deps.value(key)] as const).flatMap((entry) => {
      return entry[1] === undefined ? [] : [frozen(entry as readonly [string, Value])]
    })
  }
}

/** Orders entries as their keys compare in JavaScript: by UTF-16 code units. */
export function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1
}
