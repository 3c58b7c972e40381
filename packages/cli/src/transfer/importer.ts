import { CliError } from '../cli-error.ts'
import type { Batch, BatchAnswer, ValueBatch } from '../control/control-api.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { BadRow, GoodRow, Row, RowKind } from '../formats/json/row.ts'
import { visible } from '../terminal/visible.ts'
import type { ImportState } from './journal.ts'

/** A batch is sent when it has one or the other; so many travel at once. */
const BATCH_ROWS_MAX = 1000
const BATCH_MAX_BYTES = 512 * 1024
const BATCHES_IN_FLIGHT_MAX = 4
/** A peer whose backlog is full is asked again after this time, so often. */
const BUSY_RETRY_MS = 200
const BUSY_RETRIES_MAX = 150

export interface ImporterOptions {
  readonly client: ControlClient
  readonly collection: string
  /** What the map is to be if it does not exist, as parameters of a call. */
  readonly shape?: Readonly<Record<string, string | number | undefined>>
  /** How many bad rows to pass over before giving up. */
  readonly skipMax: number
  /** Stops reading; what is under way is waited for. */
  readonly signal: AbortSignal
  readonly onBadRow: (row: BadRow) => void
  /** Report whenever rows have been acknowledged, in the order of the source. */
  readonly onAcknowledged: (state: ImportState) => void
}

interface Sent {
  readonly rows: number
  readonly keys: readonly string[]
  readonly bad: readonly BadRow[]
  readonly acknowledged: Promise<Acknowledged>
}

interface Acknowledged {
  readonly refused: readonly BadRow[]
  readonly drops: number | undefined
}

/** Sends rows to a peer in batches, a few at a time, and keeps count of what has been acknowledged without a gap. */
export class Importer {
  readonly #options: ImporterOptions
  readonly #inFlight: Sent[] = []
  /** Keys of rows that are not acknowledged yet. Batches may overtake each other, so no key is in two of them. */
  readonly #keys = new Set<string>()
  #rows = 0
  #skipped = 0
  #drops: number | undefined
  #expired = 0
  /** What the rows are; the first one decides. */
  #kind: RowKind | undefined
  /** A batch has failed: those behind it no longer count, or there would be a gap. */
  #broken = false
  #batch: GoodRow[] = []
  #batchBad: BadRow[] = []
  #batchBytes = 0

  constructor(options: ImporterOptions) {
    this.#options = options
  }

