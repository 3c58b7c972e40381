import {
  GridError,
  KEY_MAX_BYTES,
  KEY_SEPARATOR,
  PRESENT,
  compositeKey,
  decodeValue,
  encodeValue,
  withoutSubject,
} from '@gossipgrid/core'
import { isPlainObject, shown, splitKey } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { checkKey } from '../batches/checks.ts'
import { storedContent, sameContent, visibleContent } from './layout.ts'
import type { Laid, Layout, WallClock } from './layout.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { objectContent } from './object-content.ts'
import { stored } from './whole-rows.ts'

/** Decoding would not make a field of this name. Only a hostile peer writes it. */
const NO_FIELD = '__proto__'

/**
 * Stores an object as one row for each field, and one row for the object itself, so that concurrent writes of a key merge
 * field by field. An object exists as long as one of its rows does.
 */
export class FieldRows<Place extends Laid = Partition> implements Layout<Place> {
  readonly gathers = true
  readonly #partition: Place
  readonly #valueSizeMaxBytes: number
  /** Number of rows of each object, including those that have expired and are not swept yet. */
  readonly #rowCounts = new Map<string, number>()

  constructor(partition: Place, valueSizeMaxBytes: number) {
    this.#partition = partition
    this.#valueSizeMaxBytes = valueSizeMaxBytes
    const { table } = partition.replica
    for (const slot of table.slots()) if (!table.deleted(slot)) this.#add(splitKey(table.key(slot)).main, 1)
  }

  get count(): number {
    return this.#rowCounts.size
  }

  checkKey(key: unknown): asserts key is string {
    checkKey(key)
    if (key.includes(KEY_SEPARATOR))
      throw new GridError('INVALID_KEY', 'a key of a map with fields must not contain U+0000')
  }

