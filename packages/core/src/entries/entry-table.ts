import { hasMain, mainOf } from '../bytes/composite-key.ts'
import { GridError } from '../errors.ts'
import { expiryOf, isSwept, lastingEnd, sweptForm } from './value-header.ts'
import { fold32, foldHigh32, hashBytes, hashText, mix32 } from '../bytes/hash.ts'
import type { Hash64 } from '../bytes/hash.ts'
import { equalsKey, isWide, readKey, writeKey } from './key-bytes.ts'
import { KeyColumn } from './key-column.ts'
import { KeyIndex, SLOTS_MAX } from './key-index.ts'
import { ValueSlabs } from './value-slabs.ts'

/** A flag in the length column: the entry is a tombstone, and its bytes in the slabs are its key. */
const DELETED = 0x80000000
/** A flag in the length column: the tombstone's key takes two bytes for each code unit. */
const WIDE = 0x40000000
/** The same flag of a value: it is swept, and only its header is left. */
const SWEPT = WIDE
const LENGTH_MASK = 0x3fffffff
const SLOTS_FIRST = 64

/**
 * The state that one write gave to one key. Rows travel, are logged and are merged. A row from the wire or the log points
 * into the buffer that it came in, so that reading a thousand of them copies nothing.
 */
export interface Row {
  key: string
  /** HLC reading of the write. */
  hlc: number
  /** Number of the writing replica id in `ReplicaIds`. */
  writer: number
  /** Sequence number of the write: with the replica id, its dot. */
  sequence: number
  /** 16-bit hash of the version that the writer replaced, 0 for none. It tells a concurrent write from an overwrite. */
  replaced: number
  /** The encoded value is `bytes[start, end)`; undefined marks a tombstone. */
  bytes: Uint8Array | undefined
  start: number
  end: number
}

/** The same row, with its value in bytes of its own. */
export function withOwnBytes(row: Readonly<Row>): Row {
  const bytes = row.bytes?.slice(row.start, row.end)
  return { ...row, bytes, start: 0, end: bytes?.length ?? 0 }
}

/**
 * All entries of one partition in columns: an index from key to slot, typed arrays by slot, and values in slabs. Keys of
 * tombstones are in the slabs too: they are rarely read, and would take three times as much memory on the heap. When an
 * entry is removed, a later entry gets its slot.
 */
export class EntryTable {
  readonly #keySeed: number
  /** Keys of tombstones are not here but in the slabs. */
  readonly #keys = new KeyColumn()
  readonly #slots = new KeyIndex(this)
  readonly #values = new ValueSlabs()
  #hlc = new Float64Array(SLOTS_FIRST)
  #writer = new Uint32Array(SLOTS_FIRST)
  #sequence = new Uint32Array(SLOTS_FIRST)
  #address = new Uint32Array(SLOTS_FIRST)
  #length = new Uint32Array(SLOTS_FIRST)
  #valueHash = new Uint32Array(SLOTS_FIRST)
  #keyHash = new Uint32Array(SLOTS_FIRST)
  #replaced = new Uint16Array(SLOTS_FIRST)
  readonly #free: number[] = []
  readonly #composite: boolean
  #count = 0
  #tombstones = 0
  #tombstoneKeyBytes = 0
  #sweptBytes = 0

  /** `keySeed` is the seed of key hashes. If keys are composite, only their first part is hashed. */
  constructor(keySeed: number, composite: boolean = false) {
    this.#keySeed = keySeed
    this.#composite = composite
  }

  /** Number of slots, free ones included. */
  get slotCount(): number {
    return this.#count
  }

  /** Entries and tombstones. */
  get size(): number {
    return this.#count - this.#free.length
  }

  /** Entries that are neither deleted nor expired and swept. */
  get liveCount(): number {
    return this.size - this.#tombstones
  }

  /** Entries that are deleted, or expired and swept. */
  get tombstoneCount(): number {
    return this.#tombstones
  }

  /** Bytes of the values of live entries. */
  get valueBytes(): number {
    return this.#values.liveBytes - this.#tombstoneKeyBytes - this.#sweptBytes
  }

  slotOf(key: string): number | undefined {
    return this.#slots.find(key, this.hashKey(key))
  }

  /** As `slotOf`, for a key whose hash is known. */
  find(key: string, keyHash: number): number | undefined {
    return this.#slots.find(key, keyHash)
  }

