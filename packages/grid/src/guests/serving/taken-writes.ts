import { decodeValue, encodeValue } from '@gossipgrid/core'
import type { GridErrorCode, Partition } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'

/** Refused writes that are remembered, so that a guest whose answer was lost gets the same one again. */
const REFUSED_MAX = 64
const PREFIX = 'taken/'
const ROW_MAX_BYTES = 16 * 1024

/** The rows of guests that have not written since `beforeHlc`, as deletes: at most so many. */
export function forgottenRows(partition: Partition, beforeHlc: number, countMax: number): RowWrite[] {
  const { table } = partition.replica
  const rows: RowWrite[] = []
  for (const slot of table.slots()) {
    if (rows.length >= countMax) break
    const key = table.key(slot)
    if (!table.deleted(slot) && table.hlc(slot) < beforeHlc && key.startsWith(PREFIX))
      rows.push({ partition, key, bytes: undefined })
  }
  return rows
}

/** Which writes of one guest members have answered: a row that all members have. */
export class TakenWrites {
  readonly #key: string
  #last: number
  #refused: readonly (readonly [number, GridErrorCode])[]
  #isChanged = false

  private constructor(key: string, last: number, refused: readonly (readonly [number, GridErrorCode])[]) {
    this.#key = key
    this.#last = last
    this.#refused = refused
  }

  static read({ replica }: Partition, guest: string, subject: string): TakenWrites {
    const key = `${PREFIX}${guest}/${subject}`
    const slot = replica.table.slotOf(key)
    const bytes = slot === undefined ? undefined : replica.table.value(slot)
    if (bytes === undefined) return new TakenWrites(key, 0, [])
    const value = decodeValue(bytes)
    // Another member may have written anything. Then the writes count as new, which their dates allow.
    if (!Array.isArray(value) || !Number.isSafeInteger(value[0]) || !Array.isArray(value[1]))
      return new TakenWrites(key, 0, [])
    return new TakenWrites(key, value[0] as number, value[1].filter(isRefused))
  }

  get isChanged(): boolean {
    return this.#isChanged
  }

  /** What a write was answered; undefined if it is new. */
  verdict(number: number): { readonly code: GridErrorCode | ''; readonly text: string } | undefined {
    if (number > this.#last) return undefined
    const [, code = ''] = this.#refused.find(([refused]) => refused === number) ?? []
    return { code, text: code === '' ? '' : 'it was refused before' }
  }

  add(number: number, code: GridErrorCode | ''): void {
    this.#isChanged = true
    this.#last = number
    if (code !== '') this.#refused = [...this.#refused, [number, code] as const].slice(-REFUSED_MAX)
  }

  row(partition: Partition): RowWrite {
    return { partition, key: this.#key, bytes: encodeValue([this.#last, this.#refused], ROW_MAX_BYTES) }
  }
}

function isRefused(pair: unknown): pair is readonly [number, GridErrorCode] {
  return Array.isArray(pair) && Number.isSafeInteger(pair[0]) && typeof pair[1] === 'string'
}
