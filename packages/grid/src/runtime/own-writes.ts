import type { Partition, PeerId, Written } from '@gossipgrid/core'
import { GridError } from '@gossipgrid/core'
import { readClocks } from './clocks.ts'
import type { RowWrite } from '../maps/layout.ts'
import { PendingWrites, notStored } from './pending-writes.ts'
import type { Receipt, WriteOptions } from './receipt.ts'
import type { Runtime } from './runtime.ts'
import { checkAborted } from './waiting.ts'
import { WriteRoom } from '../flow/write-room.ts'
import type { WriteTracing } from './write-tracing.ts'

/** Writes that were applied in one piece. */
export interface BegunWrites {
  /** Resolves when all of them are durable. */
  readonly durable: Promise<Receipt>
  /** The last one of each partition. */
  readonly parts: ReadonlyMap<Partition, Written>
}

/** Entries that were written one after another. */
export interface BegunEntries {
  /** The last write of each entry, in order; undefined where there was nothing to write. */
  readonly written: readonly (Written | undefined)[]
  /** All of them; undefined when nothing was written. */
  readonly begun: BegunWrites | undefined
  /** Settles as the promise of a write does; undefined when nothing was written. */
  readonly acknowledged: Promise<Receipt> | undefined
  /** What kept the next entry from being written. */
  readonly failure: { readonly error: unknown } | undefined
}

/** What this peer writes itself: applied at once, and durable later. Refused where too much waits for the store. */
export class OwnWrites {
  readonly room: WriteRoom
  readonly #runtime: Runtime
  readonly #tracing: WriteTracing | undefined
  readonly #pending: PendingWrites
  #underWay = false

  constructor(runtime: Runtime, tracing: WriteTracing | undefined) {
    this.#runtime = runtime
    this.#tracing = tracing
    this.#pending = new PendingWrites(() => runtime.peer.persistent && runtime.storage.persistent)
    this.room = new WriteRoom({
      backlogBytes: () => runtime.peer.commit.backlogBytes,
      waitingCalls: () => runtime.listenerCalls.waitingCount,
    })
  }

  /** Writes whose promises have not settled. */
  get pendingCount(): number {
    return this.#pending.count
  }

  /** Whether what core tells of at this moment is a write of this peer. */
  get underWay(): boolean {
    return this.#underWay
  }

