import type { Mismatch } from './ledger.ts'

/** The result of the demo, with its times. */
export interface Outcome {
  readonly peers: number
  /** Entries that every peer must have in the end. */
  readonly entries: number
  readonly writes: number
  readonly splitWrites: number
  /** Keys written on both sides of the split. */
  readonly conflicts: number
  readonly converged: boolean
  /** One per peer. */
  readonly fingerprints: readonly string[]
  readonly mismatches: readonly Mismatch[]
  readonly loadMs: number
  readonly spreadMs: number
  readonly healMs: number
  readonly healBytes: number
}

/** All equal, and nothing lost. */
export function succeeded(outcome: Outcome): boolean {
  return outcome.converged && outcome.mismatches.length === 0
}

/** The last line with `--json`. */
export function outcomeLine(outcome: Outcome): string {
  const { peers, entries, splitWrites, conflicts, converged, loadMs, spreadMs, healMs, healBytes } = outcome
  return JSON.stringify({
    peers,
    entries,
    splitWrites,
    conflicts,
    lostWrites: outcome.mismatches.length,
    converged,
    fingerprints: outcome.fingerprints,
    loadMs: Math.round(loadMs),
    spreadMs: Math.round(spreadMs),
    healMs: Math.round(healMs),
    healBytes,
  })
}