  /** What is acknowledged so far. */
  get state(): ImportState {
    return { rows: this.#rows, skipped: this.#skipped, drops: this.#drops }
  }

  /** Rows of this run that had expired, and were not written. */
  get expired(): number {
    return this.#expired
  }

  /**
   * Writes all rows but the first ones, which an earlier run has written. Rejects with `BAD_ROW`, `INTERRUPTED`, or what
   * the peer answers; `state` then says how far it came.
   */
  async run(rows: AsyncIterable<Row>, from: ImportState = { rows: 0, skipped: 0 }): Promise<void> {
    this.#rows = from.rows
    this.#skipped = from.skipped
    this.#drops = from.drops
    const { signal } = this.#options
    let read = 0
    try {
      for await (const row of rows) {
        if (signal.aborted) break
        if (read++ < from.rows) continue
        if ('key' in row && this.#keys.has(row.key)) await this.#send(0)
        if (this.#take(row)) await this.#send(BATCHES_IN_FLIGHT_MAX - 1)
      }
      await this.#send(0)
    } catch (error) {
      // The source was closed under the loop, which is how it learns of an interruption while it waits.
      if (signal.aborted && !this.#broken) {
        await this.#send(0)
        throw new CliError('INTERRUPTED', 'interrupted', '', { cause: error })
      }
      // What was read before is still written, and what is under way may still be acknowledged; the first failure is reported.
      if (!this.#broken) await this.#send(0).catch(() => undefined)
      await Promise.allSettled(this.#inFlight.map(({ acknowledged }) => acknowledged))
      throw error
    }
    if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted')
  }

  /** Adds a row; true when the batch is full. */
  #take(row: Row): boolean {
    if (!('key' in row)) this.#batchBad.push(row)
    else if (row.kind !== (this.#kind ??= row.kind)) {
      this.#batchBad.push({
        line: row.line,
        column: '',
        reason: `is ${KINDS[row.kind]}, and the first row is ${KINDS[this.#kind]}`,
      })
    } else {
      this.#batch.push(row)
      this.#keys.add(row.key)
      this.#batchBytes += row.sizeBytes
    }
    return this.#batch.length + this.#batchBad.length >= BATCH_ROWS_MAX || this.#batchBytes >= BATCH_MAX_BYTES
  }

  /** Sends the batch, and waits until at most this many are under way. */
  async #send(inFlightMax: number): Promise<void> {
    const batch = this.#batch
    const bad = this.#batchBad
    this.#batch = []
    this.#batchBad = []
    this.#batchBytes = 0
    if (batch.length + bad.length > 0) {
      const acknowledged = this.#write(batch)
      // Awaited in order below; an early rejection must not count as unhandled meanwhile.
      acknowledged.catch(() => undefined)
      const keys = batch.map(({ key }) => key)
      this.#inFlight.push({ rows: batch.length + bad.length, keys, bad, acknowledged })
    }
    while (this.#inFlight.length > inFlightMax) await this.#settleFirst()
  }

  async #settleFirst(): Promise<void> {
    const [first] = this.#inFlight as [Sent]
    try {
      const { refused, drops } = await first.acknowledged
      if (drops !== undefined && drops !== (this.#drops ??= drops)) throw dropped(this.#options.collection)
      for (const row of [...first.bad, ...refused].toSorted((a, b) => a.line - b.line)) this.#pass(row)
    } catch (error) {
      this.#broken = true
      throw error
    }
    this.#inFlight.shift()
    for (const key of first.keys) this.#keys.delete(key)
    this.#rows += first.rows
    this.#options.onAcknowledged(this.state)
  }

  #pass(row: BadRow): void {
    if (++this.#skipped > this.#options.skipMax) throw badRow(row, this.#options.skipMax)
    this.#options.onBadRow(row)
  }

  async #write(rows: readonly GoodRow[]): Promise<Acknowledged> {
    const { client, collection, shape } = this.#options
    let left = rows
    let drops: number | undefined
    const refused: BadRow[] = []
    for (let tries = 0; left.length > 0; tries++) {
      const query = { collection, ...shape }
      const body = JSON.stringify(batchOf(left))
      const answer = await client.call<BatchAnswer>(PATHS[left[0]!.kind], { method: 'POST', query, body })
      this.#expired += answer.expired
      drops ??= answer.drops
      const busy: GoodRow[] = []
      for (const { index, code, message } of answer.refused) {
        const row = left[index]!
        if (ROW_CODES.has(code)) refused.push({ line: row.line, column: '', reason: message })
        else if (code === 'BACKLOG_FULL' && tries < BUSY_RETRIES_MAX) busy.push(row)
        else if (code === 'COLLECTION_DROPPED') throw dropped(collection)
        else throw CliError.fromPeer(code, message, 'Put the cause right, and run the same command again to go on.')
      }
      left = busy
      if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, BUSY_RETRY_MS))
    }
    return { refused, drops }
  }
}

function dropped(collection: string): CliError {
  return CliError.fromPeer(
    'COLLECTION_DROPPED',
    `'${collection}' was dropped while rows were imported into it`,
    'Import all of it again, by the same command; with --resume, add --restart.',
  )
}

const KINDS: Readonly<Record<RowKind, string>> = {
  entry: 'an entry of a map',
  element: 'an element of a set',
  counter: 'the value of a counter',
}
const PATHS: Readonly<Record<RowKind, string>> = {
  entry: '/v1/entries',
  element: '/v1/elements',
  counter: '/v1/counter',
}

/** Rows of one kind as a peer takes them. */
function batchOf(rows: readonly GoodRow[]): Batch | ValueBatch {
  if (rows[0]?.kind !== 'entry') return rows.map(({ value }) => value)
  return rows.map(({ key, value, expiresAtMs }) =>
    expiresAtMs === undefined ? [key, value] : [key, value, expiresAtMs],
  )
}

/** Errors that are about one row, and would be the same the next time. */
const ROW_CODES: ReadonlySet<string> = new Set(['INVALID_KEY', 'INVALID_VALUE', 'VALUE_TOO_LARGE', 'COUNTER_RANGE'])

/** `line 17, column 'age': reason`. */
export function badRowText({ line, column, reason }: BadRow): string {
  return `line ${line}${column === '' ? '' : `, column '${visible(column)}'`}: ${reason}`
}

function badRow(row: BadRow, skipMax: number): CliError {
  const many = skipMax > 0 ? `more than ${skipMax} bad rows; the last one is ` : ''
  return new CliError(
    'BAD_ROW',
    `${many}${badRowText(row)}`,
    'Rows before it are written. Correct the file and run again, or pass over bad rows with --skip-bad COUNT.',
  )
}
