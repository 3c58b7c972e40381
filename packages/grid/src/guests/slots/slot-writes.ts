import {
  GridError,
  NO_SHARE,
  PRESENT,
  covers,
  deletedRow,
  encodeShare,
  hlcFromWall,
  kindCode,
  largest,
  readShare,
  splitKey,
} from '@gossipgrid/core'
import type { Partition, Share } from '@gossipgrid/core'
import { checkSum } from '../../counters/share.ts'
import { checkKeyedKey } from '../../keyed/keyed-face.ts'
import { mainParts } from '../../keyed/key-elements.ts'
import { sameContent } from '../../maps/layout.ts'
import type { RowWrite } from '../../runtime/row-write.ts'
import { addedRows, liveRows } from '../../sets/element-rows.ts'
import { decodeElement } from '../../sets/set-element.ts'
import type { AskedWrite } from '../asked-write.ts'
import { calledSo } from '../covering.ts'
import { GUEST_AHEAD_MAX_MS } from '../guest-limits.ts'
import { grantKeyOf, isCounting } from '../map-kinds.ts'
import type { GuestWrite } from '../messages.ts'
import { countsOf } from './counts-here.ts'
import { slotOf, writerOf } from './slot-proof.ts'

const SET_KIND = kindCode({ kind: 'set' })

/** Throws `MESSAGE_MALFORMED` unless the slot in which a guest writes a row is its own. A row is removed in any slot. */
export async function checkSlot({ bytes, proof, rowKey }: GuestWrite): Promise<void> {
  if (bytes === undefined) return
  const { main, sub } = splitKey(rowKey)
  if (proof === undefined || (await slotOf(proof)) !== writerOf(sub ?? main))
    throw new GridError('MESSAGE_MALFORMED', 'a row in a slot that is not of the guest')
}

/** Whether a write may be sent again after any time: a remove is of one version, and what a delete has seen only grows. */
export function isRemoval({ bytes, rowKey }: GuestWrite): boolean {
  return bytes === undefined || deletedRow(rowKey) !== undefined
}

/** What an application is asked; undefined where a row only tidies up. Throws `INVALID_KEY`; `MESSAGE_MALFORMED` for no element. */
export function askedWrite(partition: Partition, write: GuestWrite): AskedWrite | undefined {
  return isCounting(write.kind) ? askedCount(partition, write) : askedElement(partition, write)
}

function askedElement({ replica: { table } }: Partition, { bytes, kind, map, rowKey }: GuestWrite): AskedWrite {
  const { main } = splitKey(rowKey)
  const [key, text] = kind === SET_KIND ? ['', main] : mainParts(main)
  if (kind !== SET_KIND) checkKeyedKey(key)
  const element = decodeElement(text)
  if (element === undefined) throw new GridError('MESSAGE_MALFORMED', 'an element that no set has')
  const isThere = table.slotsOf(main).some((slot) => !table.deleted(slot))
  const value = bytes === undefined ? undefined : element
  const { name } = calledSo(map)
  return { map: '', set: name, key, field: undefined, value, previous: isThere ? element : undefined }
}

function askedCount(partition: Partition, { bytes, kind, map, rowKey }: GuestWrite): AskedWrite | undefined {
  const key = grantKeyOf(kind, rowKey)
  if (key !== '') checkKeyedKey(key)
  if (bytes === undefined) return undefined
  const sum = countsOf(partition).sumOf(key)
  const isDelete = deletedRow(rowKey) !== undefined
  const value = isDelete ? undefined : Number(netOf(readShare(bytes)) - netOf(shareAt(partition, rowKey)))
  const previous = sum === undefined ? undefined : Number(sum)
  return { map: '', counter: calledSo(map).name, key, field: undefined, value, previous }
}

/**
 * The row that a write of a guest comes to here and now; undefined where it changes nothing. Throws `COUNTER_RANGE`, and `INVALID_VALUE` for a count
 * that takes back what its slot has counted.
 */
