import type { Row } from '../entries/entry-table.ts'
import { entryKeyOf, rulesOf } from '../kinds/kinds.ts'
import type { Collections } from '../replica/collections.ts'
import type { PartitionName } from '../wire/block.ts'

/** The rows of a key in the copy of this peer, tombstones included; none without a copy. Values are views. */
export function rowsOfKey(collections: Collections, name: PartitionName, main: string): Row[] {
  const replica = collections.find(name)?.replica
  if (replica === undefined) return []
  const { table } = replica
  if (rulesOf(name.kind)?.hasCompositeKeys === true) return table.slotsOf(main).map((slot) => replica.row(slot))
  const slot = table.slotOf(main)
  return slot === undefined ? [] : [replica.row(slot)]
}

/** The keys in the copy of this peer, also of tombstones; of a kind with composite keys, a key once for each of its rows. */
export function* keysOfCopy(collections: Collections, name: PartitionName): Generator<string, void, undefined> {
  const table = collections.find(name)?.replica.table
  if (table === undefined) return
  for (const slot of table.slots()) yield entryKeyOf(name.kind, table.key(slot))
}

/** About what rows take in a block. */
export function rowBytesOf(rows: readonly Readonly<Row>[]): number {
  return rows.reduce((sum, { key, start, end }) => sum + key.length + end - start, 0)
}
