import { comparePayloads, cut, payloadOf, rankOf } from './value-order.ts'
import type { Payload, SortKey } from './value-order.ts'

/** A stretch of the order within one type, ends included. Undefined: open at that end. */
export interface Interval {
  readonly rank: number
  readonly low: Payload | undefined
  readonly high: Payload | undefined
}

/** The place of one value. */
export function pointOf(value: unknown): Interval {
  const rank = rankOf(value)
  const payload = cut(payloadOf(value, rank))
  return { rank, low: payload, high: payload }
}

/** Where text begins that starts with `prefix`, and where it ends. */
export function stretchOf(rank: number, prefix: string): Interval {
  const low = cut(prefix) as string
  // The next text that does not start so: the last code unit that can be raised is raised.
  let end = low.length
  while (end > 0 && low.charCodeAt(end - 1) === 0xffff) end--
  const high = end === 0 ? undefined : low.slice(0, end - 1) + String.fromCharCode(low.charCodeAt(end - 1) + 1)
  return { rank, low, high }
}

export function isPoint({ low, high }: Interval): boolean {
  return low !== undefined && low === high
}

export function isWithin(interval: Interval, { rank, payload }: SortKey): boolean {
  if (rank !== interval.rank) return false
  const { low, high } = interval
  return (
    (low === undefined || comparePayloads(payload, low) >= 0) &&
    (high === undefined || comparePayloads(payload, high) <= 0)
  )
}

/** What two intervals have in common. Undefined for nothing. */
export function overlap(one: Interval, other: Interval): Interval | undefined {
  if (one.rank !== other.rank) return undefined
  const low = larger(one.low, other.low)
  const high = smaller(one.high, other.high)
  if (low !== undefined && high !== undefined && comparePayloads(low, high) > 0) return undefined
  return { rank: one.rank, low, high }
}

function larger(one: Payload | undefined, other: Payload | undefined): Payload | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return comparePayloads(one, other) >= 0 ? one : other
}

function smaller(one: Payload | undefined, other: Payload | undefined): Payload | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return comparePayloads(one, other) <= 0 ? one : other
}
