import { GridError, shown } from '@gossipgrid/core'
import type { Share } from '@gossipgrid/core'

/** The sum of two shares. Throws `COUNTER_RANGE`, because other peers would refuse such a row. */
export function addShares(a: Share, b: Share, name: string): Share {
  const sum = { up: a.up + b.up, down: a.down + b.down }
  if (Number.isSafeInteger(sum.up) && Number.isSafeInteger(sum.down)) return sum
  throw outOfRange(`this peer has counted too far on '${name}' since it was opened`)
}

/** Throws `INVALID_VALUE` unless `by` is a whole number from 0 to 2^53 - 1. */
export function checkBy(by: number): void {
  if (Number.isSafeInteger(by) && by >= 0) return
  throw new GridError('INVALID_VALUE', `a counter counts by a whole number from 0 to 2^53 - 1, not by ${shown(by)}`)
}

/** Throws `COUNTER_RANGE` if `by` takes a count out of the range. A count out of range may come back towards it. */
export function checkSum(count: bigint, by: number, name: string): void {
  const next = count + BigInt(by)
  const leaves = by > 0 ? next > BigInt(Number.MAX_SAFE_INTEGER) : by < 0 && next < -BigInt(Number.MAX_SAFE_INTEGER)
  if (leaves) throw outOfRange(`'${name}' would be at ${next}`)
}

/** The count as a number; NaN out of the safe range. */
export function numberOf(sum: bigint): number {
  const count = Number(sum)
  return Number.isSafeInteger(count) ? count : Number.NaN
}

/** Puts an exact count into a change. Reading one out of the safe range throws: any number would be wrong. */
export function putCount<Name extends string>(change: Record<Name, unknown>, name: Name, sum: bigint): void {
  const value = numberOf(sum)
  const get = (): never => {
    throw outOfRange(`it is ${sum}`)
  }
  const property = Number.isNaN(value) ? { get } : { value, writable: true }
  Object.defineProperty(change, name, { ...property, enumerable: true, configurable: true })
}

export function outOfRange(what: string): GridError {
  return new GridError(
    'COUNTER_RANGE',
    `${what}, and a counter goes from -(2^53 - 1) to 2^53 - 1: count it in larger units`,
  )
}
