import type { Lag, PeerId } from '@gossipgrid/core'
import type { GuestStatus } from '../runtime/guest-status.ts'

/**
 * How this peer compares with its neighbours, worst first:
 * - `differs`: it has seen the same writes as a neighbour, but has different entries. One of the two is damaged, and the two
 *   will exchange everything;
 * - `behind`: another peer has writes that this one lacks;
 * - `unknown`: a neighbour has not reported its state, or not for a long time;
 * - `ahead`: nothing is missing here, but a neighbour lacks writes that this peer has;
 * - `equal`: every neighbour has exactly the same data as this peer;
 * - `alone`: no peer is connected, and nothing is known to be missing.
 */
export type ConvergenceState = 'alone' | 'ahead' | 'behind' | 'differs' | 'equal' | 'unknown'

/** How the data of this peer compares with that of its neighbours, as far as they have reported it. */
export interface Convergence {
  /** The worst that is known; see `ConvergenceState`. */
  readonly state: ConvergenceState
  /** False between `disconnect()` and `connect()` of the grid. */
  readonly online: boolean
  /** Number of neighbours. */
  readonly neighbours: number
  /** Neighbours with exactly the same data as this peer. */
  readonly equal: number
  /** Neighbours that have not reported their state, or not for a long time. */
  readonly unknown: number
  /** Age of the oldest report that `state` is based on, in milliseconds. Undefined if there is none. */
  readonly asOfMs: number | undefined
  /** The peer that this one is furthest behind or ahead of, and the number of writes. */
  readonly worst: { readonly peerId: PeerId; readonly writes: number } | undefined
  /** One line for people, for example `equal to all 4 neighbours as of 2.1 s ago`. */
  readonly text: string
}

/** The reports of other peers. */
export interface PeerReports {
  /** Since when each neighbour is connected. Reports from before are ignored: it may have been on the other side of a split. */
  readonly neighbours: ReadonlyMap<PeerId, number>
  /** The last reports of all peers, including those that are no neighbours. */
  readonly lags: readonly Lag[]
  readonly nowMs: number
  /** Default true. */
  readonly online?: boolean
  /** Older reports than this are ignored. */
  readonly staleAfterMs: number
}

type Statement = Pick<Convergence, 'state' | 'asOfMs' | 'worst' | 'text'>

/**
 * Computes what is known, and claims no more. The state is `equal` only if every neighbour has reported its state recently, and
 * only as of the oldest of these reports. Writes that another peer has reported stay missing, however old the report is.
 */
export function convergenceOf({ neighbours, lags, nowMs, staleAfterMs, online = true }: PeerReports): Convergence {
  const reports = new Map(lags.map((lag) => [lag.peerId, lag]))
  const fresh: Lag[] = []
  const stale: Lag[] = []
  for (const [peerId, sinceMs] of neighbours) {
    const lag = reports.get(peerId)
    if (lag !== undefined && lag.reportedAtMs >= sinceMs)
      (nowMs - lag.reportedAtMs > staleAfterMs ? stale : fresh).push(lag)
  }
  const equal = fresh.filter((lag) => lag.behind + lag.ahead + lag.unequal === 0).length
  const counts = { neighbours: neighbours.size, equal, unknown: neighbours.size - fresh.length }
  const ageMs = (lag: Lag): number => Math.max(0, Math.round(nowMs - lag.reportedAtMs))
  const statement =
    differing(lags, ageMs) ??
    behind(lags, ageMs) ??
    unknown(neighbours.size, fresh, stale, equal, ageMs) ??
    ahead(fresh, ageMs) ??
    settled(fresh, ageMs)
  const text = online ? statement.text : `cut off by disconnect(): ${statement.text}`
  return { online, ...counts, ...statement, text }
}

type AgeOf = (lag: Lag) => number

function differing(lags: readonly Lag[], ageMs: AgeOf): Statement | undefined {
  const lag = lags.find(({ unequal }) => unequal > 0)
  if (lag === undefined) return undefined
  const text = `other entries than ${short(lag.peerId)} after the same writes, ${asOf(ageMs(lag))}; one is damaged`
  return { state: 'differs', asOfMs: ageMs(lag), worst: { peerId: lag.peerId, writes: 0 }, text }
}

