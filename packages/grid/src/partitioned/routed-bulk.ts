import { GridError } from '@gossipgrid/core'
import { misfit } from '../batches/checks.ts'
import { BulkError } from '../bulk/bulk-error.ts'
import { isCollection } from '../bulk/bulk-source.ts'
import type { BulkSource } from '../bulk/bulk-source.ts'
import { checkAborted } from '../runtime/waiting.ts'
import type { PartitionBulkOptions, PartitionBulkResult } from './partition-options.ts'
import type { FoundEntry, RoutedEntries } from './routed-entries.ts'
import type { RoutedWrites } from './routed-writes.ts'

/** Entries of one slice, and their bytes: whichever is reached first. A turn of the event loop writes one slice. */
const SLICE_ENTRIES_MAX = 500
const SLICE_MAX_BYTES: number = 512 * 1024
/** How full the room for hints may be before this waits, and how often it looks. */
const FULLNESS_MAX = 0.5
const ROOM_LOOK_MS = 20
const TIMEOUT_MS = 10_000

/** An entry to write. */
interface Planned {
  readonly key: string
  /** Undefined to delete it. */
  readonly content: Uint8Array | undefined
  /** As its owners have it, where that is known already. */
  readonly found?: FoundEntry
}

/**
 * Writes many entries of a partitioned map, slice by slice, no faster than this peer's disk and the owners take them. Entries
 * that were written stand if a later one fails.
 */
export class RoutedBulk {
  readonly #entries: RoutedEntries
  readonly #writes: RoutedWrites
  readonly #options: PartitionBulkOptions
  readonly #expiresAtMs: () => number
  #slice = new Map<string, Planned>()
  #sliceBytes = 0
  #written = 0
  #durable = 0
  #hinted = 0

  constructor(
    deps: { readonly entries: RoutedEntries; readonly writes: RoutedWrites },
    options: PartitionBulkOptions,
    expiresAtMs: () => number,
  ) {
    this.#entries = deps.entries
    this.#writes = deps.writes
    this.#options = options
    this.#expiresAtMs = expiresAtMs
  }

  /** Sets entries. All entries of a collection are checked before the first one is written. Rejects with a `BulkError`. */
  set(source: BulkSource<readonly [string, unknown]>): Promise<PartitionBulkResult> {
    return this.#run(() => {
      return isCollection(source) ? Array.from(source, (entry) => this.#plan(entry)) : this.#plans(source)
    })
  }

  /** Deletes entries that were found. Rejects with a `BulkError`. */
  delete(found: AsyncIterable<FoundEntry>): Promise<PartitionBulkResult> {
    return this.#run(() => deletes(found))
  }

  async #run(plans: () => Iterable<Planned> | AsyncIterable<Planned>): Promise<PartitionBulkResult> {
    try {
      for await (const planned of plans()) {
        checkAborted(this.#options.signal)
        if (this.#slice.has(planned.key)) await this.#flush()
        this.#slice.set(planned.key, planned)
        this.#sliceBytes += planned.key.length + (planned.content?.length ?? 0)
        if (this.#slice.size >= SLICE_ENTRIES_MAX || this.#sliceBytes >= SLICE_MAX_BYTES) await this.#flush()
      }
      await this.#flush()
    } catch (error) {
      throw new BulkError(error, { written: this.#written, durable: this.#durable })
    }
    return { written: this.#written, hinted: this.#hinted }
  }

  #plan(entry: unknown): Planned {
    if (!Array.isArray(entry) || entry.length !== 2)
      throw misfit('an entry', 'an array of two, the key and the value', entry)
    const [key, value]: readonly unknown[] = entry
    this.#entries.checkKey(key)
    return { key, content: this.#entries.encode(value) }
  }

  async *#plans(source: BulkSource<unknown>): AsyncGenerator<Planned, void, undefined> {
    for await (const entry of source) yield this.#plan(entry)
  }

  async #flush(): Promise<void> {
    if (this.#slice.size === 0) return
    const planned = [...this.#slice.values()]
    this.#slice = new Map()
    this.#sliceBytes = 0
    await this.#room()
    const found = await this.#found(planned)
    const expiresAtMs = this.#expiresAtMs()
    const receipts = planned.map(({ key, content }, place) => {
      const rows = (found[place] ?? this.#entries.unknown(key)).rows(content, expiresAtMs)
      const begun = this.#writes.begin(rows, this.#options)
      this.#written += 1
      return this.#writes.settled(begun, this.#options)
    })
    const settled = await Promise.allSettled(receipts)
    for (const each of settled) {
      if (each.status === 'rejected') throw each.reason
      if (each.value.hinted) this.#hinted += 1
      if (each.value.durable) this.#durable += 1
    }
    this.#options.onProgress?.({ written: this.#written, durable: this.#durable })
  }

  /** The entries before they are written, where a write depends on that. */
  async #found(planned: readonly Planned[]): Promise<readonly (FoundEntry | undefined)[]> {
    if (planned.every(({ found }) => found !== undefined)) return planned.map(({ found }) => found)
    if (!this.#entries.readsBeforeWrites) return []
    return this.#entries.find(
      planned.map(({ key }) => key),
      this.#readOptions,
    )
  }

  /** Waits until owners have taken enough of what was written before. Rejects with `BACKLOG_FULL` if they take nothing for long. */
  async #room(): Promise<void> {
    const { signal, timeoutMs = TIMEOUT_MS } = this.#options
    let fullness = this.#writes.fullness
    let sinceMs = performance.now()
    while (fullness > FULLNESS_MAX) {
      await new Promise((resolve) => setTimeout(resolve, ROOM_LOOK_MS))
      checkAborted(signal)
      this.#writes.pump.checkOpen()
      const now = this.#writes.fullness
      if (now < fullness) sinceMs = performance.now()
      else if (performance.now() - sinceMs > timeoutMs)
        throw new GridError(
          'BACKLOG_FULL',
          `too many writes wait for their owners, which took none for ${timeoutMs} ms`,
        )
      fullness = now
    }
  }

  get #readOptions(): Pick<PartitionBulkOptions, 'signal' | 'timeoutMs'> {
    const { signal, timeoutMs } = this.#options
    return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  }
}

async function* deletes(found: AsyncIterable<FoundEntry>): AsyncGenerator<Planned, void, undefined> {
  for await (const entry of found) yield { key: entry.key, content: undefined, found: entry }
}
