import type { Lag, PeerId } from '@gossipgrid/core'

/**
 * What can be said of this peer beside its neighbours, worst first:
 * - `differs`: with some neighbour it has seen the same writes and yet holds other entries: one of the two is damaged,
 *   and the two will exchange everything;
 * - `behind`: some other peer has writes that this one lacks;
 * - `unknown`: some neighbour has not said what it holds, or not for a long time;
 * - `ahead`: nothing is missing here, but some neighbour lacks writes that this peer has;
 * - `equal`: every neighbour holds exactly what this peer holds;
 * - `alone`: nobody is connected, and nothing is known to be missing.
 */
export type ConvergenceState = 'alone' | 'ahead' | 'behind' | 'differs' | 'equal' | 'unknown'

/** How what this peer holds compares with what its neighbours hold, as far as they have said. */
export interface Convergence {
  readonly state: ConvergenceState
  /** Peers that are connected. */
  readonly neighbours: number
  /** Those of them that hold exactly what this peer holds. */
  readonly equal: number
  /** Those of them that have not said what they hold, or not for a long time. */
  readonly unknown: number
  /** How long ago the oldest word was given that `state` rests on, in milliseconds; undefined where there is none. */
  readonly asOfMs: number | undefined
  /** The peer that this one is furthest behind, or ahead of, and by how many writes. */
  readonly worst: { readonly peerId: PeerId; readonly writes: number } | undefined
  /** One line for people, for example `equal to all 4 neighbours as of 2.1 s ago`. */
  readonly text: string
}

/** What `convergenceOf` goes by. */
export interface Told {
  /** Since when each is connected. What it said before, perhaps on the same side of a split, says nothing of now. */
  readonly neighbours: ReadonlyMap<PeerId, number>
  /** From everybody who has told, neighbour or not. */
  readonly lags: readonly Lag[]
  readonly nowMs: number
  /** Older words than this say nothing of now. */
  readonly staleAfterMs: number
}

type Statement = Pick<Convergence, 'state' | 'asOfMs' | 'worst' | 'text'>

/**
 * Says what is known and no more. Equality is claimed only when every neighbour has lately said what it holds, and only
 * as of the oldest of these words; writes that another peer is known to have stay missing however old its word is.
 */
export function convergenceOf({ neighbours, lags, nowMs, staleAfterMs }: Told): Convergence {
  const told = new Map(lags.map((lag) => [lag.peerId, lag]))
  const fresh: Lag[] = []
  const stale: Lag[] = []
  for (const [peerId, sinceMs] of neighbours) {
    const lag = told.get(peerId)
    if (lag !== undefined && lag.toldAtMs >= sinceMs) (nowMs - lag.toldAtMs > staleAfterMs ? stale : fresh).push(lag)
  }
  const equal = fresh.filter((lag) => lag.behind + lag.ahead + lag.unequal === 0).length
  const counts = { neighbours: neighbours.size, equal, unknown: neighbours.size - fresh.length }
  const ageMs = (lag: Lag): number => Math.max(0, Math.round(nowMs - lag.toldAtMs))
  const statement =
    differing(lags, ageMs) ??
    behind(lags, ageMs) ??
    unknown(neighbours.size, fresh, stale, equal, ageMs) ??
    ahead(fresh, ageMs) ??
    settled(fresh, ageMs)
  return { ...counts, ...statement }
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
    const text = 'nobody else is connected; nothing is known to be missing'
    return { state: 'alone', asOfMs, worst: undefined, text }
  }
  const whom = fresh.length === 1 ? 'the only neighbour' : `all ${fresh.length} neighbours`
  return { state: 'equal', asOfMs, worst: undefined, text: `equal to ${whom} ${asOf(asOfMs)}` }
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

/** Peer ids begin alike; their ends tell them apart. */
export function short(peerId: PeerId): string {
  return peerId.length <= 16 ? peerId : `${peerId.slice(0, 4)}…${peerId.slice(-6)}`
}