  /**
   * Applies a write at once; the promise keeps what `GridMap.set` says of it, and is all that a write leaves behind: as an
   * async function this would cost two more for each of thousands that wait for the disk.
   */
  write(partition: Partition, key: string, value: Uint8Array | undefined, options?: WriteOptions): Promise<Receipt> {
    try {
      if (this.#tracing !== undefined) return this.#tracing.write(partition, key, value, options)
      return this.#runtime.copies.follow(partition, this.begin(partition, key, value, options), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Applies a write; the promise resolves when it is durable. Throws what keeps it from being applied. */
  begin(partition: Partition, key: string, value: Uint8Array | undefined, options?: WriteOptions): Promise<Receipt> {
    this.#check(options, () => this.room.check())
    const durable = this.#added(this.#apply(partition, key, value))
    this.#runtime.listenerCalls.run()
    return durable
  }

  /**
   * Applies several writes in one piece: all or none, before any listener hears of one; logged and sent together. The
   * receipt is that of the last. Rejects as `write` does.
   */
  writeAll(rows: readonly RowWrite[], options?: WriteOptions): Promise<Receipt> {
    try {
      if (this.#tracing !== undefined) return this.#tracing.writeAll(rows, options)
      const { durable, parts } = this.beginAll(rows, options)
      return this.#runtime.copies.followAll(parts, durable, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** As `begin`, for several writes. `parts` are the last writes of each partition: whoever has them has all. */
  beginAll(rows: readonly RowWrite[], options?: WriteOptions): BegunWrites {
    this.#check(options, () => this.room.checkAll(rows))
    const parts = new Map<Partition, Written>()
    this.#applyAll(rows, parts)
    return this.#begun(parts)
  }

  /**
   * Writes entries one after another, whatever waits for the store: each is asked for its rows, in pieces that are each
   * written as a whole, when those before it are applied. The first that fails ends it. Throws `CLOSED` before the first.
   */
  writeEach(entries: Iterable<Iterable<readonly RowWrite[]>>, options: WriteOptions): BegunEntries {
    this.#runtime.checkOpen()
    const parts = new Map<Partition, Written>()
    const written: (Written | undefined)[] = []
    let failure: { readonly error: unknown } | undefined
    try {
      for (const pieces of entries) {
        let last: Written | undefined
        for (const rows of pieces) last = this.#applyAll(rows, parts)
        written.push(last)
      }
    } catch (error) {
      failure = { error }
    }
    if (parts.size === 0) return { written, begun: undefined, acknowledged: undefined, failure }
    const begun = this.#begun(parts)
    const acknowledged =
      this.#tracing?.writeMany(begun, written.length, options) ??
      this.#runtime.copies.followAll(parts, begun.durable, options)
    return { written, begun, acknowledged, failure }
  }

  /** Takes a durable member out of the registry: false when it was not there, else true once that is durable here. */
  async forget(peerId: PeerId): Promise<boolean> {
    this.#runtime.checkOpen()
    const written = this.#runtime.peer.forget(peerId, readClocks())
    if (written === undefined) return false
    await this.#added(written)
    return true
  }

  /** All writes up to this id are durable. */
  durable(writeId: number): void {
    this.#pending.durable(writeId)
    this.room.changed()
  }

  /** The store refused writes up to this id; they stand in memory and storing them is tried again. */
  notDurable(writeId: number, cause: unknown): void {
    this.#pending.notDurable(writeId, cause)
  }

  /** The store has refused: whoever waits for room in it is not left waiting. */
  storeFailed(cause: unknown): void {
    this.room.fail(notStored(cause))
  }

  /** Resolves when no promise of a write is open. */
  idle(): Promise<void> {
    return this.#pending.idle()
  }

  /** The grid is closed: ends all promises. */
  close(): void {
    this.#pending.fail(new GridError('CLOSED', 'the grid was closed before the write was durable'))
    this.#tracing?.close()
  }

  #check(options: WriteOptions | undefined, checkRoom: () => void): void {
    this.#runtime.checkOpen()
    this.#runtime.listenerCalls.wrote()
    checkAborted(options?.signal)
    try {
      this.#runtime.copies.checkRoom(options)
      checkRoom()
    } catch (error) {
      this.#runtime.meters.writes.refused += 1
      throw error
    }
  }

  /** In one piece where there are several; gives the last. */
  #applyAll(rows: readonly RowWrite[], parts: Map<Partition, Written>): Written {
    let last: Written | undefined
    const apply = (): void => {
      for (const { partition, key, bytes } of rows) {
        last = this.#apply(partition, key, bytes)
        parts.set(partition, last)
      }
    }
    if (rows.length === 1) apply()
    else this.#runtime.peer.atomically(apply)
    return last!
  }

  #apply(partition: Partition, key: string, value: Uint8Array | undefined): Written {
    const { meters, peer } = this.#runtime
    this.#underWay = true
    try {
      const written = this.#runtime.undisturbed(() => peer.write(partition, key, value, readClocks()))
      meters.writes[value === undefined ? 'deletes' : 'sets'] += 1
      return written
    } catch (error) {
      meters.writes.refused += 1
      throw error
    } finally {
      this.#underWay = false
    }
  }

  #begun(parts: ReadonlyMap<Partition, Written>): BegunWrites {
    const last = [...parts.values()].reduce((latest, part) => (part.writeId > latest.writeId ? part : latest))
    const durable = this.#added(last)
    this.#runtime.listenerCalls.run()
    return { durable, parts }
  }

  #added(written: Written): Promise<Receipt> {
    const durable = this.#pending.add(written)
    this.#runtime.flushSoon(written)
    return durable
  }
}
