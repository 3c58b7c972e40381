import { GridError, UNDURABLE_MAX_BYTES } from '@gossipgrid/core'

/** More than a row takes beside its key and its value. */
const ROW_OVERHEAD_BYTES = 640
/** A call of a listener that waits: it stands for a change that somebody is to hear of. */
const CALL_COST_BYTES = 512
/** What waits for room goes on while no more than this is taken: the rest is for single writes, which do not wait. */
const CROWDED_BYTES: number = UNDURABLE_MAX_BYTES / 2

/** What a row takes while it waits: its key and its value. */
interface WaitingRow {
  readonly key: string
  readonly bytes: Uint8Array | undefined
}

export interface WriteRoomDeps {
  /** What all that waits for the store costs. */
  backlogBytes(): number
  /** Calls of listeners that wait. */
  waitingCalls(): number
}

/**
 * How much may wait for the store, and for listeners, before writes are refused, and who waits for room. Refusing is for
 * single writes; methods that write many wait.
 */
export class WriteRoom {
  readonly #deps: WriteRoomDeps
  #waiting: PromiseWithResolvers<void> | undefined

  constructor(deps: WriteRoomDeps) {
    this.#deps = deps
  }

  /** What waits, in bytes of memory. */
  get takenBytes(): number {
    return this.#deps.backlogBytes() + this.#deps.waitingCalls() * CALL_COST_BYTES
  }

  /** So much waits that whatever can wait should. */
  get crowded(): boolean {
    return this.takenBytes > CROWDED_BYTES
  }

  /** Throws `BACKLOG_FULL` when the room is full. */
  check(): void {
    if (this.takenBytes > UNDURABLE_MAX_BYTES) throw backlogFull()
  }

  /** Throws `BACKLOG_FULL` unless all rows fit: a piece that stops in the middle for want of room would be none. */
  checkAll(rows: readonly WaitingRow[]): void {
    const sizeBytes = rows.reduce((sum, { key, bytes }) => sum + rowCostBytes(key, bytes?.length ?? 0), 0)
    if (this.takenBytes + sizeBytes > UNDURABLE_MAX_BYTES) throw backlogFull()
  }

  /** Resolves when the room may be less crowded; rejects when the store refuses, with why. */
  change(): Promise<void> {
    this.#waiting ??= Promise.withResolvers()
    return this.#waiting.promise
  }

  /** Something has become durable. */
  changed(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    waiting.resolve()
  }

  /** The store refuses, or the grid is closed: nobody is left waiting. */
  fail(error: GridError): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    waiting.reject(error)
  }
}

/** What a row may cost while it waits, from above. */
function rowCostBytes(key: string, valueBytes: number): number {
  return ROW_OVERHEAD_BYTES + key.length * 3 + valueBytes
}

function backlogFull(): GridError {
  return new GridError(
    'BACKLOG_FULL',
    `writes of ${UNDURABLE_MAX_BYTES} bytes of memory wait to be stored: await some first, or use a method that takes many`,
  )
}
