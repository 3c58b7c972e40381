import { GridError } from '@gossipgrid/core'
import type { Storage, StorageOperation } from '@gossipgrid/core'

/**
 * The store of a browser, which the user may clear at any time. From then on the grid continues in memory, and reports that.
 * Writes in progress at that moment reject.
 */
export class LapsingStorage implements Storage {
  readonly #storage: Storage
  readonly #onLapse: (lapse: string) => void
  #lapse: string | undefined

  constructor(storage: Storage, onLapse: (lapse: string) => void) {
    this.#storage = storage
    this.#onLapse = onLapse
  }

  get persistent(): boolean {
    return this.#storage.persistent && this.#lapse === undefined
  }

  get lapse(): string | undefined {
    return this.#lapse
  }

  read(key: string): Promise<Uint8Array | undefined> {
    return this.#storage.read(key)
  }

  /** Does nothing once the store is gone. The peer does not need to read it: it reads its store only when it opens. */
  async write(batch: readonly StorageOperation[], options: { readonly durable: boolean }): Promise<void> {
    if (this.#lapse !== undefined) return
    try {
      await this.#storage.write(batch, options)
    } catch (error) {
      if (error instanceof GridError && error.code === 'STORAGE_CLEARED') this.lapsed(error.message)
      throw error
    }
  }

  list(prefix: string): Promise<string[]> {
    return this.#storage.list(prefix)
  }

  close(): Promise<void> {
    return this.#storage.close()
  }

  /** From now on nothing is stored. */
  lapsed(reason: string): void {
    if (this.#lapse !== undefined) return
    this.#lapse = reason
    this.#onLapse(reason)
  }
}
