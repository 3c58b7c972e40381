import type { Partition } from '@gossipgrid/core'
import { GridError } from '@gossipgrid/core'
import type { RowWrite } from '../maps/layout.ts'
import type { BegunWrites } from './own-writes.ts'
import type { Receipt, WriteOptions } from './receipt.ts'
import type { Runtime } from './runtime.ts'

/** How long a write is followed to the neighbours, and how many writes are at a time. */
const FOLLOW_MAX_MS = 10_000
export const TRACED_MAX = 1000
/** OpenTelemetry's `SpanStatusCode.ERROR`. */
const STATUS_ERROR = 2

type Attributes = Record<string, string | number | boolean>

/** Names a span: an OpenTelemetry `SpanContext` is one. */
export interface GridSpanContext {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

/** What gossipgrid needs of a span: an OpenTelemetry `Span` is one. */
export interface GridSpan {
  /** False for a span that was not sampled: then nothing more is done for it. */
  isRecording(): boolean
  spanContext(): GridSpanContext
  setAttributes(attributes: Attributes): unknown
  addEvent(name: string, attributes?: Attributes): unknown
  setStatus(status: { code: number; message?: string }): unknown
  end(): void
}

/** What gossipgrid needs of a tracer: an OpenTelemetry `Tracer` is one. */
export interface GridTracer {
  startSpan(name: string, options?: { attributes?: Attributes; links?: { context: GridSpanContext }[] }): GridSpan
}

/**
 * Puts spans around writes: `gossipgrid.set`, `gossipgrid.delete` or `gossipgrid.batch` (several rows in one piece) from the call until its promise settles, and beside
 * it `gossipgrid.replicate`, linked to it, until every durable neighbour that was connected at the call has the write on
 * disk, or 10 s. Keys and values are in none of them, only their sizes.
 */
export class WriteTracing {
  readonly #tracer: GridTracer
  readonly #grid: string
  readonly #runtime: Runtime
  /** Ends of the spans that follow writes to the neighbours. */
  readonly #followed = new Set<() => void>()

  constructor({ tracer, grid }: { readonly tracer: GridTracer; readonly grid: string }, runtime: Runtime) {
    this.#tracer = tracer
    this.#grid = grid
    this.#runtime = runtime
  }

  write(partition: Partition, key: string, value: Uint8Array | undefined, options?: WriteOptions): Promise<Receipt> {
    const attributes = {
      'gossipgrid.collection': partition.name.collection,
      'gossipgrid.key_characters': key.length,
      'gossipgrid.value_bytes': value?.length ?? 0,
    }
    const { copies } = this.#runtime
    return this.#traced(value === undefined ? 'gossipgrid.delete' : 'gossipgrid.set', attributes, options, () => {
      const durable = this.#runtime.writes.begin(partition, key, value, options)
      return { partition, durable, follow: () => copies.follow(partition, durable, options) }
    })
  }

  /** Several writes in one piece: one span, and the last of them is followed. */
  writeAll(rows: readonly RowWrite[], options?: WriteOptions): Promise<Receipt> {
    const { partition } = rows.at(-1)!
    const attributes = {
      'gossipgrid.collection': partition.name.collection,
      'gossipgrid.writes': rows.length,
      'gossipgrid.value_bytes': rows.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0),
    }
    return this.#traced('gossipgrid.batch', attributes, options, () => {
      const { durable, parts } = this.#runtime.writes.beginAll(rows, options)
      return { partition, durable, follow: () => this.#runtime.copies.followAll(parts, durable, options) }
    })
  }

  /** Several entries that were applied one after another. */
  writeMany({ durable, parts }: BegunWrites, entries: number, options: WriteOptions): Promise<Receipt> {
    const [partition] = [...parts.keys()].slice(-1) as [Partition]
    const attributes = { 'gossipgrid.collection': partition.name.collection, 'gossipgrid.writes': entries }
    return this.#traced('gossipgrid.bulk', attributes, options, () => {
      return { partition, durable, follow: () => this.#runtime.copies.followAll(parts, durable, options) }
    })
  }

  #traced(
    name: string,
    attributes: Attributes,
    options: WriteOptions | undefined,
    begin: () => {
      readonly partition: Partition
      readonly durable: Promise<Receipt>
      readonly follow: () => Promise<Receipt>
    },
  ): Promise<Receipt> {
    const span = this.#tracer.startSpan(name, {
      attributes: { 'gossipgrid.grid': this.#grid, 'gossipgrid.copies_asked': options?.copies ?? 1, ...attributes },
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

  #replicate(cause: GridSpan, partition: Partition, durable: Promise<Receipt>): void {
    const { peer } = this.#runtime
    const neighbours = peer.neighbours.ids().filter((id) => peer.membership.get(id)?.record.role === 'storage').length
    if (neighbours === 0 || this.#followed.size >= TRACED_MAX) return
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
    const count = (known: number): void => {
      confirmed = known - 1
      span.addEvent('confirmed', { 'gossipgrid.neighbours_confirmed': confirmed })
      if (confirmed >= neighbours) end()
    }
    durable
      .then((receipt) => {
        if (!this.#followed.has(end)) return
        span.addEvent('durable')
        stop = this.#runtime.copies.count(partition, receipt, neighbours + 1, count)
        if (!this.#followed.has(end)) stop()
      })
      // Not stored here, or too many copies are being counted already: the write's own span tells.
      .catch(end)
  }
}

function fail(span: GridSpan, error: unknown): void {
  if (error instanceof GridError) span.setAttributes({ 'gossipgrid.error_code': error.code })
  span.setStatus({ code: STATUS_ERROR, message: error instanceof Error ? error.message : String(error) })
  span.end()
}
