import type { Mismatch } from '../story/ledger.ts'

/** Owners of each partition: what the demo counts the copies by. */
export const OWNERS = 3

/** The result of the demo with partitions that move, and its times. */
export interface MovingOutcome {
  readonly peers: number
  /** Entries that must be there in the end. */
  readonly entries: number
  readonly writes: number
  readonly reads: number
  /** Entries that a peer read in the end, and that are not what the ledger says they must be. */
  readonly mismatches: readonly Mismatch[]
  /** Reads that no owner answered. */
  readonly failedReads: number
  /** Reads of acknowledged entries that found none. */
  readonly falseMissing: number
  /** Writes that were not acknowledged. */
  readonly failedWrites: number
  readonly copiesMin: number
  readonly copiesMax: number
  /** Bytes of the keys and values that sessions brought while peers came and went. */
  readonly movedBytes: number
  /** By how much that is more than what had to move. */
  readonly movedOverOptimum: number
  /** How long 99 of 100 reads took at most. */
  readonly p99MsSteady: number
  readonly p99MsMoving: number
}

/** Nothing lost, nothing missed, and every entry in as many copies as it is to have. */
export function movedWell(outcome: MovingOutcome): boolean {
  const { copiesMax, copiesMin, failedReads, falseMissing, mismatches } = outcome
  return mismatches.length + failedReads + falseMissing === 0 && copiesMin === OWNERS && copiesMax === OWNERS
}

/** The last line with `--json`. */
export function movingLine(outcome: MovingOutcome): string {
  const { copiesMax, copiesMin, entries, failedReads, failedWrites, falseMissing, movedBytes, peers } = outcome
  return JSON.stringify({
    peers,
    entries,
    lostWrites: outcome.mismatches.length,
    failedReads,
    failedWrites,
    falseMissing,
    copiesMin,
    copiesMax,
    movedBytes: Math.round(movedBytes),
    movedOverOptimum: rounded(outcome.movedOverOptimum),
    p99MsSteady: rounded(outcome.p99MsSteady),
    p99MsMoving: rounded(outcome.p99MsMoving),
  })
}

function rounded(number: number): number {
  return Math.round(number * 100) / 100
}
