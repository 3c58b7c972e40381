import { GridError } from '@gossipgrid/core'
import type { Storage, StorageOperation } from '@gossipgrid/core'

/**
 * A browser's store, which the user may clear at any time: from then on the grid goes on in memory, and says so. The writes
 * under way at that moment reject.
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

  /** Once the store is gone there is nothing to be done: the peer reads its store only when it opens. */
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

  /** Nothing is kept from now on. */
  lapsed(reason: string): void {
    if (this.#lapse !== undefined) return
    this.#lapse = reason
    this.#onLapse(reason)
  }
}
