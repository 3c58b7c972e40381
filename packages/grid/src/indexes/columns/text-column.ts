import { ValueSlabs, isWide, readKey, writeKey } from '@gossipgrid/core'

/** A flag in the column of lengths: the text takes two bytes for each code unit. */
const WIDE = 0x4000_0000
const LENGTH_MASK = 0x3fff_ffff

/**
 * Texts by number, outside the heap: one byte for each code unit, or two if one of them needs it, and 8 bytes besides. On the heap
 * a text of ten letters takes 40.
 */
export class TextColumn {
  readonly #slabs = new ValueSlabs()
  #addresses: Uint32Array
  #lengths: Uint32Array

  /** `capacity`: how many numbers there are. */
  constructor(capacity: number) {
    this.#addresses = new Uint32Array(capacity)
    this.#lengths = new Uint32Array(capacity)
  }

  /** Bytes of the texts, those that are gone and still in the way included. */
  get totalBytes(): number {
    return this.#slabs.totalBytes
  }

  grow(capacity: number): void {
    this.#addresses = wider(this.#addresses, capacity)
    this.#lengths = wider(this.#lengths, capacity)
  }

  /** Keeps the text of a number that has none. */
  set(number: number, text: string): void {
    const wide = isWide(text)
    const length = wide ? 2 * text.length : text.length
    const address = this.#slabs.reserve(length)
    writeKey(text, wide, this.#slabs.slab(address), this.#slabs.offset(address))
    this.#addresses[number] = address
    this.#lengths[number] = length + (wide ? WIDE : 0)
  }

  clear(number: number): void {
    const length = this.#lengths[number]! & LENGTH_MASK
    if (length === 0) return
    this.#slabs.release(this.#addresses[number]!, length)
    this.#lengths[number] = 0
    if (this.#slabs.wantsCompaction)
      this.#slabs.compact(this.#addresses, this.#lengths, this.#lengths.length, LENGTH_MASK)
  }

  get(number: number): string {
    const length = this.#lengths[number]!
    if (length === 0) return ''
    const address = this.#addresses[number]!
    return readKey(this.#slabs.slab(address), this.#slabs.offset(address), length & LENGTH_MASK, length >= WIDE)
  }

  /** Compares the text of a number with another one, by code units. */
  compareTo(number: number, text: string): number {
    const length = this.#lengths[number]!
    if (length === 0) return text === '' ? 0 : -1
    const step = length >= WIDE ? 2 : 1
    const units = (length & LENGTH_MASK) / step
    const address = this.#addresses[number]!
    const bytes = this.#slabs.slab(address)
    let at = this.#slabs.offset(address)
    const shorter = Math.min(units, text.length)
    for (let i = 0; i < shorter; i++, at += step) {
      const order = unitAt(bytes, at, step) - text.charCodeAt(i)
      if (order !== 0) return order
    }
    return units - text.length
  }

  /** Compares the texts of two numbers, also of two columns. */
  static compare(one: TextColumn, number: number, other: TextColumn, otherNumber: number): number {
    const [length, otherLength] = [one.#lengths[number]!, other.#lengths[otherNumber]!]
    if (length === 0 || otherLength === 0) return length - otherLength
    const [step, otherStep] = [length >= WIDE ? 2 : 1, otherLength >= WIDE ? 2 : 1]
    const [units, otherUnits] = [(length & LENGTH_MASK) / step, (otherLength & LENGTH_MASK) / otherStep]
    const [address, otherAddress] = [one.#addresses[number]!, other.#addresses[otherNumber]!]
    const [bytes, otherBytes] = [one.#slabs.slab(address), other.#slabs.slab(otherAddress)]
    let at = one.#slabs.offset(address)
    let otherAt = other.#slabs.offset(otherAddress)
    const shorter = Math.min(units, otherUnits)
    for (let i = 0; i < shorter; i++, at += step, otherAt += otherStep) {
      const order = unitAt(bytes, at, step) - unitAt(otherBytes, otherAt, otherStep)
      if (order !== 0) return order
    }
    return units - otherUnits
  }
}

function unitAt(bytes: Uint8Array, at: number, step: number): number {
  return step === 1 ? bytes[at]! : bytes[at]! | (bytes[at + 1]! << 8)
}

function wider(column: Uint32Array, capacity: number): Uint32Array {
  const grown = new Uint32Array(capacity)
  grown.set(column)
  return grown
}
