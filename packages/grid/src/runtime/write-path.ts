import type { Input, Instant, Partition, Peer, PeerEvent, PeerId, Written } from '@gossipgrid/core'
import { GridError } from '@gossipgrid/core'
import type { GuestDocuments } from './guest-status.ts'
import { Copies } from './copies.ts'
import type { ListenerCalls } from '../flow/listener-calls.ts'
import type { Meters } from '../meters/meters.ts'
import type { BegunWrites, RowWrite } from './row-write.ts'
import { PendingWrites, notStored } from '../receipts/pending-writes.ts'
import type { Version, WriteOptions, WriteReceipt } from '../receipts/receipt.ts'
import { checkAborted } from './waiting.ts'
import { WriteRoom } from '../flow/write-room.ts'
import type { TokenWrites } from '../receipts/token.ts'
import type { TracedWrites, WriteTracing } from './write-tracing.ts'

/** The parts of a write that has no receipt. */
const NO_PARTS: TokenWrites = new Map()

/** Drives the peer that is written to. The runtime of a grid is one. */
export interface Pump {
  readonly peer: Peer
  readonly meters: Meters
  readonly listenerCalls: ListenerCalls
  /** The error of the store while it fails. */
  readonly storageError: unknown
  readonly closed: boolean
  /** Aborted when closing begins. Long operations end with it. */
  readonly closing: AbortSignal
  /** The grid's wall time now, in milliseconds. */
  readonly wallMs: number
  /** Reads the clocks of this machine. */
  now(): Instant
  /** Throws `CLOSED` once the grid is closed. */
  checkOpen(): void
  step(input: Input): void
  /** Runs `call` after every step from now on, until the returned function is called. */
  afterSteps(call: () => void): () => void
  /** Runs `call` after the current step, or at once when there is none. */
  afterStep(call: () => void): void
  /** Changes the peer outside of a step. Calls of `afterStep` wait until the change is done. */
  undisturbed<Result>(change: () => Result): Result
  /** Stores what was written in this turn of the event loop as one group, at the end of the current task. */
  flushSoon(written: Written): void
  /** Gives the peer a tick at the end of the current task. */
  tickSoon(): void
  /** Removes the entries that have expired by now, and reports them. */
  sweep(): void
}

/** What is written together with each row that this peer writes. That of a guest keeps what members are to be sent. */
export interface WriteOverlay {
  /** Throws if the row must not be written. Is called before any row of a write is applied. */
  check(partition: Partition, key: string): void
  /** The row is written. What this writes is stored with it in one piece. */
  wrote(partition: Partition, key: string, written: Written): void
  /** Whether the row is one that members have not answered. */
  has(partition: Partition, key: string): boolean
  readonly documents: GuestDocuments
}

export interface WritePathOptions {
  readonly pump: Pump
  /** Whether what is stored survives a restart. */
  readonly isPersistent: () => boolean
  /** Starts to trace these writes. */
  readonly trace?: ((writes: TracedWrites) => WriteTracing) | undefined
}

/** An entry that a later call has already written: its version stands. */
export interface StandingEntry {
  readonly partition: Partition
  readonly version: Version
}

/** How to write an entry: its rows, in groups that are each written in one piece; or the entry that stands instead. */
export type EntryWrites = Iterable<readonly RowWrite[]> | StandingEntry

/** Entries that were written one after another. */
export interface BegunEntries {
  /** Version of the last write of each entry, in order. Undefined where there was nothing to write. */
  readonly written: readonly (Version | undefined)[]
  /** The writes. Undefined if nothing was written. */
  readonly begun: BegunWrites | undefined
  /** Settles as the promise of a write does. Undefined if nothing was written. */
  readonly acknowledged: Promise<WriteReceipt> | undefined
  /** Why the next entry could not be written. */
  readonly failure: { readonly error: unknown } | undefined
}

/**
 * The path of this peer's own writes: they are applied at once and become durable later. Writes are refused when too much
 * waits for the store.
 */
export class WritePath {
  readonly room: WriteRoom
  readonly pump: Pump
  readonly copies: Copies
  /** Set before the first write, and only at guests. */
  overlay: WriteOverlay | undefined
  readonly #tracing: WriteTracing | undefined
  readonly #pending: PendingWrites
  #underWay = false
  #lastWriteId = 0

