import { GridError, requireKnown, shown } from '@gossipgrid/core'
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

const GRID_OPTIONS: Known<LabGridOptions> = {
  logger: true,
  name: true,
  role: true,
  tracer: true,
  valueSizeMaxBytes: true,
  weight: true,
  zone: true,
}

/** Throws `INVALID_OPTION`. */
export function checkLabOptions(options: OpenLabOptions): void {
  requireKnown(options, OPTIONS)
  const { peers = 3, latencyMs = 0, disk = true, grid = () => ({}) } = options
  if (!(Number.isInteger(peers) && peers >= 1 && peers <= PEERS_MAX)) {
    throw new GridError('INVALID_OPTION', `peers must be a whole number from 1 to ${PEERS_MAX}, not ${shown(peers)}`)
  }
  checkNumber('latencyMs', latencyMs, 0, LATENCY_MAX_MS)
  if (typeof disk !== 'boolean') throw new GridError('INVALID_OPTION', `disk is true or false, not ${shown(disk)}`)
  if (typeof grid !== 'function') {
    throw new GridError('INVALID_OPTION', `grid is a function, such as (peer) => ({ zone: 'a' }), not ${shown(grid)}`)
  }
}

/** Checks the options that a test gives to the grid of a peer. Throws `INVALID_OPTION`. */
export function checkLabGridOptions(options: unknown): asserts options is Partial<LabGridOptions> {
  requireKnown(options as LabGridOptions, GRID_OPTIONS)
}

/** Throws `INVALID_OPTION`. */
export function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (typeof value === 'number' && value >= min && value <= max) return
  throw new GridError('INVALID_OPTION', `${name} must be a number from ${min} to ${max}, not ${shown(value)}`)
}

/** Groups of peers are arrays of their numbers. Throws `INVALID_OPTION`. */
export function checkGroups(groups: readonly unknown[]): void {
  const wrong = groups.find((group) => !Array.isArray(group))
  if (wrong === undefined) return
  throw new GridError('INVALID_OPTION', `a group is an array of peers, as in split([0], [1, 2]), not ${shown(wrong)}`)
}
