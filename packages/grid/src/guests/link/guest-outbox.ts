import { GUESTS, GridError, decodeValue, encodeValue, entryKeyOf, isSwept } from '@gossipgrid/core'
import type { Partition, Peer, Written } from '@gossipgrid/core'
import type { Pump, WriteOverlay } from '../../runtime/write-path.ts'
import { covers } from '../grants.ts'
import type { Grant } from '../grants.ts'
import { GUEST_OUTBOX_MAX } from '../guest-limits.ts'
import { MAP_KINDS, openMap } from '../map-kinds.ts'
import type { GuestWrite } from '../messages.ts'

const PREFIX = 'out/'
const DIGITS = 16
const ROW_MAX_BYTES = 4096

/** A row that the guest has written, and that no member has answered. */
interface Waiting {
  readonly map: string
  readonly kind: number
  readonly rowKey: string
}

/**
 * The guest's own writes that no member has answered: rows beside those that it wrote, stored together with them. The number of a write is its
 * HLC timestamp, so numbers ascend and none is given twice. A later write of a row takes the place of the earlier one.
 */
export class GuestOutbox implements WriteOverlay {
  readonly #pump: Pump
  readonly #peer: Peer
  readonly #waiting = new Map<number, Waiting>()
  readonly #numbers = new Map<string, number>()
  /** Keys of rows of this outbox that were deleted, and need no tombstone. */
  #removed: string[] = []
  /** Called after a write. */
  onWrite: () => void = () => undefined
  /** What the pass allows, as far as the guest knows. */
  grants: readonly Grant[] | undefined

  constructor(pump: Pump) {
    this.#pump = pump
    this.#peer = pump.peer
    const { table } = this.#own.replica
    const stored = [...table.slots()].filter((slot) => !table.deleted(slot) && table.key(slot).startsWith(PREFIX))
    const rows = stored.map((slot) => {
      const [map, kind, rowKey] = decodeValue(table.value(slot)!) as [string, number, string]
      return { number: Number(table.key(slot).slice(PREFIX.length)), map, kind, rowKey }
    })
    for (const { number, ...waiting } of rows.toSorted((one, other) => one.number - other.number)) {
      this.#waiting.set(number, waiting)
      this.#numbers.set(idOf(waiting), number)
    }
  }

  /** Number of writes that wait. */
  get size(): number {
    return this.#waiting.size
  }

  has({ name }: Partition, rowKey: string): boolean {
    return this.#numbers.size > 0 && this.#numbers.has(idOf({ map: name.collection, kind: name.kind, rowKey }))
  }

  find(number: number): Waiting | undefined {
    return this.#waiting.get(number)
  }

  check({ name }: Partition, key: string): void {
    const { collection, kind } = name
    if (!MAP_KINDS.includes(kind)) throw new GridError('FORBIDDEN', 'a guest writes to replicated maps only')
    if (this.#waiting.size >= GUEST_OUTBOX_MAX)
      throw new GridError('BACKLOG_FULL', `${GUEST_OUTBOX_MAX} writes wait for a member: connect to one first`)
    if (this.grants !== undefined && !covers(this.grants, 'write', collection, entryKeyOf(kind, key)))
      throw new GridError('FORBIDDEN', `the pass does not allow this write to '${collection}'`)
  }

  wrote({ name }: Partition, rowKey: string, { hlc }: Written): void {
    const waiting = { map: name.collection, kind: name.kind, rowKey }
    const before = this.#numbers.get(idOf(waiting))
    if (before !== undefined) this.remove(before)
    this.#waiting.set(hlc, waiting)
    this.#numbers.set(idOf(waiting), hlc)
    this.#write(hlc, encodeValue([waiting.map, waiting.kind, rowKey], ROW_MAX_BYTES))
    this.onWrite()
  }

  /** Forgets a write. Within one piece with what it leads to. */
  remove(number: number): void {
    const waiting = this.#waiting.get(number)
    if (waiting === undefined) return
    this.#waiting.delete(number)
    this.#numbers.delete(idOf(waiting))
    this.#removed.push(keyOf(number))
    this.#write(number, undefined)
  }

  /** The keys of deleted rows since the last call. */
  takeRemoved(): string[] {
    return this.#removed.splice(0)
  }

  clear(): void {
    for (const number of [...this.#waiting.keys()]) this.remove(number)
  }

  /** The writes after a number, in order: as many as fit. */
  next(after: number, countMax: number, bytesMax: number): GuestWrite[] {
    const writes: GuestWrite[] = []
    let bytes = 0
    for (const [number, waiting] of this.#waiting) {
      if (number <= after) continue
      const write = { number, hlc: number, ...waiting, bytes: this.#bytesOf(waiting) }
      bytes += waiting.rowKey.length + (write.bytes?.length ?? 0)
      if (writes.length > 0 && bytes > bytesMax) break
      writes.push(write)
      if (writes.length >= countMax) break
    }
    return writes
  }

  /** The row as it is here: own writes stand until they are answered. Undefined for a delete, and for what has expired. */
  #bytesOf({ kind, map, rowKey }: Waiting): Uint8Array | undefined {
    const { replica } = openMap(this.#peer, map, kind)
    const slot = replica.table.slotOf(rowKey)
    const bytes = slot === undefined ? undefined : replica.table.value(slot)
    return bytes === undefined || isSwept(bytes, 0, bytes.length) ? undefined : bytes
  }

  get #own(): Partition {
    return this.#peer.collections.internal(GUESTS)
  }

  #write(number: number, bytes: Uint8Array | undefined): void {
    this.#peer.write(this.#own, keyOf(number), bytes, this.#pump.now())
  }
}

function keyOf(number: number): string {
  return PREFIX + String(number).padStart(DIGITS, '0')
}

function idOf({ kind, map, rowKey }: Waiting): string {
  return `${kind} ${map}\n${rowKey}`
}
