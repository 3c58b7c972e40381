import { GridError } from '@gossipgrid/core'
import type { Written } from '@gossipgrid/core'
import type { Receipt } from './receipt.ts'

interface Pending {
  readonly written: Written
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: GridError) => void
}

/** The promises of writes that are not durable yet, in write order. Core's limit on undurable bytes bounds them. */
export class PendingWrites {
  readonly #stores: () => boolean
  #durableId = 0
  #queue: Pending[] = []
  #first = 0
  #idle: (() => void)[] = []
  #written: Written | undefined
  /** One function for all promises: a closure for each would be a third of the memory of a pending write. */
  readonly #adding = (resolve: (receipt: Receipt) => void, reject: (error: GridError) => void): void => {
    this.#queue.push({ written: this.#written!, resolve, reject })
  }

  /** `stores` returns false on a memory-only peer and on one that has lost its store. Receipts report it. */
  constructor(stores: () => boolean) {
    this.#stores = stores
  }

  get count(): number {
    return this.#queue.length - this.#first
  }

  /** The promise of a write. The write may be an earlier one that is already durable. */
  add(written: Written): Promise<Receipt> {
    if (this.isDurable(written)) return Promise.resolve(this.#receipt(written))
    this.#written = written
    return new Promise(this.#adding)
  }

  isDurable({ writeId }: Written): boolean {
    return writeId <= this.#durableId
  }

  /** Resolves the promises up to this write id. */
  durable(writeId: number): void {
    this.#durableId = writeId
    this.#settle(writeId, ({ written, resolve }) => resolve(this.#receipt(written)))
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

  #receipt({ hlc, replicaId, sequence }: Written): Receipt {
    const durable = this.#stores()
    return { version: { hlc, replicaId, sequence }, durable, copies: durable ? 1 : 0 }
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
