import {
  GUESTS,
  GridError,
  decodeValue,
  encodeValue,
  hlcFromWall,
  isSwept,
  splitKey,
  wallFromHlc,
} from '@gossipgrid/core'
import type { Partition, Peer, Written } from '@gossipgrid/core'
import type { Pump, WriteOverlay } from '../../runtime/write-path.ts'
import { DOCUMENT_ROWS, calledSo, covers } from '../covering.ts'
import type { Grant } from '../grants.ts'
import { GUEST_AHEAD_MAX_MS, GUEST_OUTBOX_MAX } from '../guest-limits.ts'
import { GuestEdits } from '../documents/guest-edits.ts'
import { grantKeyOf, guestNameOf, isSlotted, openMap } from '../map-kinds.ts'
import type { GuestWrite } from '../messages.ts'
import type { GuestSlots } from '../slots/guest-slots.ts'

const PREFIX = 'out/'
const SENT = 'sent'
const DIGITS = 16
const ROW_MAX_BYTES = 4096

/** A row that the guest has written, and that no member has answered. */
interface Waiting {
  readonly map: string
  readonly kind: number
  readonly rowKey: string
  /** Its date, where the guest's clock was too far ahead for its number, and where it removes what has this date. */
  readonly hlc?: number | undefined
  /** See `Slot`. */
  readonly proof?: Uint8Array | undefined
}

type StoredWaiting = [map: string, kind: number, rowKey: string, hlc?: number | null, proof?: Uint8Array | null]

/**
 * The guest's own writes that no member has answered: rows beside those that it wrote, stored together with them. The number of a write is its
 * HLC timestamp, so numbers ascend and none is given twice. A later write of a row takes the place of the earlier one.
 */
export class GuestOutbox implements WriteOverlay {
  readonly #pump: Pump
  readonly #peer: Peer
  /** The slot of its rows in sets and counters. */
  readonly slots: GuestSlots
  readonly #waiting = new Map<number, Waiting>()
  readonly #numbers = new Map<string, number>()
  /** Keys of rows of this outbox that were deleted, and need no tombstone. */
  #removed: string[] = []
  /** Number of the last write that was ever sent, and the latest date that was given to one. */
  #sent = 0
  #lastDateHlc = 0
  /** Called after a write. */
  onWrite: () => void = () => undefined
  readonly documents: GuestEdits

