import type { Partition, Peer } from '@gossipgrid/core'
import { GridError } from '@gossipgrid/core'
import type { Copies } from './copies.ts'
import type { WriteOptions, WriteReceipt } from '../receipts/receipt.ts'
import type { BegunWrites, RowWrite } from './row-write.ts'
import { safeTracer } from './safe-tracer.ts'
import type { Attributes, GridSpan, GridTracer } from './safe-tracer.ts'
import type { Logger } from '../logger.ts'

/** How long a span waits for neighbours to confirm a write. */
const FOLLOW_MAX_MS = 10_000
/** OpenTelemetry's `SpanStatusCode.ERROR`. */
const STATUS_ERROR = 2

export interface WriteTracingOptions {
  readonly tracer: GridTracer
  /** Name of the grid. */
  readonly grid: string
  readonly logger: Logger
}

/** The writes to trace. */
export interface TracedWrites {
  readonly peer: Peer
  readonly copies: Copies
  begin(partition: Partition, key: string, value: Uint8Array | undefined, options?: WriteOptions): Promise<WriteReceipt>
  beginAll(rows: readonly RowWrite[], options?: WriteOptions): BegunWrites
}

/**
 * Makes spans for writes. `gossipgrid.set`, `gossipgrid.delete` and `gossipgrid.batch` (several rows in one piece) last from
 * the call until its promise settles. A linked span `gossipgrid.replicate` lasts until every durable neighbour that was
 * connected at the call has the write on disk, at most 10 s. Spans contain the sizes of keys and values, not the keys and
 * values themselves.
 */
export class WriteTracing {
  readonly #writes: TracedWrites
  readonly #tracer: GridTracer
  readonly #grid: string
  /** End the spans that wait for neighbours. */
  readonly #followed = new Set<() => void>()

  constructor(writes: TracedWrites, { tracer, grid, logger }: WriteTracingOptions) {
    this.#writes = writes
    this.#tracer = safeTracer(tracer, logger)
    this.#grid = grid
  }

  write(
    partition: Partition,
    key: string,
    value: Uint8Array | undefined,
    options?: WriteOptions,
  ): Promise<WriteReceipt> {
    const attributes = {
      'gossipgrid.collection': partition.name.collection,
      'gossipgrid.key_characters': key.length,
      'gossipgrid.value_bytes': value?.length ?? 0,
    }
    const { copies } = this.#writes
    return this.#traced(value === undefined ? 'gossipgrid.delete' : 'gossipgrid.set', attributes, options, () => {
      const durable = this.#writes.begin(partition, key, value, options)
      return { partition, durable, follow: () => copies.follow(partition, durable, options) }
    })
  }

  /** Several writes in one piece: one span. Neighbours confirm the last write. */
  writeAll(rows: readonly RowWrite[], options?: WriteOptions): Promise<WriteReceipt> {
    const { partition } = rows.at(-1)!
    const attributes = {
      'gossipgrid.collection': partition.name.collection,
      'gossipgrid.writes': rows.length,
      'gossipgrid.value_bytes': rows.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0),
    }
    return this.#traced('gossipgrid.batch', attributes, options, () => {
      const { durable, parts } = this.#writes.beginAll(rows, options)
      return { partition, durable, follow: () => this.#writes.copies.followAll(parts, durable, options) }
    })
  }

  /** Entries that were applied one after another: one span. */
  writeMany({ durable, parts }: BegunWrites, entries: number, options: WriteOptions): Promise<WriteReceipt> {
    const [partition] = [...parts.keys()].slice(-1) as [Partition]
    const attributes = { 'gossipgrid.collection': partition.name.collection, 'gossipgrid.writes': entries }
    return this.#traced('gossipgrid.bulk', attributes, options, () => {
      return { partition, durable, follow: () => this.#writes.copies.followAll(parts, durable, options) }
    })
  }

  #traced(
    name: string,
    attributes: Attributes,
    options: WriteOptions | undefined,
    begin: () => {
      readonly partition: Partition
      readonly durable: Promise<WriteReceipt>
      readonly follow: () => Promise<WriteReceipt>
    },
  ): Promise<WriteReceipt> {
    const span = this.#tracer.startSpan(name, {
      attributes: {
        'gossipgrid.grid': this.#grid,
        'gossipgrid.copies_asked': askedOf(options),
        ...attributes,
      },
    })
    try {
      const { partition, durable, follow } = begin()
      if (!span.isRecording()) {
        span.end()
        return follow()
      }
      span.addEvent('applied')
      durable.then(
        ({ durable: stored }) => span.addEvent(stored ? 'durable' : 'in memory only'),
        () => undefined,
      )
      this.#replicate(span, partition, durable)
      const followed = follow()
      followed.then(
        ({ copies }) => {
          span.setAttributes({ 'gossipgrid.copies_reached': copies })
          span.end()
        },
        (error: unknown) => fail(span, error),
      )
      return followed
    } catch (error) {
      fail(span, error)
      throw error
    }
  }

  /** Ends the spans that wait for neighbours. */
  close(): void {
    for (const end of [...this.#followed]) end()
  }

  #replicate(cause: GridSpan, partition: Partition, durable: Promise<WriteReceipt>): void {
    const { copies, peer } = this.#writes
    const neighbours = peer.neighbours.ids().filter((id) => peer.membership.get(id)?.record.role === 'storage').length
    if (neighbours === 0 || this.#followed.size >= copies.tracedMax) return
    const span = this.#tracer.startSpan('gossipgrid.replicate', {
      attributes: {
        'gossipgrid.grid': this.#grid,
        'gossipgrid.collection': partition.name.collection,
        'gossipgrid.neighbours_asked': neighbours,
      },
      links: [{ context: cause.spanContext() }],
    })
    let confirmed = 0
    let stop = (): void => undefined
    const end = (): void => {
      clearTimeout(timer)
      this.#followed.delete(end)
      stop()
      span.setAttributes({ 'gossipgrid.neighbours_confirmed': confirmed })
      span.end()
    }
    const timer = setTimeout(end, FOLLOW_MAX_MS)
    this.#followed.add(end)
    const count = ({ copies: known }: { readonly copies: number }): void => {
      confirmed = known - 1
      span.addEvent('confirmed', { 'gossipgrid.neighbours_confirmed': confirmed })
      if (confirmed >= neighbours) end()
    }
    durable
      .then((receipt) => {
        if (!this.#followed.has(end)) return
        span.addEvent('durable')
        stop = copies.count(partition, receipt, neighbours + 1, count)
        if (!this.#followed.has(end)) stop()
      })
      // Not stored here, or too many writes are being confirmed: the write's own span reports that.
      .catch(end)
  }
}

/** How many copies a write waits for. Infinity for all. */
function askedOf({ copies = 1 }: WriteOptions = {}): number {
  return copies === 'all' ? Infinity : typeof copies === 'number' ? copies : copies.peers
}

function fail(span: GridSpan, error: unknown): void {
  if (error instanceof GridError) span.setAttributes({ 'gossipgrid.error_code': error.code })
  span.setStatus({ code: STATUS_ERROR, message: error instanceof Error ? error.message : String(error) })
  span.end()
}