export function slotRow(partition: Partition, write: GuestWrite, wallMs: number): RowWrite | undefined {
  const isAhead = write.hlc > hlcFromWall(wallMs + GUEST_AHEAD_MAX_MS)
  if (!isCounting(write.kind)) return elementRow(partition, write, isAhead)
  if (write.bytes === undefined) return emptiedSlot(partition, write)
  return deletedRow(write.rowKey) === undefined
    ? countRow(partition, write, isAhead)
    : deleteRow(partition, write, isAhead)
}

/** A remove has the date of the add that the guest has seen. If no add can have it, the guest has seen what is here. */
function elementRow(partition: Partition, { bytes, hlc, rowKey }: GuestWrite, isAhead: boolean): RowWrite | undefined {
  const row = { partition, key: rowKey }
  if (bytes !== undefined) return { ...row, bytes: PRESENT, ...(isAhead ? {} : { dateHlc: hlc }) }
  const { table } = partition.replica
  const slot = table.slotOf(rowKey)
  if (!isAhead) return { ...row, bytes: undefined, dateHlc: hlc }
  if (slot === undefined || table.deleted(slot)) return undefined
  return { ...row, bytes: undefined, dateHlc: table.hlc(slot) }
}

/** Keys of the adds that an add which was taken replaces: there are too many of its element. */
export function replacedAdds(partition: Partition, { bytes, kind, rowKey }: GuestWrite): readonly string[] {
  if (bytes === undefined || isCounting(kind)) return []
  const { main, sub } = splitKey(rowKey)
  const live = liveRows(partition, main)
  // It may have been removed meanwhile.
  return live.includes(rowKey) ? addedRows(main, sub!, live).removed : []
}

/** The total of a slot, which only grows. */
function countRow(partition: Partition, write: GuestWrite, isAhead: boolean): RowWrite | undefined {
  const { bytes, hlc, kind, map, rowKey } = write
  const { table } = partition.replica
  const slot = table.slotOf(rowKey)
  if (slot !== undefined && (hlc <= table.hlc(slot) || sameContent(table.value(slot), bytes))) return undefined
  const before = shareAt(partition, rowKey)
  const after = readShare(bytes)
  if (!covers(after, before)) throw new GridError('INVALID_VALUE', 'a slot of a counter takes back what it has counted')
  const by = Number(netOf(after) - netOf(before))
  checkSum(countsOf(partition).sumOf(grantKeyOf(kind, rowKey)) ?? 0n, by, calledSo(map).name)
  return { partition, key: rowKey, bytes: bytes!, ...(isAhead ? {} : { dateHlc: hlc }) }
}

/**
 * What a delete has seen of a slot: no more than there is here, whatever the guest says. If that is less, the row is dated before the one that
 * another member may have taken whole.
 */
function deleteRow(partition: Partition, { bytes, hlc, rowKey }: GuestWrite, isAhead: boolean): RowWrite | undefined {
  const counted = deletedRow(rowKey)!
  const there = largest(countsOf(partition).seenOf(counted), shareAt(partition, counted))
  const own = shareAt(partition, rowKey)
  const said = readShare(bytes)
  const seen = largest(own, { up: Math.min(said.up, there.up), down: Math.min(said.down, there.down) })
  if (covers(own, seen)) return undefined
  const dateHlc = covers(seen, said) ? hlc : hlc - 1
  return { partition, key: rowKey, bytes: encodeShare(seen), ...(isAhead ? {} : { dateHlc }) }
}

/** A slot of which deletes have seen all leaves only a tombstone, as long as it is the version that the guest has seen. */
function emptiedSlot(partition: Partition, { hlc, rowKey }: GuestWrite): RowWrite | undefined {
  const { table } = partition.replica
  const slot = table.slotOf(rowKey)
  if (deletedRow(rowKey) !== undefined || slot === undefined || table.deleted(slot) || table.hlc(slot) !== hlc)
    return undefined
  const seen = countsOf(partition).seenOf(rowKey) ?? NO_SHARE
  return covers(seen, shareAt(partition, rowKey))
    ? { partition, key: rowKey, bytes: undefined, dateHlc: hlc }
    : undefined
}

function shareAt({ replica: { table } }: Partition, rowKey: string): Share {
  const slot = table.slotOf(rowKey)
  return readShare(slot === undefined ? undefined : table.value(slot))
}

function netOf({ up, down }: Share): bigint {
  return BigInt(up) - BigInt(down)
}
