import { mainOf } from '../bytes/composite-key.ts'
import { countRows, deletedRow, sumOf } from '../kinds/count-rows.ts'
import { KINDS, rulesOf } from '../kinds/kinds.ts'
import { placedKey } from '../placement/row-partitions.ts'
import type { Collections } from '../replica/collections.ts'
import type { PartitionName } from '../wire/block.ts'
import { rowsOfKey } from './rows-of-key.ts'

/** How many keys of the copy of this peer have something that is there and has not expired. */
export function countOfCopy(collections: Collections, name: PartitionName, wallMs: number): number {
  const table = collections.find(name)?.replica.table
  if (table === undefined) return 0
  const isComposite = rulesOf(name.kind)?.hasCompositeKeys === true
  const isCounter = name.kind === KINDS.counters.code
  const keys = new Set<string>()
  /** Counters of which a delete has seen something: they may be gone though they have rows. */
  const deleted = new Set<string>()
  let count = 0
  for (const slot of table.slots()) {
    if (table.deleted(slot) || table.expiresAtMs(slot) <= wallMs) continue
    if (!isComposite) {
      count += 1
      continue
    }
    const rowKey = table.key(slot)
    if (isCounter && deletedRow(rowKey) !== undefined) deleted.add(mainOf(rowKey))
    else keys.add(placedKey(name.kind, rowKey))
  }
  for (const key of deleted) {
    if (keys.has(key) && sumOf(countRows(rowsOfKey(collections, name, key))) === undefined) keys.delete(key)
  }
  return isComposite ? keys.size : count
}
