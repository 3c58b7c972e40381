import { CONFIRMATIONS_MAX, GridError } from '@gossipgrid/core'
import type { Input, Partition, Peer, Written } from '@gossipgrid/core'
import type { Meters } from '../meters/meters.ts'
import type { Receipt, WriteOptions } from './receipt.ts'
import { checkAborted, orAborted, settlesWithin } from './waiting.ts'

const COPIES_TIMEOUT_MS = 10_000
const TRACED_MAX = 1000
/** Writes that may wait for copies at a time: core's limit, less the places for traced writes. */
const FOLLOWED_MAX: number = CONFIRMATIONS_MAX - TRACED_MAX

/** What waiting for copies needs of the grid. */
export interface CopiesDeps {
  readonly peer: Peer
  readonly meters: Meters
  step(input: Input): void
}

/** Waits until other peers have copies of writes. */
export class Copies {
  /** Writes that may be traced to the neighbours at a time. */
  readonly tracedMax: number = TRACED_MAX
  readonly #deps: CopiesDeps
  readonly #requests = new Map<number, (copies: number) => void>()
  /** Writes that wait for copies, or will once they are durable here. */
  #following = 0

  constructor(deps: CopiesDeps) {
    this.#deps = deps
  }

  /** Throws `BACKLOG_FULL` when too many writes wait for copies. To be called before a write is applied. */
  checkRoom(options: WriteOptions | undefined): void {
    if (options === undefined || !asksForCopies(options) || this.#following < FOLLOWED_MAX) return
    throw new GridError('BACKLOG_FULL', `${FOLLOWED_MAX} writes already wait for copies: await some first`)
  }

  /** The promise of a write. It waits for copies at other peers if `options` ask for more than one; the signal ends it. */
  follow(partition: Partition, durable: Promise<Receipt>, options?: WriteOptions): Promise<Receipt> {
    if (options === undefined) return durable
    return asksForCopies(options) ? this.#followed(partition, durable, options) : orAborted(durable, options.signal)
  }

  /** The same for several writes: a peer that has the last write of each partition has all of them. */
  followAll(
    parts: ReadonlyMap<Partition, Written>,
    durable: Promise<Receipt>,
    options?: WriteOptions,
  ): Promise<Receipt> {
    if (options === undefined) return durable
    if (!asksForCopies(options)) return orAborted(durable, options.signal)
    const followed = [...parts].map(([partition, { hlc, replicaId, sequence }]) => {
      const own = durable.then((receipt) => ({ ...receipt, version: { hlc, replicaId, sequence } }))
      return this.#followed(partition, own, options)
    })
    return Promise.all([durable, ...followed]).then(([last, ...receipts]) => {
      return { ...last, copies: receipts.reduce((least, { copies }) => Math.min(least, copies), Infinity) }
    })
  }

  /**
   * Asks durable neighbours to confirm a write until `copies` are known, this peer's included. Calls `onCopies` with every
   * new count. The returned function ends that. Throws `BACKLOG_FULL`.
   */
  count(partition: Partition, { version }: Receipt, copies: number, onCopies: (known: number) => void): () => void {
    const { replicaId, sequence } = version
    const { confirmations } = this.#deps.peer
    const request = confirmations.request({ ...partition.name, replicaId, sequence }, copies)
    this.#requests.set(request, onCopies)
    this.#deps.step({ type: 'tick' })
    return () => {
      this.#requests.delete(request)
      confirmations.cancel(request)
    }
  }

  /** The peer reports so many copies. */
  onCopies(request: number, copies: number): void {
    this.#requests.get(request)?.(copies)
  }

  async #followed(partition: Partition, durable: Promise<Receipt>, options: WriteOptions): Promise<Receipt> {
    this.#following += 1
    try {
      const receipt = await orAborted(durable, options.signal)
      const copies = options.copies ?? 1
      return receipt.copies >= copies ? receipt : await this.#awaited(partition, receipt, copies, options)
    } finally {
      this.#following -= 1
    }
  }

  async #awaited(partition: Partition, receipt: Receipt, copies: number, options: WriteOptions): Promise<Receipt> {
    const { timeoutMs = COPIES_TIMEOUT_MS, signal } = options
    checkAborted(signal)
    // Core also counts the copy of this peer, which is no durable copy on a memory-only peer.
    const own = receipt.copies
    let reached = own
    const enough = Promise.withResolvers<void>()
    const stop = this.count(partition, receipt, copies + 1 - own, (known) => {
      reached = known - 1 + own
      if (reached >= copies) enough.resolve()
    })
    try {
      const inTime = await orAborted(settlesWithin(enough.promise, timeoutMs), signal)
      if (inTime) return { ...receipt, copies: reached }
      this.#deps.meters.writes.copiesTimeouts += 1
      throw new GridError(
        'COPIES_TIMEOUT',
        `${reached} of ${copies} durable copies after ${timeoutMs} ms; the write stands here and continues to spread`,
        { cause: { ...receipt, copies: reached } },
      )
    } finally {
      stop()
    }
  }
}

/** Every write waits for this peer's own copy, so only more than one copy means waiting for others. */
function asksForCopies({ copies = 1 }: WriteOptions): boolean {
  return copies > 1
}
