import { EntryObservers } from './entry-observers.ts'
import type { Content, EntrySource } from './entry-source.ts'

export interface GatheredEntriesDeps {
  /** The keys of all entries. */
  readonly keys: () => Iterable<string>
  /** The value that readers see. */
  readonly content: (key: string) => Uint8Array | undefined
  /** Calls `changed` with the key of every entry of which a row has changed. */
  readonly observe: (changed: (key: string) => void) => void
  /** Removes and reports what has expired. */
  readonly refresh: () => void
  /** Runs `call` after the current step, or at once when there is none. */
  readonly afterStep: (call: () => void) => void
}

/**
 * The entries of a map that stores an entry as several rows, one for each field. They are numbered here. What has changed is
 * reported after the step that brought it: by then all rows of a write are there.
 */
export class GatheredEntries implements EntrySource {
  readonly #deps: GatheredEntriesDeps
  readonly #keys: (string | undefined)[] = []
  readonly #numbers = new Map<string, number>()
  readonly #free: number[] = []
  readonly #stale = new Set<string>()
  readonly #observers = new EntryObservers()

  constructor(deps: GatheredEntriesDeps) {
    this.#deps = deps
    for (const key of deps.keys()) this.#number(key)
    deps.observe((key) => {
      const isFirst = this.#stale.size === 0
      this.#stale.add(key)
      if (isFirst) deps.afterStep(() => this.#report())
    })
  }

  get span(): number {
    return this.#keys.length
  }

  key(entry: number): string {
    return this.#keys[entry] ?? ''
  }

  find(key: string): number | undefined {
    return this.#numbers.get(key)
  }

  read(entry: number, into: Content): boolean {
    const key = this.#keys[entry]
    const content = key === undefined ? undefined : this.#deps.content(key)
    if (content === undefined) return false
    into.bytes = content
    into.start = 0
    into.end = content.length
    return true
  }

  isHidden(): boolean {
    // Its value is not read in the first place.
    return false
  }

  observe(changed: (entry: number) => void): () => void {
    return this.#observers.add(changed)
  }

  refresh(): void {
    this.#deps.refresh()
    this.#report()
  }

  #report(): void {
    const stale = [...this.#stale]
    this.#stale.clear()
    for (const key of stale) {
      const isThere = this.#deps.content(key) !== undefined
      const known = this.#numbers.get(key)
      if (!isThere && known === undefined) continue
      const entry = known ?? this.#number(key)
      this.#observers.report(entry)
      if (!isThere) this.#forget(key, entry)
    }
  }

  #number(key: string): number {
    const entry = this.#free.pop() ?? this.#keys.length
    this.#keys[entry] = key
    this.#numbers.set(key, entry)
    return entry
  }

  #forget(key: string, entry: number): void {
    this.#keys[entry] = undefined
    this.#numbers.delete(key)
    this.#free.push(entry)
  }
}
