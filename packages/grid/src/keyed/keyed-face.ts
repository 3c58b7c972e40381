import { ELEMENT_SEPARATOR, GridError, KEY_MAX_BYTES, KEY_SEPARATOR } from '@gossipgrid/core'
import type { Collection, Partition } from '@gossipgrid/core'
import { checkKey, checkKind } from '../batches/checks.ts'
import { ChangeFeed, checkFeedOptions } from '../changes/change-feed.ts'
import type { InitialSteps } from '../changes/change-loop.ts'
import type { UnreadChange } from '../changes/unread-change.ts'
import type { Logger } from '../logger.ts'
import { piecesOf } from '../maps/map-bulk.ts'
import { CHANGES_OPTIONS } from '../maps/map-options.ts'
import type { ChangesOptions } from '../maps/map-options.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import { onlyPartition } from '../runtime/row-write.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { afterToken } from '../reads/after-token.ts'
import type { ReadOptions } from '../reads/after-token.ts'
import { walkKeys } from '../reads/walk.ts'
import type { EntriesOptions } from '../reads/walk.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { SLOT_BYTES } from '../sets/element-rows.ts'
import { encodeElement } from '../sets/set-element.ts'

/** Bytes of a row's key beside the user's key: separators, the slot that counts or adds, and the slot of a deleter. */
const SLOTS_BYTES = 64
const KEYED_MAX_BYTES: number = KEY_MAX_BYTES - SLOTS_BYTES

/** What counters and sets under keys have in common with maps: keys, entries, and changes by key or prefix. */
export abstract class KeyedFace<Value, Change extends object> {
  /** The name of the collection. */
  readonly name: string
  protected readonly writes: WritePath
  protected readonly partition: Partition
  protected readonly feed: ChangeFeed<Change>

  /** @internal */
  constructor(writes: WritePath, collection: Collection, logger: Logger, lagged: (missed: number) => Change) {
    this.name = collection.title
    this.writes = writes
    this.partition = onlyPartition(collection)
    this.feed = new ChangeFeed<Change>({ logger, lagged })
  }

  /** Number of keys at this peer. */
  get size(): number {
    return this.current().size
  }

  /** Number of keys in the rows that are written. @internal */
  abstract get keyCount(): number

  /** What is under `key`, wherever it is stored. Undefined if there is nothing. Waits and rejects as `GridMap.get` does. */
  async get(key: string, options?: ReadOptions): Promise<Value | undefined> {
    if (options !== undefined) await afterToken(this.writes.pump, options)
    return this.peek(key)
  }

  /** What is under `key` at this peer, synchronously. Throws as `get` does. */
  abstract peek(key: string): Value | undefined

  /** Whether there is something under `key`. Waits and rejects as `get` does. */
  async has(key: string, options?: ReadOptions): Promise<boolean> {
    if (options !== undefined) await afterToken(this.writes.pump, options)
    this.checkKey(key)
    return this.isThere(key)
  }

  /** The keys that exist when the iteration starts. Starts, skips and ends as `GridMap.keys` does. */
  keys(options: EntriesOptions = {}): AsyncGenerator<string, void, undefined> {
    return this.#walk(options, (key) => (this.isThere(key) ? key : undefined))
  }

