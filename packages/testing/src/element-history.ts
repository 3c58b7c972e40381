import type { LedgerWrite } from './ledger.ts'

/** A remove of one row, and the HLC reading of the latest add in that row that its writer had seen. */
interface Remove {
  readonly write: LedgerWrite
  readonly seenHlc: number
}

/** The adds of one element of a set, and the removes of each row. From these alone it is known whether the element is there. */
export class ElementHistory {
  readonly #adds: LedgerWrite[] = []
  readonly #removes = new Map<string, Remove[]>()

  added(write: LedgerWrite): void {
    this.#adds.push(write)
  }

  removed(write: LedgerWrite, seenHlc: number): void {
    const removes = this.#removes.get(write.key) ?? []
    removes.push({ write, seenHlc })
    this.#removes.set(write.key, removes)
  }

  /** Some acknowledged add is covered by no remove that can have happened. */
  get mustBeThere(): boolean {
    const isOwed = (add: LedgerWrite): boolean => add.acknowledged && !add.excused
    const covered = (add: LedgerWrite): boolean =>
      (this.#removes.get(add.key) ?? []).some(({ write, seenHlc }) => !write.withdrawn && seenHlc >= add.hlc)
    return this.#adds.some((add) => isOwed(add) && !covered(add))
  }

  /** Every add that can have happened is covered by an acknowledged remove. */
  get mustBeGone(): boolean {
    const covered = (add: LedgerWrite): boolean =>
      (this.#removes.get(add.key) ?? []).some(
        ({ write, seenHlc }) => write.acknowledged && !write.excused && seenHlc >= add.hlc,
      )
    return this.#adds.every((add) => add.withdrawn || covered(add))
  }
}
