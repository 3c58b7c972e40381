import { GridError } from '@gossipgrid/core'

/** Progress of a method that writes many entries. */
export interface BulkProgress {
  /** Entries that are written, and so visible on this peer: the first ones of the source. */
  readonly written: number
  /** Entries known to be on this peer's disk: the first ones of the source. 0 on a memory-only peer. */
  readonly durable: number
}

/**
 * The error of a method that writes many entries. `code` says why it stopped; `written` and `durable` say how far it got.
 * Entries that were written stand.
 */
export class BulkError extends GridError implements BulkProgress {
  readonly written: number
  readonly durable: number

  /** `INPUT_FAILED` unless the cause is a `GridError`. @internal */
  constructor(cause: unknown, { written, durable }: BulkProgress) {
    const known = cause instanceof GridError ? cause : undefined
    const reason = known?.message ?? `the source or onProgress has thrown: ${String(cause)}`
    const far = written === 0 ? 'nothing was written' : `${written} were written, ${durable} of them durable`
    super(known?.code ?? 'INPUT_FAILED', `${reason}; ${far}`, { cause: known === undefined ? cause : known.cause })
    this.written = written
    this.durable = durable
  }
}
