import { expiryOf, isSwept } from '@gossipgrid/core'
import type { Row } from '@gossipgrid/core'
import type { RowTable } from '../maps/layout.ts'

/** The rows of one entry that a read has found, as a layout reads them. The slot of a row is its place. */
export class EntryRows implements RowTable {
  readonly #rows: readonly Readonly<Row>[]

  constructor(rows: readonly Readonly<Row>[]) {
    this.#rows = rows
  }

  get liveCount(): number {
    return this.#rows.filter((_, slot) => !this.deleted(slot)).length
  }

  liveness(): Uint8Array {
    return Uint8Array.from(this.#rows, (_, slot) => (this.deleted(slot) ? 0 : 1))
  }

  isFree(): boolean {
    return false
  }

  key(slot: number): string {
    return this.#rows[slot]!.key
  }

  slotOf(key: string): number | undefined {
    const slot = this.#rows.findIndex((row) => row.key === key)
    return slot < 0 ? undefined : slot
  }

  slotsOf(): number[] {
    return [...this.#rows.keys()]
  }

  slots(): Generator<number, void, undefined> {
    return this.#rows.keys() as Generator<number, void, undefined>
  }

  value(slot: number): Uint8Array | undefined {
    const { bytes, start, end } = this.#rows[slot]!
    return bytes?.subarray(start, end)
  }

  deleted(slot: number): boolean {
    const { bytes, start, end } = this.#rows[slot]!
    return bytes === undefined || isSwept(bytes, start, end)
  }

  expiresAtMs(slot: number): number {
    const { bytes, start, end } = this.#rows[slot]!
    return bytes === undefined ? Infinity : expiryOf(bytes, start, end)
  }
}
