import { BYTES, NUMBER, TEXT, comparePayloads } from '../../ordering/value-order.ts'
import type { Payload } from '../../ordering/value-order.ts'
import { TextColumn } from './text-column.ts'

/** In the column of ranks: there is no sort key. */
const ABSENT = 255
const FIRST = 64
/** Bytes of a weight that the begin of a text has. More would not be exact in a number. */
const WEIGHT_BYTES = 6
/** Code units from this one on take three bytes of a weight, the first of which is one of the two largest. */
const LONG_UNIT = 253

/**
 * Sort keys by number, in typed arrays: 9 bytes for each, and for text as much as it is long and 8 bytes more. Most comparisons need
 * no more than two of the weights: a payload with a smaller weight comes first.
 */
export class SortColumn {
  #ranks: Uint8Array
  #weights: Float64Array
  #texts: TextColumn | undefined
  /** Those that a number would round. */
  readonly #bigints = new Map<number, bigint>()

  /** `capacity`: for how many numbers there is room at once. */
  constructor(capacity: number = FIRST) {
    this.#ranks = new Uint8Array(capacity).fill(ABSENT)
    this.#weights = new Float64Array(capacity)
  }

  /** What texts take, those that are gone and still in the way included. */
  get textBytes(): number {
    return this.#texts?.totalBytes ?? 0
  }

  has(number: number): boolean {
    return number < this.#ranks.length && this.#ranks[number] !== ABSENT
  }

  /** Whether a number has this sort key. */
  is(number: number, rank: number, payload: Payload): boolean {
    return this.#ranks[number] === rank && this.compareTo(number, payload, weightOf(payload)) === 0
  }

  rank(number: number): number {
    return this.#ranks[number]!
  }

  /** The weight of its payload. */
  weight(number: number): number {
    return this.#weights[number]!
  }

  payload(number: number): Payload {
    const rank = this.#ranks[number]!
    if (rank === TEXT || rank === BYTES) return this.#texts!.get(number)
    return this.#bigints.get(number) ?? this.#weights[number]!
  }

  /** Keeps the sort key of a number that has none. */
  set(number: number, rank: number, payload: Payload): void {
    if (number >= this.#ranks.length) this.#grow(number)
    this.#ranks[number] = rank
    this.#weights[number] = weightOf(payload)
    if (typeof payload === 'string') {
      this.#texts ??= new TextColumn(this.#ranks.length)
      this.#texts.set(number, payload)
    } else if (typeof payload === 'bigint') this.#bigints.set(number, payload)
  }

  clear(number: number): void {
    this.#ranks[number] = ABSENT
    this.#texts?.clear(number)
    if (this.#bigints.size > 0) this.#bigints.delete(number)
  }

  /** Compares the payload of a number with another one of the same rank, and of this weight. */
  compareTo(number: number, payload: Payload, weight: number): number {
    const own = this.#weights[number]!
    if (own !== weight) return own < weight ? -1 : 1
    if (typeof payload === 'string') return hasWhole(own) ? 0 : this.#texts!.compareTo(number, payload)
    return typeof payload === 'number' && this.#bigints.size === 0 ? 0 : comparePayloads(this.payload(number), payload)
  }

  /** Compares the sort keys of two numbers, also of two columns. */
  static compare(one: SortColumn, number: number, other: SortColumn, otherNumber: number): number {
    const rank = one.#ranks[number]!
    const byRank = rank - other.#ranks[otherNumber]!
    if (byRank !== 0) return byRank
    const [own, others] = [one.#weights[number]!, other.#weights[otherNumber]!]
    if (own !== others) return own < others ? -1 : 1
    if (rank === TEXT || rank === BYTES)
      return hasWhole(own) ? 0 : TextColumn.compare(one.#texts!, number, other.#texts!, otherNumber)
    if (rank !== NUMBER || one.#bigints.size + other.#bigints.size === 0) return 0
    return comparePayloads(one.payload(number), other.payload(otherNumber))
  }

  #grow(number: number): void {
    const capacity = Math.ceil((number + 1) * 1.25)
    const [ranks, weights] = [this.#ranks, this.#weights]
    this.#ranks = new Uint8Array(capacity).fill(ABSENT)
    this.#ranks.set(ranks)
    this.#weights = new Float64Array(capacity)
    this.#weights.set(weights)
    this.#texts?.grow(capacity)
  }
}

/**
 * A number that orders payloads of one rank as far as it can: of two payloads, the one with the smaller weight comes first, and of
 * equal weights nothing is known. The weight of text is that of its first code units.
 */
export function weightOf(payload: Payload): number {
  return typeof payload === 'string' ? weightOfText(payload) : Number(payload)
}

/** A code unit is a byte larger than it, or, beyond 252, three bytes. None of them is 0: after the end there are zeros. */
function weightOfText(text: string): number {
  let weight = 0
  let bytes = 0
  for (let i = 0; i < text.length && bytes < WEIGHT_BYTES; i++) {
    const unit = text.charCodeAt(i)
    if (unit < LONG_UNIT) {
      weight = weight * 256 + unit + 1
      bytes += 1
      continue
    }
    const rest = unit & 0x7fff
    for (const byte of [unit < 0x8000 ? 254 : 255, Math.floor(rest / 255) + 1, (rest % 255) + 1]) {
      if (bytes === WEIGHT_BYTES) break
      weight = weight * 256 + byte
      bytes += 1
    }
  }
  return weight * 256 ** (WEIGHT_BYTES - bytes)
}

/** Whether the weight has the whole text: then equal weights are equal texts. */
function hasWhole(weight: number): boolean {
  const shifted = weight / 256
  return shifted === Math.floor(shifted)
}
