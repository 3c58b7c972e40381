import { GridError } from '@gossipgrid/core'
import type { Storage, StorageOperation } from '@gossipgrid/core'

type Blobs = Map<string, Uint8Array>

/**
 * The disk of one peer, in memory. It outlives the grids that use it. A crash takes what was not synced, as a power cut does,
 * and a grid from before the crash can neither read nor write any more.
 */
export class LabDisk {
  #current: Blobs = new Map()
  /** What a crash leaves: everything up to the last durable batch. */
  #synced: Blobs = new Map()
  #life = 0

  /** A store for the next life of the peer. */
  store(): Storage {
    this.#life += 1
    const life = this.#life
    const checked = (): Blobs => {
      if (life !== this.#life) throw new GridError('STORAGE_CLOSED', 'the peer that used this store has crashed')
      return this.#current
    }
    return {
      persistent: true,
      read: async (key) => checked().get(key)?.slice(),
      list: async (prefix) => [...checked().keys()].filter((key) => key.startsWith(prefix)).toSorted(),
      write: async (batch, { durable }) => {
        apply(checked(), batch)
        // Storing takes a moment, in which the peer can crash.
        await nextTurn()
        const blobs = checked()
        if (durable) this.#synced = new Map(blobs)
      },
      close: async () => undefined,
    }
  }

  crash(): void {
    this.#life += 1
    this.#current = new Map(this.#synced)
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}

function apply(blobs: Blobs, batch: readonly StorageOperation[]): void {
  for (const operation of batch) {
    if (operation.type === 'put') blobs.set(operation.key, new Uint8Array(operation.bytes))
    else blobs.delete(operation.key)
  }
}
