import { GridError } from '@gossipgrid/core'
import type { Storage, StorageOperation } from '@gossipgrid/core'
import { decodeBlob, encodeBlob } from './blob.ts'
import { CommitQueue } from './commit-queue.ts'
import { checkKey } from './key.ts'
import { levelFailure, storageError } from './level-error.ts'
import { openLevel } from './level-open.ts'
import type { OpenedLevel } from './level-open.ts'
import { ReopeningLevel } from './reopening-level.ts'
import type { LevelOperation } from './reopening-level.ts'

/** Large enough to fill a disk's bandwidth, small enough that a caller behind it does not wait long. */
const GROUP_SIZE_MAX_BYTES = 8 * 1024 * 1024
/** The cost of an operation besides its value, so that deletes count too. */
const OPERATION_SIZE_BYTES = 32
/** The first character after ASCII: the end of every range of keys. */
const AFTER_ASCII = '\u0080'

/** Receives the warnings for an operator. `console` will do. */
export interface StorageLogger {
  warn(message: string): void
}

/** Options of `levelStorage`. */
export interface LevelStorageOptions {
  /** The directory of the database. It is created if it does not exist, and nothing else may be in it. */
  readonly directory: string
  readonly logger?: StorageLogger
}

/** The state of a storage on disk, for status and metrics. */
export interface LevelHealthReport {
  /**
   * Where the damaged database was moved to that was in the directory when the storage was opened. The storage is a new
   * one
   * then, and needs a new replica id.
   */
  readonly setAside: string | undefined
  /**
   * Bytes of LevelDB's log that could not be read when the storage was opened, and were skipped. Above 0 some of the
   * last writes may be missing, even acknowledged ones, so the peer needs a new replica id.
   */
  readonly droppedBytes: number
  /** LevelDB's log was missing when the storage was opened. The last writes may be missing too. */
  readonly lostLog: boolean
  /** Bytes of writes that wait for the disk. */
  readonly pendingBytes: number
  /** Why the last write failed; undefined once a write has worked again. */
  readonly lastError: GridError | undefined
}

/** A storage that reports its state. */
export interface LevelHealth {
  health(): LevelHealthReport
}

class LevelStorage implements Storage, LevelHealth {
  readonly persistent = true
  readonly #opened: OpenedLevel
  readonly #level: ReopeningLevel
  readonly #commits: CommitQueue<LevelOperation>
  #lastError: GridError | undefined
  #closing: Promise<void> | undefined

  constructor(opened: OpenedLevel) {
    this.#opened = opened
    this.#level = new ReopeningLevel(opened.level, opened.directory)
    this.#commits = new CommitQueue(
      (operations, sizeBytes) => this.#commit(operations, sizeBytes),
      GROUP_SIZE_MAX_BYTES,
    )
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen()
    checkKey(key)
    try {
      const stored = await this.#level.read((level) => level.get(key))
      return stored === undefined ? undefined : decodeBlob(key, stored)
    } catch (error) {
      if (levelFailure(error) !== 'damaged') throw storageError(error, this.#opened.directory)
      throw new GridError(
        'STORAGE_DAMAGED',
        `The blob '${key}' cannot be read: the database is damaged there. Fetch its content from other peers and ` +
          'check the disk.',
        { cause: error },
      )
    }
  }

  /**
   * Every group is synced, also when none of its batches has to be durable. LevelDB starts a new log file every few
   * megabytes without syncing the old one. So after a power cut an unsynced write could be missing while a later one is
   * there.
   */
  async write(batch: readonly StorageOperation[], _options: { readonly durable: boolean }): Promise<void> {
    this.#checkOpen()
    let sizeBytes = 0
    const operations = batch.map((operation): LevelOperation => {
      const { key } = operation
      checkKey(key)
      sizeBytes += OPERATION_SIZE_BYTES + key.length
      if (operation.type === 'delete') return { type: 'del', key }
      const value = encodeBlob(key, operation.bytes)
      sizeBytes += value.length
      return { type: 'put', key, value }
    })
    await this.#commits.add(operations, sizeBytes)
  }

  async list(prefix: string): Promise<string[]> {
    this.#checkOpen()
    checkKey(prefix)
    try {
      return await this.#level.read((level) => level.keys({ gte: prefix, lt: prefix + AFTER_ASCII }).all())
    } catch (error) {
      throw storageError(error, this.#opened.directory)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  health(): LevelHealthReport {
    return {
      setAside: this.#opened.setAside,
      droppedBytes: this.#opened.droppedBytes,
      lostLog: this.#opened.lostLog,
      pendingBytes: this.#commits.pendingBytes,
      lastError: this.#lastError,
    }
  }

  async #commit(operations: LevelOperation[], sizeBytes: number): Promise<void> {
    try {
      await this.#level.write(operations, sizeBytes)
      this.#lastError = undefined
    } catch (error) {
      this.#lastError = storageError(error, this.#opened.directory)
      throw this.#lastError
    }
  }

  async #close(): Promise<void> {
    await this.#commits.idle()
    try {
      await this.#level.close()
    } catch (error) {
      throw storageError(error, this.#opened.directory)
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new GridError('STORAGE_CLOSED', 'The storage is closed. Open a new one.')
  }
}

/**
 * A storage on disk, for Node, Deno and Bun: a LevelDB database in a directory of its own. Concurrent writes share
 * syncs of the disk: many writes at once are fast, and a single one takes one sync.
 *
 * A batch whose `write` rejects may be there or not, but never in part. After `STORAGE_FULL` and other failures the
 * next write tries again, so writes work again as soon as the disk has room. Blobs have checksums: `read` rejects with
 * `STORAGE_DAMAGED` for a blob whose bytes have changed on the disk. A database that does not open at all is moved to
 * `<directory>.damaged-<n>`, and `health()` reports it.
 *
 * Rejects with `STORAGE_IN_USE` when the directory is open already, here or in another process, with
 * `STORAGE_NOT_WRITABLE`, `STORAGE_FULL`, with `STORAGE_FORMAT` for a database of a newer version or of another
 * program, with `STORAGE_DAMAGED` when a damaged database cannot be set aside, and else with `STORAGE_FAILED`.
 *
 * @example
 * ```ts
 * const storage = await levelStorage({ directory: './gossipgrid-data', logger: console })
 * await storage.write([{ type: 'put', key: 'a', bytes: new Uint8Array([1]) }], { durable: true })
 * await storage.close()
 * ```
 */
export async function levelStorage(options: LevelStorageOptions): Promise<Storage & LevelHealth> {
  try {
    return new LevelStorage(await openLevel(options.directory, (message) => options.logger?.warn(message)))
  } catch (error) {
    throw storageError(error, options.directory)
  }
}
