import { GridError, READ_TIMEOUT_MS } from '@gossipgrid/core'
import type { Collection, PartAnswer, PartitionName, Peer, PeerId, Row } from '@gossipgrid/core'
import { onAbort } from '../flow/on-abort.ts'
import { checkAborted, orAborted } from '../runtime/waiting.ts'
import type { Pump } from '../runtime/write-path.ts'
import type { Coverage } from './changes/partition-changes.ts'
import type { OwnerReadOptions } from './partition-options.ts'
import type { Places } from './places.ts'

/** The rows of one key, tombstones included. */
export interface FoundKey {
  readonly name: PartitionName
  readonly key: string
  /** Undefined where no owner has answered in time. */
  readonly rows: readonly Readonly<Row>[] | undefined
}

/** The keys of a stretch of a partition, in order. */
export interface FoundPage {
  readonly keys: readonly { readonly key: string; readonly rows: readonly Readonly<Row>[] }[]
  /** The last of them, if the stretch goes on. */
  readonly end: string | undefined
}

/** A question to the owners: core calls `done` once. */
type Question<Answer> = (peer: Peer, done: (answer: Answer) => void, timeoutMs: number) => void

/** Asks the owners of partitions. All questions of one turn of the event loop to one peer travel together. */
export class RoutedReads {
  readonly #pump: Pump
  readonly #collection: Collection
  readonly #places: Places
  readonly #waiting = new Set<(error: Error) => void>()

  constructor(pump: Pump, collection: Collection, places: Places) {
    this.#pump = pump
    this.#collection = collection
    this.#places = places
    onAbort(pump.closing, () => {
      for (const reject of this.#waiting) reject(closed())
    })
  }

  /** The rows of these keys, in order. */
  keys(keys: readonly string[], options: OwnerReadOptions): Promise<readonly FoundKey[]> {
    const wanted = keys.map((key) => ({ name: this.#places.of(key), key }))
    return this.#ask((peer, done, timeoutMs) => {
      peer.partitions.read(wanted, this.#pump.now(), done, { timeoutMs })
    }, options)
  }

  /** The rows of a key, as all owners in reach have them together. */
  all(key: string, options: OwnerReadOptions): Promise<FoundKey> {
    const wanted = { name: this.#places.of(key), key }
    return this.#ask((peer, done, timeoutMs) => {
      peer.partitions.readAll(wanted, this.#pump.now(), done, { timeoutMs })
    }, options)
  }

  /** The first keys of a partition behind `after`; undefined if no owner has answered in time. */
  page(
    name: PartitionName,
    range: { readonly after: string; readonly prefix: string; readonly keysMax: number },
    options: OwnerReadOptions,
  ): Promise<FoundPage | undefined> {
    return this.#ask((peer, done, timeoutMs) => {
      peer.partitions.readPage({ name, ...range }, this.#pump.now(), done, { timeoutMs })
    }, options)
  }

  /** The number of keys. */
  async size(options: OwnerReadOptions): Promise<Coverage & { readonly size: number }> {
    const ask: Question<readonly (number | undefined)[]> = (peer, done, timeoutMs) => {
      peer.partitions.count(this.#places.all, this.#pump.now(), done, { timeoutMs })
    }
    const counts = await this.#ask(ask, options)
    const unanswered = counts.flatMap((count, index) => (count === undefined ? [index] : []))
    const size = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
    return { size, complete: unanswered.length === 0, unanswered }
  }

  /** What was said to a query, for each partition in order; undefined where no owner has answered in time. */
  query(
    names: readonly PartitionName[],
    question: Uint8Array,
    { passedFor, ...options }: OwnerReadOptions & { readonly passedFor?: PeerId },
  ): Promise<readonly (PartAnswer | undefined)[]> {
    const onward = passedFor === undefined ? {} : { passedFor }
    return this.#ask((peer, done, timeoutMs) => {
      peer.partitions.query(names, question, this.#pump.now(), done, { timeoutMs, ...onward })
    }, options)
  }

  /** The error for what no owner has answered. */
  unreachable(what: string, { timeoutMs = READ_TIMEOUT_MS }: OwnerReadOptions): GridError {
    const { title } = this.#collection
    const { peer } = this.#pump
    const why = !this.#isRegistered
      ? `no peer that can own partitions knows '${title}' yet: open it on one, or wait until this peer has met one`
      : peer.neighbours.size === 0
        ? 'this peer is connected to no other one'
        : `no whole copy was in reach for ${timeoutMs} ms`
    return new GridError('OWNERS_UNREACHABLE', `${what} of '${title}' may exist, but ${why}`)
  }

  /** Throws `CLOSED`, `COLLECTION_MISMATCH`, `COLLECTION_DROPPED`. */
  check(): void {
    this.#pump.checkOpen()
    const { mismatch, title } = this.#collection
    if (mismatch !== undefined) throw new GridError('COLLECTION_MISMATCH', mismatch)
    const { collection, kind } = this.#places.all[0]!
    if (this.#pump.peer.collections.dropped.isDropped({ collection, kind }))
      throw new GridError('COLLECTION_DROPPED', `'${title}' was dropped: open it again for the new one of that name`)
  }

  get #isRegistered(): boolean {
    return this.#pump.peer.partitions.registered(this.#places.all[0]!.collection) !== undefined
  }

  async #ask<Answer>(question: Question<Answer>, options: OwnerReadOptions): Promise<Answer> {
    const { timeoutMs = READ_TIMEOUT_MS, signal } = options
    this.check()
    checkAborted(signal)
    if (this.#pump.closing.aborted) throw closed()
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    let isAnswered = false
    const done = (answer: Answer): void => {
      isAnswered = true
      resolve(answer)
    }
    this.#pump.undisturbed(() => question(this.#pump.peer, done, timeoutMs))
    if (isAnswered) return promise
    this.#pump.tickSoon()
    this.#waiting.add(reject)
    try {
      return await orAborted(promise, signal)
    } finally {
      this.#waiting.delete(reject)
    }
  }
}

function closed(): GridError {
  return new GridError('CLOSED', 'the grid was closed before an owner answered')
}
