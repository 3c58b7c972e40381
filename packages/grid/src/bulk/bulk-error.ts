import { GridError } from '@gossipgrid/core'

/** How far a method that writes many entries has come. */
export interface BulkProgress {
  /** Entries that are written: visible on this peer. They are the first ones of what was passed. */
  readonly written: number
  /** Of these, the ones known to be on this peer's disk: the first ones again. 0 on a peer in memory. */
  readonly durable: number
}

/**
 * What a method that writes many entries rejects with. `code` says why it stopped, as of every `GridError`; `written` and
 * `durable` say how far it had come. What is written stands.
 */
export class BulkError extends GridError implements BulkProgress {
  readonly written: number
  readonly durable: number

  /** `INPUT_FAILED` unless the cause is a `GridError`. @internal */
  constructor(cause: unknown, { written, durable }: BulkProgress) {
    const known = cause instanceof GridError ? cause : undefined
    const reason = known?.message ?? `what was passed to it has thrown: ${String(cause)}`
    const far = written === 0 ? 'nothing was written' : `${written} were written, ${durable} of them durable`
    super(known?.code ?? 'INPUT_FAILED', `${reason}; ${far}`, { cause: known === undefined ? cause : known.cause })
    this.written = written
    this.durable = durable
  }
}
