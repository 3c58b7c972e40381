import type { PartitionName } from '@gossipgrid/core'
import type { WritePath } from '../../runtime/write-path.ts'
import type { OwnerReadOptions } from '../partition-options.ts'
import type { RoutedEntries } from '../routed-entries.ts'
import type { Part, PartKey } from './own-part.ts'
import type { PartRows } from './part-rows.ts'

export interface SettledDeps {
  readonly writes: WritePath
  readonly entries: RoutedEntries
}

/**
 * The entries that this peer has written and that match, but that no owner gave: either the owner that was asked does not have the
 * write yet, or the entry was written again since. To tell which, they are read. So are those that owners gave fields of, and of which
 * this peer knows something later.
 */
export async function settled(
  { writes, entries }: SettledDeps,
  rows: PartRows,
  parts: readonly Part[],
  options: OwnerReadOptions,
): Promise<PartKey[]> {
  const { partitions } = writes.pump.peer
  const given = new Set<string>()
  const picked = new Set<string>()
  const suspects = new Map<string, PartitionName>()
  for (const { keys } of parts) {
    for (const { name, key, picked: fields } of keys) {
      if (fields === undefined) given.add(key)
      else if (partitions.known(name, key).some(({ hlc }) => hlc > fields.hlc)) suspects.set(key, name)
      else picked.add(key)
    }
  }
  for (const { names, end } of parts) {
    for (const { name, key } of partitions.unsettled(names)) {
      if (given.has(key) || suspects.has(key)) continue
      if (picked.has(key)) {
        suspects.set(key, name)
        continue
      }
      const known = { name, key, rows: partitions.known(name, key) }
      if (rows.rowOf(known, end) !== undefined) suspects.set(key, name)
    }
  }
  if (suspects.size === 0) return []
  const found = await entries.reads.keys([...suspects.keys()], options)
  return found.flatMap(({ name, key, rows: now }) => (now === undefined ? [] : [{ name, key, rows: now }]))
}
