import type { ID } from 'yjs'
import { splitRange } from './id-ranges.ts'

/** What is known of the ids of late edits: which of them are here, and which the new generation has no place for. */
export class LateIds {
  readonly #ends: ReadonlyMap<number, number> | undefined
  readonly #leftOut = new Map<number, { clock: number; end: number }[]>()
  #leftOutCount = 0

  /** `ends`: by client id, the clock up to which its edits are here. Undefined where all of them count as here. */
  constructor(ends: ReadonlyMap<number, number> | undefined) {
    this.#ends = ends
  }

  /** Ranges that were left out. */
  get leftOutCount(): number {
    return this.#leftOutCount
  }

  isHere({ client, clock }: ID): boolean {
    return this.#ends === undefined || clock < (this.#ends.get(client) ?? 0)
  }

  /** Those of one client in the order of their clocks. */
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
