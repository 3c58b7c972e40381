import { GridError } from '@gossipgrid/core'
import type { Storage, StorageOperation } from '@gossipgrid/core'
import { get, promisifyRequest } from 'idb-keyval'
import type { UseStore } from 'idb-keyval'
import { indexedDbError } from './indexeddb-error.ts'
import { checkKey } from './key.ts'

const FORMAT = 1
const BLOBS = 'blobs'
/** A database that has not opened within this time will not open at all. */
const OPEN_MAX_MS = 10_000
/** The first character after ASCII: the end of every range of keys. */
const AFTER_ASCII = '\u0080'

export interface IndexedDbStorageOptions {
  /** The database of this storage; created if it does not exist. */
  readonly database: string
  /** Called once, when the storage has been closed. */
  readonly onClosed?: () => void
}

class IndexedDbStorage implements Storage {
  readonly persistent = true
  readonly #database: IDBDatabase
  readonly #onClosed: () => void
  readonly #writes = new Set<Promise<void>>()
  #closing: Promise<void> | undefined
  #cleared = false

  constructor(database: IDBDatabase, onClosed: () => void) {
    this.#database = database
    this.#onClosed = onClosed
    database.addEventListener('close', () => (this.#cleared = true))
    // Another page wants to delete the database, and would wait for ever.
    database.addEventListener('versionchange', () => {
      this.#cleared = true
      database.close()
    })
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen()
    checkKey(key)
    try {
      return await get<Uint8Array>(key, this.#store)
    } catch (error) {
      throw indexedDbError(error, key)
    }
  }

  /**
   * Every batch is a transaction, opened before this returns: the browser runs them in that order. `commit` lets one
   * finish although its page ends meanwhile.
   */
  async write(batch: readonly StorageOperation[], _options: { readonly durable: boolean }): Promise<void> {
    this.#checkOpen()
    for (const { key } of batch) checkKey(key)
    const written = this.#store('readwrite', (blobs) => {
      for (const operation of batch) {
        if (operation.type === 'delete') blobs.delete(operation.key)
        // A copy of the given part alone: the browser stores the whole buffer behind an array.
        else blobs.put(operation.bytes.slice(), operation.key)
      }
      blobs.transaction.commit()
      return completed(blobs.transaction)
    }).catch((error: unknown) => {
      throw indexedDbError(error)
    })
    this.#writes.add(written)
    try {
      await written
    } finally {
      this.#writes.delete(written)
    }
  }

  async list(prefix: string): Promise<string[]> {
    this.#checkOpen()
    checkKey(prefix)
    try {
      const range = IDBKeyRange.bound(prefix, prefix + AFTER_ASCII, false, true)
      return (await this.#store('readonly', (blobs) => promisifyRequest(blobs.getAllKeys(range)))) as string[]
    } catch (error) {
      throw indexedDbError(error)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#writes)
    this.#database.close()
    this.#onClosed()
  }

  readonly #store: UseStore = async (mode, callback) =>
    callback(this.#database.transaction(BLOBS, mode, { durability: 'strict' }).objectStore(BLOBS))

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new GridError('STORAGE_CLOSED', 'The storage is closed. Open a new one.')
    if (!this.#cleared) return
    throw new GridError(
      'STORAGE_CLEARED',
      "The browser has cleared this site's storage while it was in use. Reload the page to begin a new store.",
    )
  }
}

/**
 * A storage in a browser: an IndexedDB database with strict durability, so that acknowledged writes survive a power cut
 * and not only the end of the tab. Two tabs must not open one database at the same time.
 *
 * A batch whose `write` rejects has changed nothing. Rejects with `STORAGE_FAILED` where the browser gives no storage,
 * as in
 * some private modes, and with `STORAGE_FORMAT` for a database of a newer version. Writes reject with `STORAGE_FULL`
 * above
 * the site's quota, and with `STORAGE_CLEARED` once the user has cleared the site's storage.
 *
 * @example
 * ```ts
 * const storage = await indexedDbStorage({ database: 'gossipgrid/demo/0' })
 * await storage.write([{ type: 'put', key: 'a', bytes: new Uint8Array([1]) }], { durable: true })
 * await storage.close()
 * ```
 */
export async function indexedDbStorage(options: IndexedDbStorageOptions): Promise<Storage> {
  try {
    const database = await openDatabase(options.database)
    return new IndexedDbStorage(database, options.onClosed ?? (() => undefined))
  } catch (error) {
    throw indexedDbError(error)
  }
}

/** The reason is in the aborted transaction. When its request fails it is not known yet. */
function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () => reject(transaction.error ?? new Error('the transaction was aborted')))
  })
}

async function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, FORMAT)
  request.onupgradeneeded = () => request.result.createObjectStore(BLOBS)
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`it did not open within ${OPEN_MAX_MS} ms`)), OPEN_MAX_MS)
  try {
    return await Promise.race([promisifyRequest(request), promise])
  } catch (error) {
    // If it opens later, close it: its caller has given up.
    request.onsuccess = () => request.result.close()
    throw error
  } finally {
    clearTimeout(timer)
  }
}