  hashKey(key: string): number {
    return hashText(this.#composite ? mainOf(key) : key, this.#keySeed)
  }

  /** Slots of all rows whose key is `main`, or has it as first part. Tombstones included. */
  slotsOf(main: string): number[] {
    const slots = this.#slots.withHash(hashText(main, this.#keySeed))
    return slots.length === 0 ? slots : slots.filter((slot) => hasMain(this.key(slot), main))
  }

  key(slot: number): string {
    const key = this.#keys.get(slot)
    if (key !== undefined) return key
    const length = this.#length[slot]! & LENGTH_MASK
    if (length === 0) return ''
    const address = this.#address[slot]!
    return readKey(this.#values.slab(address), this.#values.offset(address), length, this.#isWide(slot))
  }

  holdsKey(slot: number, key: string): boolean {
    const known = this.#keys.get(slot)
    if (known !== undefined) return known === key
    const address = this.#address[slot]!
    const length = this.#length[slot]! & LENGTH_MASK
    if (length === 0) return key === ''
    return equalsKey(this.#values.slab(address), this.#values.offset(address), length, this.#isWide(slot), key)
  }

  hlc(slot: number): number {
    return this.#hlc[slot]!
  }

  writer(slot: number): number {
    return this.#writer[slot]!
  }

  sequence(slot: number): number {
    return this.#sequence[slot]!
  }

  /** Hash of the key. Its first bits are the number of the entry's segment. */
  keyHash(slot: number): number {
    return this.#keyHash[slot]!
  }

  valueHash(slot: number): number {
    return this.#valueHash[slot]!
  }

  replaced(slot: number): number {
    return this.#replaced[slot]!
  }

  /** Whether the slot has no entry. */
  isFree(slot: number): boolean {
    return this.#sequence[slot] === 0
  }

  isTombstone(slot: number): boolean {
    return this.#length[slot]! >= DELETED
  }

  /** A tombstone, or a value that expired and was swept. */
  deleted(slot: number): boolean {
    return this.#length[slot]! >= SWEPT
  }

  /** Wall milliseconds at which the value expires; Infinity if it does not, and for a tombstone. */
  expiresAtMs(slot: number): number {
    if (this.#length[slot]! >= DELETED) return Infinity
    const length = this.#length[slot]! & LENGTH_MASK
    const start = this.#values.offset(this.#address[slot]!)
    return expiryOf(this.#values.slab(this.#address[slot]!), start, start + length)
  }

  /** A view of the value, which never changes; undefined for a tombstone. */
  value(slot: number): Uint8Array | undefined {
    const length = this.#length[slot]!
    return length >= DELETED ? undefined : this.#values.view(this.#address[slot]!, length & LENGTH_MASK)
  }

  /** Bytes of the value, 0 for a tombstone. */
  valueLength(slot: number): number {
    const length = this.#length[slot]!
    return length >= DELETED ? 0 : length & LENGTH_MASK
  }

  /** Copies the entry of a slot into `row`, except for the value, which is a view. */
  read(slot: number, row: Row): void {
    row.key = this.key(slot)
    row.hlc = this.#hlc[slot]!
    row.writer = this.#writer[slot]!
    row.sequence = this.#sequence[slot]!
    row.replaced = this.#replaced[slot]!
    const length = this.#length[slot]!
    if (length >= DELETED) {
      row.bytes = undefined
      return
    }
    const address = this.#address[slot]!
    row.bytes = this.#values.slab(address)
    row.start = this.#values.offset(address)
    row.end = row.start + (length & LENGTH_MASK)
  }

  /**
   * Stores a row and returns its slot. It replaces what was there: the caller has decided that the row wins. `keyHash` is
   * the hash of its key.
   */
  put(slot: number | undefined, row: Readonly<Row>, keyHash: number): number {
    const target = slot ?? this.#add(row.key, keyHash)
    if (slot !== undefined) {
      if (this.deleted(target)) this.#tombstones -= 1
      this.#release(target)
    }
    this.#hlc[target] = row.hlc
    this.#writer[target] = row.writer
    this.#sequence[target] = row.sequence
    this.#replaced[target] = row.replaced
    this.#storeValue(target, row)
    return target
  }

  /** Gives a slot another dot, for a write that is issued again under another replica id. */
  redot(slot: number, writer: number, sequence: number): void {
    this.#writer[slot] = writer
    this.#sequence[slot] = sequence
  }

  /** Makes a tombstone of an entry. The caller updates the fingerprint. */
  bury(slot: number): void {
    if (this.isTombstone(slot)) return
    if (!this.deleted(slot)) this.#tombstones += 1
    this.#release(slot)
    this.#storeKey(slot, this.#keys.get(slot)!)
  }

  /** Removes an entry that is a tombstone. Its slot becomes free. */
  remove(slot: number): void {
    this.#tombstones -= 1
    this.#slots.remove(slot, this.#keyHash[slot]!)
    this.#release(slot)
    this.#length[slot] = DELETED
    this.#sequence[slot] = 0
    this.#writer[slot] = 0
    this.#hlc[slot] = 0
    this.#free.push(slot)
  }

  /** Drops the value of an entry that has expired. Its version and its part of the fingerprint stay. */
  sweep(slot: number): void {
    const bytes = sweptForm(this.value(slot)!)
    this.#values.release(this.#address[slot]!, this.#length[slot]!)
    this.#address[slot] = this.#values.store(bytes, 0, bytes.length)
    this.#markSwept(slot, bytes.length)
  }

  /** A snapshot of which slots have a live entry, one byte for each, for loops that must not see later entries. */
  liveness(): Uint8Array {
    const live = new Uint8Array(this.#count)
    for (let slot = 0; slot < live.length; slot++) if (!this.deleted(slot)) live[slot] = 1
    return live
  }

  /** All slots in use, in no particular order. */
  *slots(): Generator<number, void, undefined> {
    for (let slot = 0; slot < this.#count; slot++) if (this.#sequence[slot] !== 0) yield slot
  }

  /**
   * Writes the 64-bit hash of (key, version, value) into `out`: one term of the fingerprint. The value is part of it, so
   * that two writes which wrongly share a dot still differ. `replicaHash` is the hash of the replica id.
   */
  hashSlot(slot: number, replicaHash: number, out: Hash64): void {
    const hlc = this.#hlc[slot]!
    const keyHash = this.#keyHash[slot]!
    const sequence = this.#sequence[slot]!
    const hlcLow = hlc % 4294967296
    const hlcHigh = (hlc / 4294967296) | 0
    const valueHash = this.#valueHash[slot]!
    const deleted = this.isTombstone(slot) ? 1 : 0
    const low = fold32(fold32(fold32(fold32(fold32(keyHash, replicaHash), sequence), hlcLow), hlcHigh), valueHash)
    let high = foldHigh32(foldHigh32(mix32(keyHash), replicaHash), sequence)
    high = foldHigh32(foldHigh32(foldHigh32(high, hlcLow), hlcHigh), valueHash)
    out.low = mix32(fold32(low, deleted))
    out.high = mix32(foldHigh32(high, deleted))
  }

  /** Moves values together when much of the slabs is free. */
  compactIfWanted(): void {
    if (this.#values.wantsCompaction) this.#values.compact(this.#address, this.#length, this.#count, LENGTH_MASK)
  }

  #storeValue(slot: number, row: Readonly<Row>): void {
    if (row.bytes === undefined) {
      this.#storeKey(slot, row.key)
      this.#valueHash[slot] = 0
      this.#tombstones += 1
      return
    }
    if (this.#keys.get(slot) === undefined) this.#keys.set(slot, row.key)
    this.#address[slot] = this.#values.store(row.bytes, row.start, row.end)
    this.#length[slot] = row.end - row.start
    this.#valueHash[slot] = hashBytes(row.bytes, row.start, lastingEnd(row.bytes, row.start, row.end), 0)
    if (isSwept(row.bytes, row.start, row.end)) this.#markSwept(slot, row.end - row.start)
  }

  #markSwept(slot: number, length: number): void {
    this.#length[slot] = SWEPT + length
    this.#tombstones += 1
    this.#sweptBytes += length
  }

  /** Moves the key of a tombstone from the heap to the slabs. */
  #storeKey(slot: number, key: string): void {
    const wide = isWide(key)
    const length = wide ? 2 * key.length : key.length
    const address = this.#values.reserve(length)
    writeKey(key, wide, this.#values.slab(address), this.#values.offset(address))
    this.#keys.clear(slot)
    this.#address[slot] = address
    this.#length[slot] = DELETED + (wide ? WIDE : 0) + length
    this.#tombstoneKeyBytes += length
  }

  #isWide(slot: number): boolean {
    return (this.#length[slot]! & WIDE) !== 0
  }

  /** Frees what a slot has in the slabs. */
  #release(slot: number): void {
    const length = this.#length[slot]! & LENGTH_MASK
    if (this.isTombstone(slot)) this.#tombstoneKeyBytes -= length
    else if (this.deleted(slot)) this.#sweptBytes -= length
    this.#values.release(this.#address[slot]!, length)
  }

  #add(key: string, keyHash: number): number {
    const slot = this.#free.pop() ?? this.#count
    if (slot >= SLOTS_MAX) throw new GridError('COLLECTION_LIMIT', `a partition holds more than ${SLOTS_MAX} entries`)
    if (slot === this.#hlc.length) this.#grow()
    if (slot === this.#count) this.#count += 1
    this.#keyHash[slot] = keyHash
    this.#keys.set(slot, key)
    this.#length[slot] = 0
    this.#slots.add(slot, keyHash)
    return slot
  }

  #grow(): void {
    // Doubling would waste up to half of a large column.
    const capacity = Math.ceil(this.#hlc.length * (this.#hlc.length < 65_536 ? 2 : 1.25))
    const wider = <T extends { set(from: T): void }>(column: T, make: new (length: number) => T): T => {
      const grown = new make(capacity)
      grown.set(column)
      return grown
    }
    this.#hlc = wider(this.#hlc, Float64Array)
    this.#writer = wider(this.#writer, Uint32Array)
    this.#sequence = wider(this.#sequence, Uint32Array)
    this.#address = wider(this.#address, Uint32Array)
    this.#length = wider(this.#length, Uint32Array)
    this.#keyHash = wider(this.#keyHash, Uint32Array)
    this.#valueHash = wider(this.#valueHash, Uint32Array)
    this.#replaced = wider(this.#replaced, Uint16Array)
  }
}