  /** As `keys`, with what is under each key when the iteration reaches it. */
  entries(options: EntriesOptions = {}): AsyncGenerator<[string, Value], void, undefined> {
    return this.#walk(options, (key): [string, Value] | undefined => {
      const value = this.peek(key)
      return value === undefined ? undefined : [key, value]
    })
  }

  /**
   * Every change from now on, of all keys, of one `key` or of those that start with `prefix`; with `initial`, after what is
   * there. Falls behind and ends as `GridMap.changes` does. Throws `INVALID_OPTION`, `INVALID_KEY`, `CLOSED`.
   */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<Change> {
    checkFeedOptions(options, CHANGES_OPTIONS)
    checkKind('prefix', options.prefix, 'text')
    const { key: only, prefix = '' } = options
    if (only !== undefined) checkKeyedKey(only)
    this.writes.pump.checkOpen()
    const wants = (key: string): boolean => (only === undefined ? key.startsWith(prefix) : key === only)
    const initial = (): InitialSteps<Change> => this.#initial(only, wants)
    return this.feed.changes(options, {
      wants: (changed) => wants(keyOfChange(changed)),
      initial: options.initial === true ? initial : undefined,
    })
  }

  /** Calls `listener` for every change. The returned function ends that. */
  on(type: 'change', listener: (change: Change) => unknown, options?: { readonly signal?: AbortSignal }): () => void {
    return this.feed.on(type, listener, options)
  }

  /** Its collection was dropped. @internal */
  get isDropped(): boolean {
    return this.partition.dropped
  }

  /** Of what was dropped, nothing is left. @internal */
  get isEmptied(): boolean {
    return this.partition.replica.table.size === 0
  }

  /** Ends all loops over changes. @internal */
  close(): void {
    this.feed.close()
  }

  /** Throws `INVALID_KEY`, `CLOSED`. @internal */
  checkKey(key: string): void {
    this.writes.pump.checkOpen()
    checkKeyedKey(key)
  }

  /** The keys that are there, with all that has been written. */
  protected abstract current(): ReadonlyMap<string, unknown>

  /** Whether there is something under a key. */
  protected abstract isThere(key: string): boolean

  /** Changes that show what is under a key now, none if there is nothing. */
  protected abstract shown(
    key: string,
  ): Iterable<{ readonly key: string; readonly entry: UnreadChange<Change> | undefined }>

  /** Applies rows at once, in pieces if there are very many. Resolves and rejects as `WritePath.write` does. */
  protected write(rows: readonly RowWrite[], options?: WriteOptions): Promise<Receipt> {
    if (rows.length === 1) return this.writes.writeRows(rows, options)
    const pieces = [...piecesOf(rows)]
    const last = pieces.pop()!
    const written = pieces.map((piece) => this.writes.writeAll(piece))
    const lastWritten = this.writes.writeAll(last, options)
    return written.length === 0 ? lastWritten : Promise.all([...written, lastWritten]).then(() => lastWritten)
  }

  *#initial(only: string | undefined, wants: (key: string) => boolean): InitialSteps<Change> {
    const keys = only === undefined ? [...this.current().keys()] : [only]
    for (const key of keys) {
      if (wants(key)) yield* this.shown(key)
      yield undefined
    }
  }

  #walk<Shown>(
    options: EntriesOptions,
    show: (key: string) => Shown | undefined,
  ): AsyncGenerator<Shown, void, undefined> {
    // A copy, so that the walk does not reach keys that are added meanwhile.
    return walkKeys(this.writes.pump, options, () => [...this.current().keys()], show)
  }
}

/** Key and element in one text. Throws `INVALID_KEY`, `INVALID_VALUE`. */
export function checkedMain(key: string, element: unknown): string {
  checkKeyedKey(key)
  const main = [key, encodeElement(element)].join(ELEMENT_SEPARATOR)
  const roomBytes = KEY_MAX_BYTES - SLOT_BYTES
  if (main.length * 3 <= roomBytes || new TextEncoder().encode(main).length <= roomBytes) return main
  throw new GridError('INVALID_VALUE', `the key and the element take more than ${roomBytes - 2} bytes together`)
}

/** The key of a change: what comes before the element, where a change is one of an element. */
function keyOfChange(changed: string): string {
  const at = changed.indexOf(ELEMENT_SEPARATOR)
  return at < 0 ? changed : changed.slice(0, at)
}

/** Throws `INVALID_KEY` unless `key` is well-formed text of 1 to 960 bytes without U+0000 and U+0001. */
export function checkKeyedKey(key: unknown): asserts key is string {
  checkKey(key)
  if (key.includes(KEY_SEPARATOR) || key.includes(ELEMENT_SEPARATOR))
    throw new GridError('INVALID_KEY', 'a key of counters or sets must not contain U+0000 or U+0001')
  if (key.length * 3 <= KEYED_MAX_BYTES) return
  const sizeBytes = new TextEncoder().encode(key).length
  if (sizeBytes > KEYED_MAX_BYTES)
    throw new GridError('INVALID_KEY', `a key of ${sizeBytes} bytes; the limit here is ${KEYED_MAX_BYTES}`)
}