  encode(value: unknown): Uint8Array {
    const content = encodeValue(value, this.#valueSizeMaxBytes)
    if (isPlainObject(value)) return content
    throw new GridError('INVALID_VALUE', `The values of a map with fields are plain objects, not ${shown(value)}`)
  }

  content(key: string, wallMs: WallClock): Uint8Array | undefined {
    const { replica } = this.#partition
    return this.#gathered(key, (slot) => visibleContent(replica.table.value(slot), wallMs))
  }

  fieldContent(key: string, field: string | undefined, wallMs: WallClock): Uint8Array | undefined {
    const { replica } = this.#partition
    const slot = replica.table.slotOf(field === undefined ? key : compositeKey(key, field))
    return slot === undefined ? undefined : visibleContent(replica.table.value(slot), wallMs)
  }

  expiresAtMs(key: string, wallMs: WallClock): number {
    const { table } = this.#partition.replica
    const slots = table.slotsOf(key).filter((slot) => !table.deleted(slot))
    // Not as arguments of one call, of which there is a limit: members can make up any number of fields.
    const latestMs = slots.reduce((latest, slot) => Math.max(latest, table.expiresAtMs(slot)), 0)
    return latestMs === Infinity || (latestMs > 0 && latestMs > wallMs()) ? latestMs : 0
  }

  *keys(wallMs: WallClock, gone: boolean = false): Generator<string, void, undefined> {
    const { table } = this.#partition.replica
    // A copy, so that the walk does not reach objects that are added meanwhile.
    for (const key of [...this.#rowCounts.keys()]) {
      const lasts = table.slotsOf(key).some((slot) => !table.deleted(slot) && table.expiresAtMs(slot) === Infinity)
      if (gone || lasts || this.expiresAtMs(key, wallMs) > 0) yield key
    }
  }

  slotsOf(key: string): number[] {
    return this.#partition.replica.table.slotsOf(key)
  }

  rows(key: string, content: Uint8Array | undefined, expiresAtMs: number): RowWrite<Place>[] {
    const fields = new Map(content === undefined ? [] : fieldsIn(content))
    const rows = this.#tombstones(key, content !== undefined, fields)
    const { table } = this.#partition.replica
    for (const [field, value] of fields) {
      const rowKey = fieldKey(key, field)
      const bytes = stored(encodeValue(value, this.#valueSizeMaxBytes), expiresAtMs)
      const slot = table.slotOf(rowKey)
      const before = slot === undefined ? undefined : table.value(slot)
      if (before === undefined || !sameContent(withoutSubject(before), bytes)) rows.push(this.#row(rowKey, bytes))
    }
    // Always written, so that the write is one even if no field changes, and concurrent deletes see it.
    if (content !== undefined) rows.push(this.#row(key, stored(PRESENT, expiresAtMs)))
    return rows
  }

  changed(slot: number, previous: Uint8Array | undefined): void {
    const { table } = this.#partition.replica
    const was = storedContent(previous) === undefined ? 0 : 1
    const is = table.deleted(slot) ? 0 : 1
    if (is !== was) this.#add(splitKey(table.key(slot)).main, is - was)
  }

  place(rowKey: string): { key: string; field: string | undefined } {
    const { main, sub } = splitKey(rowKey)
    return { key: main, field: sub }
  }

  before(slot: number, previous: Uint8Array | undefined): Uint8Array | undefined {
    const { table } = this.#partition.replica
    const { main } = splitKey(table.key(slot))
    return this.#gathered(main, (other) => storedContent(other === slot ? previous : table.value(other)))
  }

  isUnswept(key: string): boolean {
    return this.#rowCounts.has(key)
  }

  /** The object made of its rows, each as `read` returns it. */
  #gathered(key: string, read: (slot: number) => Uint8Array | undefined): Uint8Array | undefined {
    const { table } = this.#partition.replica
    const fields: [string, Uint8Array][] = []
    let present = false
    for (const slot of table.slotsOf(key)) {
      const bytes = read(slot)
      if (bytes === undefined) continue
      present = true
      const { sub } = splitKey(table.key(slot))
      if (sub !== undefined && sub !== NO_FIELD) fields.push([sub, bytes])
    }
    return present ? objectContent(fields) : undefined
  }

  /** Tombstones for the rows of an object that are to be deleted. */
  #tombstones(key: string, stays: boolean, fields: ReadonlyMap<string, unknown>): RowWrite<Place>[] {
    const { table } = this.#partition.replica
    const left = table.slotsOf(key).filter((slot) => {
      const { sub } = splitKey(table.key(slot))
      return !table.deleted(slot) && (sub === undefined ? !stays : !fields.has(sub))
    })
    return left.map((slot) => this.#row(table.key(slot), undefined))
  }

  #row(key: string, bytes: Uint8Array | undefined): RowWrite<Place> {
    return { partition: this.#partition, key, bytes }
  }

  #add(key: string, change: number): void {
    // Applications cannot use this key.
    if (key === '') return
    const count = (this.#rowCounts.get(key) ?? 0) + change
    if (count > 0) this.#rowCounts.set(key, count)
    else this.#rowCounts.delete(key)
  }
}

/** The fields of an object. Those that are undefined are left out. */
function fieldsIn(content: Uint8Array): [string, unknown][] {
  const fields = Object.entries(decodeValue(content) as Record<string, unknown>)
  return fields.filter(([, value]) => value !== undefined)
}

function fieldKey(key: string, field: string): string {
  const rowKey = compositeKey(key, field)
  if (field.includes(KEY_SEPARATOR)) throw new GridError('INVALID_VALUE', 'The name of a field must not contain U+0000')
  if (rowKey.length * 3 <= KEY_MAX_BYTES || new TextEncoder().encode(rowKey).length <= KEY_MAX_BYTES) return rowKey
  const shown = field.slice(0, 40)
  throw new GridError(
    'INVALID_VALUE',
    `The key and the name of the field '${shown}' take more than ${KEY_MAX_BYTES - 1} bytes together`,
  )
}
