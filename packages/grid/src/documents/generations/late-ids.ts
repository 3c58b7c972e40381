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

  /** Number of ranges that were left out. */
  get leftOutCount(): number {
    return this.#leftOutCount
  }

  isHere({ client, clock }: ID): boolean {
    return this.#ends === undefined || clock < (this.#ends.get(client) ?? 0)
  }

  /** Adds a range. Ranges of one client must come in the order of their clocks. */
  leaveOut(id: ID, length: number): void {
    if (this.isLeftOut(id)) return
    const ranges = this.#leftOut.get(id.client) ?? []
    this.#leftOut.set(id.client, ranges)
    ranges.push({ clock: id.clock, end: id.clock + length })
    this.#leftOutCount += 1
  }

  isLeftOut({ client, clock }: ID): boolean {
    return splitRange(this.#leftOut.get(client) ?? [], clock, clock + 1).next().done !== true
  }
}