  constructor({ pump, isPersistent, trace }: WritePathOptions) {
    this.pump = pump
    this.copies = new Copies(pump)
    this.#pending = new PendingWrites(isPersistent, pump.peer.collections.seed)
    this.room = new WriteRoom({
      backlogBytes: () => pump.peer.commit.backlogBytes,
      waitingCalls: () => pump.listenerCalls.waitingCount,
    })
    this.#tracing = trace?.({
      peer: pump.peer,
      copies: this.copies,
      begin: (...write) => this.begin(...write),
      beginAll: (...writes) => this.beginAll(...writes),
    })
  }

  /** Number of writes whose promises have not settled. */
  get pendingCount(): number {
    return this.#pending.count
  }

  /** True while this peer applies a write of its own: changes that core reports meanwhile come from it. */
  get underWay(): boolean {
    return this.#underWay
  }

  /**
   * Applies a write at once. `GridMap.set` says what the promise means. Not an async function, which would make two more
   * promises for each of the thousands of writes that may wait for the disk.
   */
  write(
    partition: Partition,
    key: string,
    value: Uint8Array | undefined,
    options?: WriteOptions,
  ): Promise<WriteReceipt> {
    try {
      if (this.#tracing !== undefined) return this.#tracing.write(partition, key, value, options)
      return this.copies.follow(partition, this.begin(partition, key, value, options), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Applies a write. The promise resolves when it is durable. Throws if it cannot be applied. */
  begin(
    partition: Partition,
    key: string,
    value: Uint8Array | undefined,
    options?: WriteOptions,
  ): Promise<WriteReceipt> {
    this.#check(options, () => this.room.check())
    this.overlay?.check(partition, key)
    const durable = this.#added(this.#apply(partition, key, value), partition.name)
    this.pump.listenerCalls.run()
    return durable
  }

  /**
   * Applies several writes in one piece: all or none, and all before any listener is called. They are logged and sent
   * together. The receipt is that of the last write. Rejects as `write` does.
   */
  writeAll(rows: readonly RowWrite[], options?: WriteOptions): Promise<WriteReceipt> {
    try {
      if (this.#tracing !== undefined) return this.#tracing.writeAll(rows, options)
      const { durable, parts } = this.beginAll(rows, options)
      return this.copies.followAll(parts, durable, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Writes rows in one piece, one or several. Resolves and rejects as `write` does. */
  writeRows(rows: readonly RowWrite[], options?: WriteOptions): Promise<WriteReceipt> {
    const only = rows.length === 1 ? rows[0] : undefined
    if (only === undefined || only.dateHlc !== undefined) return this.writeAll(rows, options)
    return this.write(only.partition, only.key, only.bytes, options)
  }

  /** As `begin`, for several writes in one piece. */
  beginAll(rows: readonly RowWrite[], options?: WriteOptions): BegunWrites {
    this.#check(options, () => this.room.checkAll(rows))
    const parts = new Map<Partition, Written>()
    this.#applyAll(rows, parts)
    return this.#begun(parts)
  }

  /**
   * Writes entries one after another, however much waits for the store. The rows of an entry are computed after the entries
   * before it were applied. Ends with the first entry that fails. Throws `CLOSED` if the grid is closed.
   */
  writeEach(entries: Iterable<EntryWrites>, options: WriteOptions): BegunEntries {
    this.pump.checkOpen()
    this.#checkCopies(options)
    const parts = new Map<Partition, Written>()
    const written: (Version | undefined)[] = []
    let failure: { readonly error: unknown } | undefined
    try {
      for (const entry of entries) written.push(this.#writeEntry(entry, parts))
    } catch (error) {
      failure = { error }
    }
    if (parts.size === 0) return { written, begun: undefined, acknowledged: undefined, failure }
    const begun = this.#begun(parts)
    const acknowledged =
      this.#tracing?.writeMany(begun, written.length, options) ?? this.copies.followAll(parts, begun.durable, options)
    return { written, begun, acknowledged, failure }
  }

  /** Deletes a durable member from the registry. Resolves to true when that is durable here; to false if it was not there. */
  async forget(peerId: PeerId): Promise<boolean> {
    this.pump.checkOpen()
    const written = this.pump.peer.forget(peerId, this.pump.now())
    if (written === undefined) return false
    await this.#added(written, NO_PARTS)
    return true
  }

  /** Follows a write that was made otherwise, as `write` does. */
  follow(partition: Pick<Partition, 'name'>, written: Written, options?: WriteOptions): Promise<WriteReceipt> {
    const durable = this.#added(written, partition.name)
    this.pump.listenerCalls.run()
    return this.copies.follow(partition, durable, options)
  }

  /** Takes an event of the peer that concerns its own writes. */
  onEvent(event: PeerEvent): void {
    if (event.type === 'durable') {
      this.#pending.durable(event.writeId)
      this.room.changed()
    } else if (event.type === 'not-durable') this.#pending.notDurable(event.writeId, event.error)
    else if (event.type === 'copies') this.copies.onCopies(event)
  }

  /** Resolves when there may be more room. Rejects with the reason if the store fails. */
  async roomChange(): Promise<void> {
    const { peer, storageError } = this.pump
    if (peer.commit.failing) throw notStored(storageError)
    await this.room.change()
  }

  /** The store failed: ends all waits for room. */
  storeFailed(cause: unknown): void {
    this.room.fail(notStored(cause))
  }

  /** Resolves when no write is pending. */
  idle(): Promise<void> {
    return this.#pending.idle()
  }

  /** Rejects all pending writes: the grid is closed. */
  close(): void {
    this.#pending.fail(new GridError('CLOSED', 'the grid was closed before the write was durable'))
    this.#tracing?.close()
  }

  #check(options: WriteOptions | undefined, checkRoom: () => void): void {
    this.pump.checkOpen()
    this.#checkCopies(options)
    this.pump.listenerCalls.wrote()
    checkAborted(options?.signal)
    try {
      this.copies.checkRoom(options)
      checkRoom()
    } catch (error) {
      this.pump.meters.writes.refused += 1
      throw error
    }
  }

  /** Throws `INVALID_OPTION` at a guest, of which no other peer has a copy. */
  #checkCopies(options: WriteOptions | undefined): void {
    if (this.overlay !== undefined && options?.copies !== undefined)
      throw new GridError('INVALID_OPTION', 'copies is for members: a guest knows of no copies')
  }

  #writeEntry(entry: EntryWrites, parts: Map<Partition, Written>): Version | undefined {
    if ('version' in entry) {
      const { partition, version } = entry
      // Waiting for this peer's last write is enough: the entry was written before it.
      if (!parts.has(partition)) parts.set(partition, { ...version, writeId: this.#lastWriteId })
      return version
    }
    let last: Written | undefined
    for (const rows of entry) last = this.#applyAll(rows, parts)
    return last
  }

  /** Applies rows in one piece, and returns the last write. */
  #applyAll(rows: readonly RowWrite[], parts: Map<Partition, Written>): Written {
    let last: Written | undefined
    for (const { partition, key } of this.overlay === undefined ? [] : rows) this.overlay!.check(partition, key)
    const apply = (): void => {
      for (const { partition, key, bytes, dateHlc } of rows) {
        last = this.#apply(partition, key, bytes, dateHlc)
        parts.set(partition, last)
      }
    }
    if (rows.length === 1) apply()
    else this.pump.peer.atomically(apply)
    return last!
  }

  #apply(partition: Partition, key: string, value: Uint8Array | undefined, dateHlc?: number): Written {
    const { meters, peer } = this.pump
    this.#underWay = true
    try {
      const write = (): Written => peer.write(partition, key, value, this.pump.now(), dateHlc)
      const written = this.pump.undisturbed(() => {
        return this.overlay === undefined ? write() : this.#withOverlay(this.overlay, partition, key, write)
      })
      meters.writes[value === undefined ? 'deletes' : 'sets'] += 1
      this.#lastWriteId = written.writeId
      return written
    } catch (error) {
      meters.writes.refused += 1
      throw error
    } finally {
      this.#underWay = false
    }
  }

  #withOverlay(overlay: WriteOverlay, partition: Partition, key: string, write: () => Written): Written {
    let written: Written | undefined
    this.pump.peer.atomically(() => {
      written = write()
      overlay.wrote(partition, key, written)
    })
    return written!
  }

  #begun(parts: ReadonlyMap<Partition, Written>): BegunWrites {
    const last = [...parts.values()].reduce((latest, part) => (part.writeId > latest.writeId ? part : latest))
    const durable = this.#added(last, parts)
    this.pump.listenerCalls.run()
    return { durable, parts }
  }

  #added(written: Written, parts: TokenWrites): Promise<WriteReceipt> {
    const durable = this.#pending.add(written, parts)
    if (!this.#pending.isDurable(written)) this.pump.flushSoon(written)
    return durable
  }
}
