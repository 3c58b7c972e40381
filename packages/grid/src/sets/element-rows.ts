import { PRESENT, compositeKey } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import type { RowWrite } from '../runtime/row-write.ts'

/** So many adds of one element by different peers are kept. The next add replaces those of other peers. */
export const ADDS_MAX = 4
/** Bytes of a row's key beside the element: a separator, and the slot id of the peer that added it. */
export const SLOT_BYTES = 17

/** Keys of the adds of an element that are not removed. */
export function liveRows({ replica: { table } }: Partition, main: string): string[] {
  const rows: string[] = []
  for (const slot of table.slotsOf(main)) if (!table.deleted(slot)) rows.push(table.key(slot))
  return rows
}

/** The key of the row that adds an element at the slot of a peer, and those of the adds of others that it replaces. */
export function addedRows(
  main: string,
  slotId: string,
  live: readonly string[],
): { readonly added: string; readonly removed: readonly string[] } {
  const added = compositeKey(main, slotId)
  if (live.length < ADDS_MAX) return { added, removed: [] }
  const others = live.filter((key) => key !== added)
  return { added, removed: others.length < ADDS_MAX ? [] : others }
}

/**
 * The rows that add an element at the slot of a peer. The add comes before the rows that remove the others, so that readers never
 * see the element missing.
 */
export function addRows(partition: Partition, main: string, slotId: string, live: readonly string[]): RowWrite[] {
  const { added, removed } = addedRows(main, slotId, live)
  return [{ partition, key: added, bytes: PRESENT }, ...removeRows(partition, removed)]
}

/** The rows that remove adds. */
export function removeRows(partition: Partition, keys: readonly string[]): RowWrite[] {
  return keys.map((key) => ({ partition, key, bytes: undefined }))
}
