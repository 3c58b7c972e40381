import { GridError } from '@gossipgrid/core'
import type { Written } from '@gossipgrid/core'
import type { Receipt } from './receipt.ts'

interface Pending {
  readonly written: Written
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: GridError) => void
}

/** The promises of writes that are not durable yet, in order of writing. Bounded by core's limit on undurable bytes. */
export class PendingWrites {
  readonly #stores: () => boolean
  #durableId = 0
  #queue: Pending[] = []
  #first = 0
  #idle: (() => void)[] = []
  #written: Written | undefined
  /** One function for all promises: of what a write leaves behind, a closure of its own would be a third. */
  readonly #adding = (resolve: (receipt: Receipt) => void, reject: (error: GridError) => void): void => {
    this.#queue.push({ written: this.#written!, resolve, reject })
  }

  /** `stores` false: a memory-only peer, or one that has lost its store; its receipts say so. */
  constructor(stores: () => boolean) {
    this.#stores = stores
  }

  get count(): number {
    return this.#queue.length - this.#first
  }

  /** The promise of a write, which may be one of before. */
  add(written: Written): Promise<Receipt> {
    if (this.isDurable(written)) return Promise.resolve(this.#receipt(written))
    this.#written = written
    return new Promise(this.#adding)
  }

  /** It waits for nothing more. */
  isDurable({ writeId }: Written): boolean {
    return writeId <= this.#durableId
  }

  /** All writes up to this id are durable. */
  durable(writeId: number): void {
    this.#durableId = writeId
    this.#settle(writeId, ({ written, resolve }) => resolve(this.#receipt(written)))
  }

  /** The store refused writes up to this id; they stand in memory and storing them is tried again. */
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
    // Dropping the front of an array costs its length, so it is done once half of it is dead.
    if (this.#first * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
    if (this.count === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

/** Why a write is not durable yet. */
export function notStored(cause: unknown): GridError {
  const code = cause instanceof GridError && cause.code === 'STORAGE_FULL' ? 'STORAGE_FULL' : 'STORAGE_FAILED'
  const message = 'the write stands in memory but could not be stored; storing it is tried again'
  return new GridError(code, message, { cause })
}
