import { GridError } from '../errors.ts'

const SLAB_BITS = 20
const SLAB_BYTES = 1 << SLAB_BITS
const SLAB_FIRST_BYTES = SLAB_BYTES >> 7
/** Addresses are 32 bits wide. */
const SLABS_MAX = 2 ** 32 / SLAB_BYTES
/** Values are moved only if this much is dead, and a quarter of the live bytes or `DEAD_BYTES_ENOUGH`. */
const DEAD_BYTES_MIN = SLAB_BYTES >> 3
const DEAD_BYTES_ENOUGH = 4 * SLAB_BYTES
/** One compaction moves at most this much, so that it pauses for a few milliseconds only. */
const MOVE_BYTES_MAX = 8 * SLAB_BYTES

/**
 * Value bytes, packed into slabs of 1 MiB. A million small buffers would cost 200 bytes each and much garbage collection;
 * one large buffer costs neither. Bytes are never overwritten, so a view of a value stays valid.
 *
 * An address is `slab * 2^20 + offset`, a number below 2^32. A value larger than 1 MiB gets a slab of its own size.
 */
export class ValueSlabs {
  readonly #slabs: (Uint8Array | undefined)[] = []
  readonly #liveBytes: number[] = []
  readonly #free: number[] = []
  #open = -1
  #openBytes = 0
  #position = 0
  #totalBytes = 0
  #live = 0
  #deadAtLastCompaction = 0

  /** Bytes of live values. */
  get liveBytes(): number {
    return this.#live
  }

  /** Bytes of all slabs, live and dead. */
  get totalBytes(): number {
    return this.#totalBytes
  }

  /** Copies `source[start, end)` in and returns its address. Throws `COLLECTION_LIMIT` past 4 GiB. */
  store(source: Uint8Array, start: number, end: number): number {
    const length = end - start
    const address = this.reserve(length)
    const offset = address & (SLAB_BYTES - 1)
    const target = this.slab(address)
    if (length < 64) for (let i = 0; i < length; i++) target[offset + i] = source[start + i]!
    else target.set(start === 0 && end === source.length ? source : source.subarray(start, end), offset)
    return address
  }

  /** Reserves room for bytes that the caller then writes. Throws `COLLECTION_LIMIT` past 4 GiB. */
  reserve(length: number): number {
    if (this.#open < 0 || this.#position + length > this.#openBytes) this.#openSlab(length)
    const address = this.#open * SLAB_BYTES + this.#position
    this.#position += length
    this.#liveBytes[this.#open]! += length
    this.#live += length
    return address
  }

  view(address: number, length: number): Uint8Array {
    const offset = address & (SLAB_BYTES - 1)
    return this.#slabs[address >>> SLAB_BITS]!.subarray(offset, offset + length)
  }

  /** The slab of an address, to read bytes without making a view. */
  slab(address: number): Uint8Array {
    return this.#slabs[address >>> SLAB_BITS]!
  }

  offset(address: number): number {
    return address & (SLAB_BYTES - 1)
  }

  /** Frees the bytes of a value. They stay dead until a compaction. */
  release(address: number, length: number): void {
    this.#liveBytes[address >>> SLAB_BITS]! -= length
    this.#live -= length
  }

  /** True if more than a third of the bytes is dead, and enough have died since the last compaction. */
  get wantsCompaction(): boolean {
    const dead = this.#totalBytes - this.#live
    const enough = Math.min(DEAD_BYTES_ENOUGH, Math.max(DEAD_BYTES_MIN, this.#live / 4))
    return dead * 2 > this.#live && dead - this.#deadAtLastCompaction > enough
  }

  /**
   * Moves the values out of slabs of which a third is dead, and drops these slabs. `addresses` and `lengths` are the columns
   * that point here. In `lengths`, only the bits of `lengthMask` are the length.
   */
  compact(addresses: Uint32Array, lengths: Uint32Array, slots: number, lengthMask: number): void {
    const moving = new Uint8Array(this.#slabs.length)
    let moveBytes = 0
    for (let slab = 0; slab < this.#slabs.length; slab++) {
      const bytes = this.#slabs[slab]
      if (bytes === undefined || slab === this.#open || this.#liveBytes[slab]! * 3 > bytes.length * 2) continue
      moveBytes += this.#liveBytes[slab]!
      if (moveBytes > MOVE_BYTES_MAX) break
      moving[slab] = 1
    }
    for (let slot = 0; slot < slots; slot++) {
      const length = lengths[slot]! & lengthMask
      const address = addresses[slot]!
      if (length === 0 || moving[address >>> SLAB_BITS] !== 1) continue
      const offset = address & (SLAB_BYTES - 1)
      addresses[slot] = this.store(this.slab(address), offset, offset + length)
      this.#live -= length
    }
    for (let slab = 0; slab < moving.length; slab++) if (moving[slab] === 1) this.#drop(slab)
    this.#deadAtLastCompaction = Math.max(0, this.#totalBytes - this.#live)
  }

  #drop(slab: number): void {
    this.#totalBytes -= this.#slabs[slab]!.length
    this.#slabs[slab] = undefined
    this.#liveBytes[slab] = 0
    this.#free.push(slab)
  }

  #openSlab(lengthMin: number): void {
    const slab = this.#free.pop() ?? this.#slabs.length
    if (slab >= SLABS_MAX) throw new GridError('COLLECTION_LIMIT', 'a partition holds more than 4 GiB of values')
    // At most a fifth of the bytes of a collection is unused room. From the fifth megabyte on, every slab is 1 MiB.
    const size = Math.min(SLAB_BYTES, Math.max(SLAB_FIRST_BYTES, this.#totalBytes >> 2))
    const bytes = new Uint8Array(Math.max(size, lengthMin))
    this.#slabs[slab] = bytes
    this.#liveBytes[slab] = 0
    this.#totalBytes += bytes.length
    this.#open = slab
    this.#openBytes = bytes.length
    this.#position = 0
  }
}