function behind(lags: readonly Lag[], ageMs: AgeOf): Statement | undefined {
  const lag = most(lags, (each) => each.behind)
  if (lag === undefined) return undefined
  const text = `${writes(lag.behind)} behind ${short(lag.peerId)} ${asOf(ageMs(lag))}`
  return { state: 'behind', asOfMs: ageMs(lag), worst: { peerId: lag.peerId, writes: lag.behind }, text }
}

function unknown(
  neighbours: number,
  fresh: readonly Lag[],
  stale: readonly Lag[],
  equal: number,
  ageMs: AgeOf,
): Statement | undefined {
  if (fresh.length === neighbours) return undefined
  const silent = neighbours - fresh.length - stale.length
  const parts = [`${equal} of ${neighbours} neighbours equal${equal > 0 ? ` ${asOf(oldest(fresh, ageMs)!)}` : ''}`]
  if (fresh.length > equal) parts.push(`${fresh.length - equal} behind this peer`)
  if (silent > 0) parts.push(`${silent} ${silent === 1 ? 'has' : 'have'} not said yet`)
  if (stale.length > 0) parts.push(`${stale.length} silent for ${duration(oldest(stale, ageMs)!)}`)
  return { state: 'unknown', asOfMs: oldest(fresh, ageMs), worst: undefined, text: parts.join(', ') }
}

function ahead(fresh: readonly Lag[], ageMs: AgeOf): Statement | undefined {
  const lag = most(fresh, (each) => each.ahead)
  if (lag === undefined) return undefined
  const asOfMs = oldest(fresh, ageMs)!
  const text = `nothing is missing here; ${writes(lag.ahead)} ahead of ${short(lag.peerId)} ${asOf(asOfMs)}`
  return { state: 'ahead', asOfMs, worst: { peerId: lag.peerId, writes: lag.ahead }, text }
}

function settled(fresh: readonly Lag[], ageMs: AgeOf): Statement {
  const asOfMs = oldest(fresh, ageMs)
  if (asOfMs === undefined) {
    const text = 'no other peer is connected; nothing is known to be missing'
    return { state: 'alone', asOfMs, worst: undefined, text }
  }
  const whom = fresh.length === 1 ? 'the only neighbour' : `all ${fresh.length} neighbours`
  return { state: 'equal', asOfMs, worst: undefined, text: `equal to ${whom} ${asOf(asOfMs)}` }
}

/** How a guest compares with the member that serves it. */
export function guestConvergence(
  { isCaughtUp, problem, state, waitingWrites }: GuestStatus,
  online: boolean,
): Convergence {
  const isConnected = state === 'connected'
  const waiting =
    waitingWrites === 0 ? '' : `${writes(waitingWrites)} of this guest ${waitingWrites === 1 ? 'waits' : 'wait'}`
  const parts = !isConnected
    ? [`no member serves this guest: ${problem}`]
    : [isCaughtUp ? 'a member serves this guest' : 'a member sends what the pass covers']
  const said = isConnected ? (waitingWrites > 0 ? 'ahead' : 'equal') : 'alone'
  return {
    state: isConnected && !isCaughtUp ? 'behind' : said,
    online,
    neighbours: isConnected ? 1 : 0,
    equal: said === 'equal' && isCaughtUp ? 1 : 0,
    unknown: 0,
    asOfMs: undefined,
    worst: undefined,
    text: `${online ? '' : 'cut off by disconnect(): '}${[...parts, ...(waiting === '' ? [] : [waiting])].join('; ')}`,
  }
}

function most(lags: readonly Lag[], writesOf: (lag: Lag) => number): Lag | undefined {
  const worst = lags.reduce<Lag | undefined>(
    (sofar, lag) => (writesOf(lag) > (sofar === undefined ? 0 : writesOf(sofar)) ? lag : sofar),
    undefined,
  )
  return worst
}

function oldest(lags: readonly Lag[], ageMs: AgeOf): number | undefined {
  return lags.length === 0 ? undefined : Math.max(...lags.map(ageMs))
}

function writes(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'write' : 'writes'}`
}

function asOf(ageMs: number): string {
  return `as of ${duration(ageMs)} ago`
}

function duration(ms: number): string {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`
}

/** Shortens a peer id. Peer ids start with the same characters, so this keeps the end. */
export function short(peerId: PeerId): string {
  return peerId.length <= 16 ? peerId : `${peerId.slice(0, 4)}…${peerId.slice(-6)}`
}
