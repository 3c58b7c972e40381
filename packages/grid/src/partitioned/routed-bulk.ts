import { GridError } from '@gossipgrid/core'
import { BulkError } from '../bulk/bulk-error.ts'
import { isCollection } from '../bulk/bulk-source.ts'
import type { BulkSource } from '../bulk/bulk-source.ts'
import { checkAborted } from '../runtime/waiting.ts'
import type { Coverage } from './changes/partition-changes.ts'
import { readOptions } from './partition-options.ts'
import type { OwnerReadOptions, PartitionBulkOptions, PartitionBulkResult } from './partition-options.ts'
import type { FoundEntry } from './routed-entries.ts'
import { walkEntries } from './routed-walk.ts'
import type { WalkedEntries } from './routed-walk.ts'
import type { RoutedWrites } from './routed-writes.ts'

/** Entries of one slice, and their bytes: whichever is reached first. A turn of the event loop writes one slice. */
const SLICE_ENTRIES_MAX = 500
const SLICE_MAX_BYTES: number = 512 * 1024
/** How full the room for hints may be before this waits, and how often it looks. */
const FULLNESS_MAX = 0.5
const ROOM_LOOK_MS = 20
const TIMEOUT_MS = 10_000

/** An entry to write. */
export interface PlannedEntry {
  readonly key: string
  /** Undefined to delete it. */
  readonly content: Uint8Array | undefined
  /** As its owners have it, where that is known already. */
  readonly found?: FoundEntry
}

/** The entries that are written. */
export interface BulkEntries {
  /** A write of an entry depends on which rows it has. */
  readonly readsBeforeWrites: boolean
  /** These entries, in order; undefined where no owner has answered in time. */
  find(keys: readonly string[], options: OwnerReadOptions): Promise<readonly (FoundEntry | undefined)[]>
  /** An entry of which nothing is known. */
  unknown(key: string): FoundEntry
}

/**
 * Writes many entries of a partitioned map, slice by slice, no faster than this peer's disk and the owners take them. Entries
 * that were written stand if a later one fails.
 */
export class RoutedBulk {
  readonly #entries: BulkEntries
  readonly #writes: RoutedWrites
  readonly #options: PartitionBulkOptions
  readonly #expiresAtMs: () => number
  #slice = new Map<string, PlannedEntry>()
  #sliceBytes = 0
  #written = 0
  #durable = 0
  #hinted = 0

  constructor(
    deps: { readonly entries: BulkEntries; readonly writes: RoutedWrites },
    options: PartitionBulkOptions,
    expiresAtMs: () => number,
  ) {
    this.#entries = deps.entries
    this.#writes = deps.writes
    this.#options = options
    this.#expiresAtMs = expiresAtMs
  }

  /** Sets entries. All entries of a collection are checked by `plan` before the first one is written. Rejects with a `BulkError`. */
  set<Entry>(source: BulkSource<Entry>, plan: (entry: Entry) => PlannedEntry): Promise<PartitionBulkResult> {
    return this.#run(() => (isCollection(source) ? Array.from(source, plan) : plans(source, plan)))
  }

  /** Writes the rows of entries that were found: those that delete them, or others that they give. Rejects with a `BulkError`. */
  write(found: AsyncIterable<FoundEntry>): Promise<PartitionBulkResult> {
    return this.#run(() => foundOnes(found))
  }

  async #run(plans: () => Iterable<PlannedEntry> | AsyncIterable<PlannedEntry>): Promise<PartitionBulkResult> {
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

  async #flush(): Promise<void> {
    if (this.#slice.size === 0) return
    const planned = [...this.#slice.values()]
    this.#slice = new Map()
    this.#sliceBytes = 0
    await this.#room()
    const found = await this.#found(planned)
    const expiresAtMs = this.#expiresAtMs()
    const receipts = planned.map(({ key, content }, place) => {
      const rows = this.#writes.current((found[place] ?? this.#entries.unknown(key)).rows(content, expiresAtMs))
      this.#written += 1
      if (rows.length === 0) return Promise.resolve(undefined)
      const begun = this.#writes.begin(rows, this.#options)
      return this.#writes.settled(begun, this.#options)
    })
    const settled = await Promise.allSettled(receipts)
    for (const each of settled) {
      if (each.status === 'rejected') throw each.reason
      if (each.value === undefined) continue
      if (each.value.hinted) this.#hinted += 1
      if (each.value.durable) this.#durable += 1
    }
    this.#options.onProgress?.({ written: this.#written, durable: this.#durable })
  }

  /** The entries before they are written, where a write depends on that. */
  async #found(planned: readonly PlannedEntry[]): Promise<readonly (FoundEntry | undefined)[]> {
    if (planned.every(({ found }) => found !== undefined)) return planned.map(({ found }) => found)
    if (!this.#entries.readsBeforeWrites) return []
    return this.#entries.find(
      planned.map(({ key }) => key),
      readOptions(this.#options),
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
}

/** Removes all entries that owners have. Rejects with a `BulkError`. */
export async function clearEntries(
  { entries, writes }: { readonly entries: BulkEntries & WalkedEntries<FoundEntry>; readonly writes: RoutedWrites },
  options: PartitionBulkOptions,
): Promise<Coverage & { readonly deleted: number }> {
  let coverage: Coverage = { complete: false, unanswered: [] }
  const walk = walkEntries(entries, { ...readOptions(options), partial: true }, (covered) => (coverage = covered))
  const { written } = await new RoutedBulk({ entries, writes }, options, () => Infinity).write(walk)
  return { deleted: written, ...coverage }
}

async function* plans<Entry>(
  source: BulkSource<Entry>,
  plan: (entry: Entry) => PlannedEntry,
): AsyncGenerator<PlannedEntry, void, undefined> {
  for await (const entry of source) yield plan(entry)
}

async function* foundOnes(found: AsyncIterable<FoundEntry>): AsyncGenerator<PlannedEntry, void, undefined> {
  for await (const entry of found) yield { key: entry.key, content: undefined, found: entry }
}