  constructor(pump: Pump, slots: GuestSlots) {
    this.#pump = pump
    this.slots = slots
    this.#peer = pump.peer
    this.documents = new GuestEdits(pump.peer)
    const { table } = this.#own.replica
    const stored = [...table.slots()].filter((slot) => !table.deleted(slot) && table.key(slot).startsWith(PREFIX))
    const rows = stored.map((slot) => {
      const [map, kind, rowKey, hlc, proof] = decodeValue(table.value(slot)!) as StoredWaiting
      const dated = { hlc: hlc ?? undefined, proof: proof ?? undefined }
      return { number: Number(table.key(slot).slice(PREFIX.length)), map, kind, rowKey, ...dated }
    })
    for (const { number, ...waiting } of rows.toSorted((one, other) => one.number - other.number)) {
      this.#waiting.set(number, waiting)
      this.#numbers.set(idOf(waiting), number)
    }
    const slot = table.slotOf(SENT)
    if (slot !== undefined) [this.#sent, this.#lastDateHlc] = decodeValue(table.value(slot)!) as [number, number]
  }

  /** Number of writes that wait. */
  get size(): number {
    return this.#waiting.size
  }

  has({ name }: Partition, rowKey: string): boolean {
    if (this.#numbers.size === 0) return false
    return this.#numbers.has(idOf({ map: guestNameOf(name) ?? '', kind: name.kind, rowKey }))
  }

  find(number: number): Waiting | undefined {
    return this.#waiting.get(number)
  }

  check({ name }: Partition, key: string): void {
    const { kind } = name
    const map = guestNameOf(name)
    if (map === undefined)
      throw new GridError('FORBIDDEN', 'a guest writes to replicated maps, sets, counters and documents only')
    if (isSlotted(kind)) this.slots.check()
    if (this.#waiting.size >= GUEST_OUTBOX_MAX)
      throw new GridError('BACKLOG_FULL', `${GUEST_OUTBOX_MAX} writes wait for a member: connect to one first`)
    const { grants } = this.documents
    if (grants !== undefined && !covers(grants, 'write', map, grantKeyOf(kind, key)))
      throw new GridError('FORBIDDEN', `the pass does not allow this write to '${calledSo(map).name}'`)
  }

  wrote(partition: Partition, rowKey: string, { hlc }: Written): void {
    const { kind } = partition.name
    const row = { map: guestNameOf(partition.name)!, kind, rowKey }
    const before = this.#numbers.get(idOf(row))
    const waiting: Waiting = isSlotted(kind) ? { ...row, ...this.#ofSlot(partition, rowKey, hlc) } : row
    // A remove has the date of what it removes.
    const number = waiting.hlc === undefined ? hlc : this.#peer.time.nextHlc(this.#pump.now())
    if (before !== undefined) this.remove(before)
    this.#numbers.set(idOf(row), number)
    this.#keep(number, waiting)
    this.onWrite()
  }

  #ofSlot({ name, replica }: Partition, rowKey: string, hlc: number): Pick<Waiting, 'hlc' | 'proof'> {
    const { table } = replica
    if (!table.deleted(table.slotOf(rowKey)!)) return { proof: this.slots.proofOf(rowKey) }
    const added = this.#numbers.get(idOf({ map: guestNameOf(name)!, kind: name.kind, rowKey }))
    // Members date an add of this guest otherwise if its clock is ahead.
    return { hlc: (added === undefined ? undefined : this.#waiting.get(added)?.hlc) ?? hlc }
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

  /** The numbers of edits of a document, in order. */
  editsOf(name: string): number[] {
    const edits = [...this.#waiting].filter(
      ([, { map, rowKey }]) => map === DOCUMENT_ROWS && splitKey(rowKey).main === name,
    )
    return edits.map(([number]) => number)
  }

  /** What the pass allows, as far as the guest knows. */
  set grants(grants: readonly Grant[] | undefined) {
    this.documents.grants = grants
  }

  /** The keys of deleted rows since the last call. */
  takeRemoved(): string[] {
    return this.#removed.splice(0)
  }

  clear(): void {
    for (const number of [...this.#waiting.keys()]) this.remove(number)
  }

  /**
   * The writes after a number, in order: as many as fit. What is sent for the first time gets its date for good: its own one, or `nowHlc` if that is
   * much earlier. So all members that it is sent to date it alike. Is to be durable before they are sent.
   */
  send(after: number, countMax: number, bytesMax: number, nowHlc: number): GuestWrite[] {
    const writes: GuestWrite[] = []
    let bytes = 0
    for (const [number, waiting] of this.#waiting) {
      if (number <= after) continue
      const again = number <= this.#sent
      const { map, kind, proof, rowKey } = waiting
      const row = this.#bytesOf(waiting)
      bytes += rowKey.length + (row?.length ?? 0)
      if (writes.length > 0 && bytes > bytesMax) break
      const hlc = waiting.hlc ?? (again ? number : this.dateOf(number, nowHlc))
      writes.push({ number, map, kind, rowKey, hlc, again, bytes: row, ...(proof && { proof }) })
      if (writes.length >= countMax) break
    }
    const last = writes.at(-1)?.number ?? 0
    if (last > this.#sent) this.#keepSent(writes, last)
    return writes
  }

  /** The date of what has a number by the guest's own clock: that, or now at members if the clock is much ahead. */
  dateOf(number: number, nowHlc: number): number {
    const isAhead = number > hlcFromWall(wallFromHlc(nowHlc) + GUEST_AHEAD_MAX_MS / 2)
    if (!isAhead) return number
    this.#lastDateHlc = Math.max(nowHlc, this.#lastDateHlc + 1)
    return this.#lastDateHlc
  }

  #keepSent(writes: readonly GuestWrite[], last: number): void {
    this.#sent = last
    this.#pump.undisturbed(() =>
      this.#peer.atomically(() => {
        for (const { number, hlc } of writes) {
          const waiting = this.#waiting.get(number)!
          if (hlc === (waiting.hlc ?? number)) continue
          this.#keep(number, { ...waiting, hlc })
        }
        const bytes = encodeValue([this.#sent, this.#lastDateHlc], ROW_MAX_BYTES)
        this.#peer.write(this.#own, SENT, bytes, this.#pump.now())
      }),
    )
  }

  #keep(number: number, waiting: Waiting): void {
    const { hlc, kind, map, proof, rowKey } = waiting
    this.#waiting.set(number, waiting)
    const rest = hlc === undefined && proof === undefined ? [] : [hlc ?? null, proof ?? null]
    this.#write(number, encodeValue([map, kind, rowKey, ...rest], ROW_MAX_BYTES))
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
