import { GridError, UNDURABLE_MAX_BYTES } from '@gossipgrid/core'

/** Upper bound for what a row takes beside its key and its value. */
const ROW_OVERHEAD_BYTES = 640
/** What a waiting call of a listener takes, with the change that it reports. */
const CALL_COST_BYTES = 512
/** Bulk writes wait while more than this is taken. The rest is for single writes, which do not wait. */
const CROWDED_BYTES: number = UNDURABLE_MAX_BYTES / 2

/** What a row takes while it waits: its key and its value. */
interface WaitingRow {
  readonly key: string
  readonly bytes: Uint8Array | undefined
}

export interface WriteRoomDeps {
  /** Memory taken by what waits for the store. */
  backlogBytes(): number
  /** Number of waiting calls of listeners. */
  waitingCalls(): number
}

/**
 * Bounds how much may wait for the store and for listeners. Single writes past the bound are refused; bulk writes wait
 * for room.
 */
export class WriteRoom {
  readonly #deps: WriteRoomDeps
  #waiting: PromiseWithResolvers<void> | undefined

  constructor(deps: WriteRoomDeps) {
    this.#deps = deps
  }

  /** Memory that is taken, in bytes. */
  get takenBytes(): number {
    return this.#deps.backlogBytes() + this.#deps.waitingCalls() * CALL_COST_BYTES
  }

  /** True when bulk writes should wait. */
  get crowded(): boolean {
    return this.takenBytes > CROWDED_BYTES
  }

  /** Throws `BACKLOG_FULL` when the room is full. */
  check(): void {
    if (this.takenBytes > UNDURABLE_MAX_BYTES) throw backlogFull()
  }

  /** Throws `BACKLOG_FULL` unless all rows fit: they are written in one piece, or not at all. */
  checkAll(rows: readonly WaitingRow[]): void {
    const sizeBytes = rows.reduce((sum, { key, bytes }) => sum + rowCostBytes(key, bytes?.length ?? 0), 0)
    if (this.takenBytes + sizeBytes > UNDURABLE_MAX_BYTES) throw backlogFull()
  }

  /** Resolves when there may be more room. Rejects with the reason when the store fails. */
  change(): Promise<void> {
    this.#waiting ??= Promise.withResolvers()
    return this.#waiting.promise
  }

  /** Wakes all waiters: something has become durable. */
  changed(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    waiting.resolve()
  }

  /** Rejects all waiters: the store failed, or the grid was closed. */
  fail(error: GridError): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    waiting.reject(error)
  }
}

/** Upper bound for the memory that a waiting row takes. */
function rowCostBytes(key: string, valueBytes: number): number {
  return ROW_OVERHEAD_BYTES + key.length * 3 + valueBytes
}

function backlogFull(): GridError {
  return new GridError(
    'BACKLOG_FULL',
    `${UNDURABLE_MAX_BYTES} bytes of writes wait to be stored: await some first, or use a method that writes many`,
  )
}
