import type { ID } from 'yjs'
import { splitRange } from './id-ranges.ts'

/** The ids of late edits that are here, and of those that have no place in the new generation. */
export class LateIds {
  readonly #ends: ReadonlyMap<number, number> | undefined
  readonly #leftOut = new Map<number, { clock: number; end: number }[]>()
  #leftOutCount = 0

  /** `ends`: the clock up to which the edits of each client id are here. Undefined: all edits count as here. */
  constructor(ends: ReadonlyMap<number, number> | undefined) {
    this.#ends = ends
  }

  /** Grows with each id that is left out. */
  get leftOutCount(): number {
    return this.#leftOutCount
  }

  isHere({ client, clock }: ID): boolean {
    return this.#ends === undefined || clock < (this.#ends.get(client) ?? 0)
  }

  /** Adds a range, in any order. */
  leaveOut({ client, clock }: ID, length: number): void {
    const ranges = this.#leftOut.get(client) ?? []
    this.#leftOut.set(client, ranges)
    let end = clock + length
    const overlapping = Array.from(splitRange(ranges, clock, end), ({ of }) => of)
    const [first] = overlapping
    if (first !== undefined && first.clock <= clock && first.end >= end) return
    const start = Math.min(clock, first?.clock ?? clock)
    end = Math.max(end, overlapping.at(-1)?.end ?? end)
    const index = first === undefined ? indexAfter(ranges, clock) : ranges.indexOf(first)
    ranges.splice(index, overlapping.length, { clock: start, end })
    this.#leftOutCount += end - start - overlapping.reduce((sum, range) => sum + range.end - range.clock, 0)
  }

  isLeftOut({ client, clock }: ID): boolean {
    return splitRange(this.#leftOut.get(client) ?? [], clock, clock + 1).next().done !== true
  }
}

/** Where a range that overlaps none of these belongs. */
function indexAfter(ranges: readonly { readonly clock: number }[], clock: number): number {
  let index = ranges.length
  while (index > 0 && ranges[index - 1]!.clock > clock) index -= 1
  return index
}
