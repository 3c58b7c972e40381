import { GridError } from '@gossipgrid/core'
import type { Storage, StorageOperation } from '@gossipgrid/core'
import { checkKey } from './key.ts'

class MemoryStorage implements Storage {
  readonly persistent = false
  readonly #blobs = new Map<string, Uint8Array>()
  #closed = false

  async read(key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen()
    checkKey(key)
    return this.#blobs.get(key)?.slice()
  }

  async write(batch: readonly StorageOperation[], _options: { readonly durable: boolean }): Promise<void> {
    this.#checkOpen()
    // All keys are checked before the first change, so that a bad key does not leave half a batch.
    for (const operation of batch) checkKey(operation.key)
    for (const operation of batch) {
      if (operation.type === 'put') this.#blobs.set(operation.key, new Uint8Array(operation.bytes))
      else this.#blobs.delete(operation.key)
    }
  }

  async list(prefix: string): Promise<string[]> {
    this.#checkOpen()
    checkKey(prefix)
    return [...this.#blobs.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#blobs.clear()
  }

  #checkOpen(): void {
    if (this.#closed) throw new GridError('STORAGE_CLOSED', 'The storage is closed. Open a new one.')
  }
}

/**
 * A storage in memory, for tests and for peers that store nothing. `persistent` is false, and a durable write lasts
 * until
 * the end of the program or `close()`.
 *
 * @example
 * ```ts
 * const storage = memoryStorage()
 * await storage.write([{ type: 'put', key: 'a', bytes: new Uint8Array([1]) }], { durable: true })
 * ```
 */
export function memoryStorage(): Storage {
  return new MemoryStorage()
}
