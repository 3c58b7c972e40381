import { CONFIRMATIONS_MAX, GridError } from '@gossipgrid/core'
import type { Confirmers, Input, Partition, Peer, PeerEvent, Written } from '@gossipgrid/core'
import type { Meters } from '../meters/meters.ts'
import type { Receipt, WriteOptions, WriteReceipt } from '../receipts/receipt.ts'
import { checkAborted, orAborted, settlesWithin } from './waiting.ts'

const COPIES_TIMEOUT_MS = 10_000
const TRACED_MAX = 1000
/** Writes that may wait for copies at a time: core's limit, less the places for traced writes. */
const FOLLOWED_MAX: number = CONFIRMATIONS_MAX - TRACED_MAX

type CopiesEvent = Extract<PeerEvent, { type: 'copies' }>

type Placed = Pick<Partition, 'name'>

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
  readonly #requests = new Map<number, (event: CopiesEvent) => void>()
  readonly #closed = new AbortController()
  /** Writes that wait for copies, or will once they are durable here. */
  #following = 0

  constructor(deps: CopiesDeps) {
    this.#deps = deps
  }

  /** Aborted when no more copies can be confirmed. The reason is what the writes that wait reject with. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  close(): void {
    const text = 'the grid was closed before other peers had confirmed the write, which stands at this peer'
    this.#closed.abort(new GridError('CLOSED', text))
  }

  /** Throws `BACKLOG_FULL` when too many writes wait for copies. To be called before a write is applied. */
  checkRoom(options: WriteOptions | undefined): void {
    if (options === undefined || !asksForCopies(options) || this.#following < FOLLOWED_MAX) return
    throw new GridError('BACKLOG_FULL', `${FOLLOWED_MAX} writes already wait for copies: await some first`)
  }

  /** The promise of a write. It waits for copies at other peers if `options` ask for more than one; the signal ends it. */
  follow(partition: Placed, durable: Promise<WriteReceipt>, options?: WriteOptions): Promise<WriteReceipt> {
    if (options === undefined) return durable
    return asksForCopies(options) ? this.#followed(partition, durable, options) : orAborted(durable, options.signal)
  }

  /** The same for several writes: a peer that has the last write of each partition has all of them. */
  followAll(
    parts: ReadonlyMap<Partition, Written>,
    durable: Promise<WriteReceipt>,
    options?: WriteOptions,
  ): Promise<WriteReceipt> {
    if (options === undefined) return durable
    if (!asksForCopies(options)) return orAborted(durable, options.signal)
    const followed = [...parts].map(([partition, written]) => {
      return this.#followed(
        partition,
        durable.then((receipt) => receipt.of(partition.name, written)),
        options,
      )
    })
    return Promise.all([durable, ...followed]).then(([last, ...receipts]) => {
      const least = (count: 'copies' | 'peers'): number =>
        receipts.reduce((lowest, receipt) => Math.min(lowest, receipt[count]), Infinity)
      return last.withCopies(least('copies'), least('peers'))
    })
  }

  /**
   * Asks neighbours to confirm a write until `copies` are known, this peer's included. Calls `onCopies` with every new count.
   * The returned function ends that. Throws `BACKLOG_FULL`.
   */
  count(
    partition: Placed,
    { version }: Receipt,
    copies: number,
    onCopies: (known: CopiesEvent) => void,
    by?: Confirmers,
  ): () => void {
    const { replicaId, sequence } = version
    const { confirmations } = this.#deps.peer
    const request = confirmations.request({ ...partition.name, replicaId, sequence }, copies, by)
    this.#requests.set(request, onCopies)
    this.#deps.step({ type: 'tick' })
    return () => {
      this.#requests.delete(request)
      confirmations.cancel(request)
    }
  }

  /** Calls `onCopies` with every count of a request that was made otherwise, until the returned function is called. */
  listen(request: number, onCopies: (known: CopiesEvent) => void): () => void {
    this.#requests.set(request, onCopies)
    return () => this.#requests.delete(request)
  }

  /** The peer reports so many copies. */
  onCopies(event: CopiesEvent): void {
    this.#requests.get(event.request)?.(event)
  }

  async #followed(partition: Placed, durable: Promise<WriteReceipt>, options: WriteOptions): Promise<WriteReceipt> {
    this.#following += 1
    try {
      const receipt = await orAborted(durable, options.signal)
      const { copies = 1 } = options
      return typeof copies === 'number' && receipt.copies >= copies
        ? receipt
        : await this.#awaited(partition, receipt, copies, options)
    } finally {
      this.#following -= 1
    }
  }

  async #awaited(
    partition: Placed,
    receipt: WriteReceipt,
    wanted: NonNullable<WriteOptions['copies']>,
    options: WriteOptions,
  ): Promise<WriteReceipt> {
    const { timeoutMs = COPIES_TIMEOUT_MS, signal } = options
    checkAborted(signal)
    // Core also counts the copy of this peer, which is no durable copy on a memory-only peer.
    const own = receipt.copies
    const [by, count]: [Confirmers, number] =
      wanted === 'all'
        ? [wanted, Infinity]
        : typeof wanted === 'number'
          ? ['durable', wanted + 1 - own]
          : ['peers', wanted.peers]
    let reached = receipt
    const enough = Promise.withResolvers<void>()
    const onCopies = ({ copies, peers, isEnough }: CopiesEvent): void => {
      reached = receipt.withCopies(copies - 1 + own, peers)
      if (isEnough) enough.resolve()
    }
    const stop = this.count(partition, receipt, count, onCopies, by)
    try {
      if (await settlesWithin(enough.promise, timeoutMs, { signal, closed: this.closed })) return reached
      this.#deps.meters.writes.copiesTimeouts += 1
      const known = {
        durable: `${reached.copies} of ${Number(wanted)} durable copies`,
        peers: `${reached.peers} of ${count} peers have it`,
        all: `${reached.peers} peers have it, and not all that are alive`,
      }
      throw new GridError(
        'COPIES_TIMEOUT',
        `${known[by]} after ${timeoutMs} ms; the write stands here and continues to spread`,
        { cause: reached },
      )
    } finally {
      stop()
    }
  }
}

/** Every write waits for this peer's own copy, so only more than one copy means waiting for others. */
function asksForCopies({ copies = 1 }: WriteOptions): boolean {
  return copies === 'all' || (typeof copies === 'number' ? copies : copies.peers) > 1
}
