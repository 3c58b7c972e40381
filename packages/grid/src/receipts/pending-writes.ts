import { GridError } from '@gossipgrid/core'
import type { Written } from '@gossipgrid/core'
import { WriteReceipt } from './receipt.ts'
import type { TokenWrites } from './token.ts'

interface Pending {
  readonly written: Written
  readonly parts: TokenWrites
  readonly resolve: (receipt: WriteReceipt) => void
  readonly reject: (error: GridError) => void
}

/** The promises of writes that are not durable yet, in write order. Core's limit on undurable bytes bounds them. */
export class PendingWrites {
  readonly #stores: () => boolean
  readonly #seed: number
  #durableId = 0
  #queue: Pending[] = []
  #first = 0
  #idle: (() => void)[] = []
  #written: Written | undefined
  #parts: TokenWrites | undefined
  /** One function for all promises: a closure for each would be a third of the memory of a pending write. */
  readonly #adding = (resolve: Pending['resolve'], reject: (error: GridError) => void): void => {
    this.#queue.push({ written: this.#written!, parts: this.#parts!, resolve, reject })
  }

  /** `stores` returns false on a memory-only peer and on one that has lost its store. Receipts report it. `seed` is that of the grid. */
  constructor(stores: () => boolean, seed: number) {
    this.#stores = stores
    this.#seed = seed
  }

  get count(): number {
    return this.#queue.length - this.#first
  }

  /** The promise of a write. The write may be an earlier one that is already durable. */
  add(written: Written, parts: TokenWrites): Promise<WriteReceipt> {
    if (this.isDurable(written)) return Promise.resolve(this.#receipt(written, parts))
    this.#written = written
    this.#parts = parts
    return new Promise(this.#adding)
  }

  isDurable({ writeId }: Written): boolean {
    return writeId <= this.#durableId
  }

  /** Resolves the promises up to this write id. */
  durable(writeId: number): void {
    this.#durableId = writeId
    this.#settle(writeId, ({ written, parts, resolve }) => resolve(this.#receipt(written, parts)))
  }

  /** Rejects the promises up to this write id: the store failed. The writes stand in memory, and storing is retried. */
  notDurable(writeId: number, cause: unknown): void {
    this.#settle(writeId, ({ reject }) => reject(notStored(cause)))
  }

  fail(error: GridError): void {
    this.#settle(Infinity, ({ reject }) => reject(error))
  }

  /** Resolves when nothing is pending. */
  idle(): Promise<void> {
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve))
  }

  #receipt({ hlc, replicaId, sequence }: Written, parts: TokenWrites): WriteReceipt {
    const durable = this.#stores()
    const version = { hlc, replicaId, sequence }
    return new WriteReceipt({ version, durable, copies: durable ? 1 : 0, peers: 1 }, this.#seed, parts)
  }

  #settle(writeId: number, settle: (pending: Pending) => void): void {
    while (this.#first < this.#queue.length && this.#queue[this.#first]!.written.writeId <= writeId) {
      settle(this.#queue[this.#first++]!)
    }
    // Cutting the front off an array takes time in proportion to its length, so this waits until half of it is settled.
    if (this.#first * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
    if (this.count === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

/** The error of a write that the store did not take. */
export function notStored(cause: unknown): GridError {
  const code = cause instanceof GridError && cause.code === 'STORAGE_FULL' ? 'STORAGE_FULL' : 'STORAGE_FAILED'
  const message = 'the write stands in memory but could not be stored; storing is retried'
  return new GridError(code, message, { cause })
}
