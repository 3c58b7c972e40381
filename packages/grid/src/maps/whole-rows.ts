import { GridError, VALUE_MAX_BYTES, encodeValue, expiring, lasting } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { checkKey } from '../batches/checks.ts'
import { storedContent, visibleContent } from './layout.ts'
import type { Laid, Layout, WallClock } from './layout.ts'
import type { RowWrite } from '../runtime/row-write.ts'

/** Stores an entry as one row: of concurrent writes of a key, one wins with its whole value. */
export class WholeRows<Place extends Laid = Partition> implements Layout<Place> {
  readonly gathers = false
  readonly #partition: Place
  readonly #valueSizeMaxBytes: number

  constructor(partition: Place, valueSizeMaxBytes: number) {
    this.#partition = partition
    this.#valueSizeMaxBytes = valueSizeMaxBytes
  }

  get count(): number {
    return this.#partition.replica.table.liveCount
  }

  checkKey(key: unknown): asserts key is string {
    checkKey(key)
  }

  encode(value: unknown): Uint8Array {
    return encodeValue(value, this.#valueSizeMaxBytes)
  }

  content(key: string, wallMs: WallClock): Uint8Array | undefined {
    const { replica } = this.#partition
    const slot = replica.table.slotOf(key)
    return slot === undefined ? undefined : visibleContent(replica.table.value(slot), wallMs)
  }

  fieldContent(key: string, _field: string | undefined, wallMs: WallClock): Uint8Array | undefined {
    return this.content(key, wallMs)
  }

  expiresAtMs(key: string, wallMs: WallClock): number {
    const { table } = this.#partition.replica
    const slot = table.slotOf(key)
    if (slot === undefined || table.deleted(slot)) return 0
    const atMs = table.expiresAtMs(slot)
    return atMs === Infinity || atMs > wallMs() ? atMs : 0
  }

  *keys(wallMs: WallClock, gone: boolean = false): Generator<string, void, undefined> {
    const { table } = this.#partition.replica
    const live = table.liveness()
    for (let slot = 0; slot < live.length; slot++) {
      if (live[slot] === 0 || table.isFree(slot)) continue
      if (gone || this.#isVisible(slot, wallMs)) yield table.key(slot)
    }
  }

  slotsOf(key: string): number[] {
    const slot = this.#partition.replica.table.slotOf(key)
    return slot === undefined ? [] : [slot]
  }

  rows(key: string, content: Uint8Array | undefined, expiresAtMs: number): RowWrite<Place>[] {
    return [
      { partition: this.#partition, key, bytes: content === undefined ? undefined : stored(content, expiresAtMs) },
    ]
  }

  changed(): void {
    // The table counts its rows itself.
  }

  place(rowKey: string): { key: string; field: undefined } {
    return { key: rowKey, field: undefined }
  }

  before(_slot: number, previous: Uint8Array | undefined): Uint8Array | undefined {
    return storedContent(previous)
  }

  isUnswept(key: string): boolean {
    const { table } = this.#partition.replica
    const slot = table.slotOf(key)
    return slot !== undefined && !table.deleted(slot)
  }

  #isVisible(slot: number, wallMs: WallClock): boolean {
    const { table } = this.#partition.replica
    if (table.deleted(slot)) return false
    const atMs = table.expiresAtMs(slot)
    return atMs === Infinity || atMs > wallMs()
  }
}

/** The bytes of a row with `content` that expires. Throws `VALUE_TOO_LARGE` if they are too large with the date. */
export function stored(content: Uint8Array, expiresAtMs: number): Uint8Array {
  const bytes = expiresAtMs === Infinity ? lasting(content) : expiring(content, expiresAtMs)
  if (bytes.length <= VALUE_MAX_BYTES) return bytes
  throw new GridError(
    'VALUE_TOO_LARGE',
    `${bytes.length} bytes with the date of expiry, but ${VALUE_MAX_BYTES} are allowed`,
  )
}
