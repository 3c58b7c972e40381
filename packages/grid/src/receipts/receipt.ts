import type { PartitionName } from '@gossipgrid/core'
import { tokenOf } from './token.ts'
import type { TokenWrites } from './token.ts'

/** A write's place in the order of all writes to its key: the larger (hlc, replicaId) wins everywhere. */
export interface Version {
  /** Reading of the hybrid logical clock: 41 bits of milliseconds since 2025 and 12 bits of counter in one number. */
  readonly hlc: number
  /** Identifies the writer's replica: 16 hexadecimal digits. A peer that lost its data gets a new one. */
  readonly replicaId: string
  /** Counts the writes of that replica id to the partition. */
  readonly sequence: number
}

/** How safe a write is when its promise resolves. */
export interface Receipt {
  /** The version that the write gave its entry. */
  readonly version: Version
  /** The write is synced to this peer's disk: it survives a crash and a power cut. False on a memory-only peer. */
  readonly durable: boolean
  /** Durable copies known to exist, this peer's included. 1 unless more were requested; 0 on a memory-only peer. */
  readonly copies: number
  /** Peers known to have applied the write, this one included: 1 unless more were requested. */
  readonly peers: number
  /**
   * Names the write in short text, for a header, a cookie or an address. Another peer that is given it waits until it has
   * applied the write, and all earlier ones of this peer to the collection: see `Grid.reached`.
   */
  readonly token: string
}

/** What the promise of a write waits for. */
export interface WriteOptions {
  /**
   * Resolve when this many durable copies exist, this peer's included: 1 to 64. Default 1, which waits for this peer
   * alone; on a memory-only peer it waits for no copy. `{ peers: 2 }`: resolve when so many peers have it, this one and
   * those that keep data in memory included. `'all'`: when every peer that is alive has it.
   */
  readonly copies?: number | 'all' | { readonly peers: number }
  /** How long to wait for copies at other peers, in milliseconds. Then rejects with `COPIES_TIMEOUT`. Default 10,000. */
  readonly timeoutMs?: number
  /** Ends the waiting, not the write: rejects with `ABORTED`. If aborted before the call, nothing is written. */
  readonly signal?: AbortSignal
}

/** A receipt. Its token is made when it is read: most are not, and it would be a tenth of the work of a write. */
export class WriteReceipt implements Receipt {
  readonly version: Version
  readonly durable: boolean
  readonly copies: number
  readonly peers: number
  readonly #seed: number
  readonly #writes: TokenWrites

  constructor(receipt: Omit<Receipt, 'token'>, seed: number, writes: TokenWrites) {
    this.version = receipt.version
    this.durable = receipt.durable
    this.copies = receipt.copies
    this.peers = receipt.peers
    this.#seed = seed
    this.#writes = writes
  }

  get token(): string {
    return tokenOf(this.#seed, this.#writes, this.version)
  }

  /** The receipt with more copies. */
  withCopies(copies: number, peers: number): WriteReceipt {
    const { version, durable } = this
    return new WriteReceipt({ version, durable, copies, peers }, this.#seed, this.#writes)
  }

  /** The receipt of one of the writes to a partition. */
  of(name: PartitionName, { hlc, replicaId, sequence }: Version): WriteReceipt {
    const { durable, copies, peers } = this
    const version = { hlc, replicaId, sequence }
    return new WriteReceipt({ version, durable, copies, peers }, this.#seed, name)
  }

  /** For `JSON.stringify`, which does not see accessors of a class. */
  toJSON(): Receipt {
    const { version, durable, copies, peers, token } = this
    return { version, durable, copies, peers, token }
  }
}

// The same for `console.log` on Node, Deno and Bun, which would leave out the token.
Object.defineProperty(WriteReceipt.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value: WriteReceipt.prototype.toJSON,
})
