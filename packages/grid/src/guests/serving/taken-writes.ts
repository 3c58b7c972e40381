import { GRACE_MS, decodeValue, encodeValue, hashText, hlcFromWall } from '@gossipgrid/core'
import type { GridErrorCode, Partition } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'
import { GUESTS_OF_SUBJECT_MAX, GUEST_WRITES_MAX } from '../guest-limits.ts'
import { isSlotted } from '../map-kinds.ts'
import type { GuestWrite } from '../messages.ts'
import { isRemoval } from '../slots/slot-writes.ts'

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

type Refused = readonly (readonly [number, GridErrorCode])[]

/** What a row says of a guest. */
interface Remembered {
  readonly guest: string
  readonly last: number
  readonly refused: Refused
}

/** What a write was answered. */
export interface Answer {
  readonly code: GridErrorCode | ''
  readonly text: string
}

/**
 * Which writes of one guest members have answered: a row that all members have. A subject has so many rows and no more, however many
 * guests it has: a new one takes the row of the guest that wrote longest ago. Rows have fixed keys, so that no deletes are left behind.
 */
export class TakenWrites {
  readonly #key: string
  readonly #guest: string
  /** Whether members remember this guest. */
  readonly #isKnown: boolean
  #last: number
  #refused: Refused
  #isChanged = false

  private constructor(key: string, guest: string, remembered: Remembered | undefined) {
    this.#key = key
    this.#guest = guest
    this.#isKnown = remembered !== undefined
    this.#last = remembered?.last ?? 0
    this.#refused = remembered?.refused ?? []
  }

  static read({ replica }: Partition, guest: string, subject: string): TakenWrites {
    const { table } = replica
    let own: { readonly key: string; readonly remembered: Remembered } | undefined
    let oldest = { key: '', hlc: Infinity }
    // Members that do not know of each other's rows yet begin with the same one.
    const first = (hashText(guest, 0) >>> 0) % GUESTS_OF_SUBJECT_MAX
    for (let i = 0; i < GUESTS_OF_SUBJECT_MAX; i++) {
      const key = `${PREFIX}${(first + i) % GUESTS_OF_SUBJECT_MAX}/${subject}`
      const slot = table.slotOf(key)
      const remembered = slot === undefined || table.deleted(slot) ? undefined : rememberedIn(table.value(slot)!)
      const hlc = remembered === undefined ? 0 : table.hlc(slot!)
      if (hlc < oldest.hlc) oldest = { key, hlc }
      // Two members may have begun two rows for it.
      if (remembered?.guest === guest && remembered.last > (own?.remembered.last ?? -1)) own = { key, remembered }
    }
    return new TakenWrites(own?.key ?? oldest.key, guest, own?.remembered)
  }

  get isChanged(): boolean {
    return this.#isChanged
  }

  /** What a write was answered; undefined if it is new. */
  verdict(write: GuestWrite, wallMs: number): Answer | undefined {
    const { again, hlc, kind, number } = write
    if (number <= this.#last) {
      const [, code = ''] = this.#refused.find(([refused]) => refused === number) ?? []
      return { code, text: code === '' ? '' : 'it was refused before' }
    }
    // Taken once more with the same date, it changes nothing, unless what has replaced it is purged by now.
    const isOld = again && !this.#isKnown && hlc < hlcFromWall(wallMs - GRACE_MS)
    if (isOld && !(isSlotted(kind) && isRemoval(write))) return FORGOTTEN
    return undefined
  }

  add(number: number, code: GridErrorCode | ''): void {
    this.#isChanged = true
    this.#last = number
    // Those of one message: a guest sends the next one when it has all answers.
    if (code !== '') this.#refused = [...this.#refused, [number, code] as const].slice(-GUEST_WRITES_MAX)
  }

  row(partition: Partition): RowWrite {
    const bytes = encodeValue([this.#guest, this.#last, this.#refused], ROW_MAX_BYTES)
    return { partition, key: this.#key, bytes }
  }
}

const FORGOTTEN: Answer = {
  code: 'QUOTA_EXCEEDED',
  text: 'it was sent before, weeks ago, and its subject has had too many guests since: members do not know any more whether they took it',
}

/** Another member may have written anything. Then the writes count as new, which their dates allow. */
function rememberedIn(bytes: Uint8Array): Remembered | undefined {
  const value = decodeValue(bytes)
  if (!Array.isArray(value)) return undefined
  const [guest, last, refused] = value as readonly unknown[]
  if (typeof guest !== 'string' || !Number.isSafeInteger(last) || !Array.isArray(refused)) return undefined
  return { guest, last: last as number, refused: refused.filter(isRefused) }
}

function isRefused(pair: unknown): pair is readonly [number, GridErrorCode] {
  return Array.isArray(pair) && Number.isSafeInteger(pair[0]) && typeof pair[1] === 'string'
}
