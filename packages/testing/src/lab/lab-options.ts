import { GridError, requireKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import type { OpenGridOptions } from 'gossipgrid'

/** The most peers of one lab. */
const PEERS_MAX = 32
const LATENCY_MAX_MS = 10_000

/** What a lab passes on to `openGrid`: everything that is not about its network, its disk and its clock. */
export type LabGridOptions = Pick<
  OpenGridOptions,
  'logger' | 'name' | 'role' | 'tracer' | 'valueSizeMaxBytes' | 'weight' | 'zone'
>

/** Options of `openLab`. */
export interface OpenLabOptions {
  /** Number of peers, from 1 to 32. Default 3. */
  readonly peers?: number
  /** Milliseconds that everything takes from one peer to another, up to 10,000. Default 0: a turn of the event loop. */
  readonly latencyMs?: number
  /**
   * False gives the peers no disk: nothing is durable, and a peer that restarts begins empty, with a new peer id. Default true: each peer
   * has a disk in memory that survives `crash` and `restart`.
   */
  readonly disk?: boolean
  /** Options for the grid of a peer, by its number. Default: the name `lab`, and a logger that logs nothing. */
  readonly grid?: (peer: number) => Partial<LabGridOptions>
}

const OPTIONS: Known<OpenLabOptions> = { peers: true, latencyMs: true, disk: true, grid: true }

/** Throws `INVALID_OPTION`. */
export function checkLabOptions(options: OpenLabOptions): void {
  requireKnown(options, OPTIONS)
  const { peers = 3, latencyMs = 0 } = options
  if (!(Number.isInteger(peers) && peers >= 1 && peers <= PEERS_MAX)) {
    throw new GridError('INVALID_OPTION', `peers must be a whole number from 1 to ${PEERS_MAX}, not ${peers}`)
  }
  if (!(latencyMs >= 0 && latencyMs <= LATENCY_MAX_MS)) {
    throw new GridError('INVALID_OPTION', `latencyMs must be a number from 0 to ${LATENCY_MAX_MS}, not ${latencyMs}`)
  }
}
