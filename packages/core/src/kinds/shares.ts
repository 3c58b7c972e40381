import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { COUNTER_ROW_MAX_BYTES } from '../limits.ts'

/** The content of a counter's row: what its only writer has added and subtracted. */
export interface Share {
  /** What was added. */
  readonly up: number
  /** What was subtracted. */
  readonly down: number
}

/** The share of a slot in which nothing was counted. */
export const NO_SHARE: Share = { up: 0, down: 0 }

/** The content of a row. */
export function encodeShare({ up, down }: Share): Uint8Array {
  return encodeValue([up, down], COUNTER_ROW_MAX_BYTES)
}

/** What a row has counted. */
export function readShare(bytes: Uint8Array | undefined): Share {
  if (bytes === undefined) return NO_SHARE
  const [up, down] = decodeValue(bytes) as [number, number]
  return { up, down }
}

/** Whether `seen` has all of a share. */
export function covers(seen: Share | undefined, { up, down }: Share): boolean {
  return seen !== undefined && seen.up >= up && seen.down >= down
}

/** The larger numbers of both. */
export function largest(seen: Share | undefined, { up, down }: Share): Share {
  return seen === undefined ? { up, down } : { up: Math.max(seen.up, up), down: Math.max(seen.down, down) }
}

/** What is left of a slot's count, and whether that makes the key be there. */
export interface Left {
  readonly net: bigint
  readonly slots: number
}

const NOTHING: Left = { net: 0n, slots: 0 }

/** What is left of a share when deletes had seen so much of it. */
export function left(share: Share | undefined, seen: Share | undefined): Left {
  if (share === undefined || covers(seen, share)) return NOTHING
  const { up, down } = seen ?? NO_SHARE
  return { net: BigInt(Math.max(0, share.up - up) - Math.max(0, share.down - down)), slots: 1 }
}
