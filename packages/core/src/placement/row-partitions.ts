import { ELEMENT_SEPARATOR } from '../bytes/composite-key.ts'
import { KINDS, entryKeyOf, rulesOf } from '../kinds/kinds.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { partitionIndex } from './key-slots.ts'
import { partitionCountOf } from '../wire/partition-numbers.ts'

/** Kinds whose rows belong to keys of an application, or to elements. A counter is one value, and stays in one piece. */
const PARTITIONED: ReadonlySet<CollectionKind> = new Set(['map', 'fields', 'set', 'counters', 'sets'])
const PARTITIONED_CODES: ReadonlySet<number> = new Set([...PARTITIONED].map((kind) => KINDS[kind].code))

/** Whether a collection of this kind can be partitioned. */
export function mayBePartitioned(kind: CollectionKind): boolean {
  return PARTITIONED.has(kind)
}

/**
 * Whether a row is in the partition of its key. All rows of one key (its fields, its slots, the elements of its set) are in
 * one partition. An honest peer sends no others; what a kind of a later version means, that version knows.
 */
export function rowBelongs(partition: { readonly kind: number; readonly partition: number }, rowKey: string): boolean {
  const count = partitionCountOf(partition.partition)
  if (count === 1) return true
  const { kind } = partition
  if (!PARTITIONED_CODES.has(kind)) return rulesOf(kind) === undefined
  return count + partitionIndex(placedKey(kind, rowKey), count) === partition.partition
}

/** The application's key, or element, in the key of a row: all rows of it are in one partition. */
export function placedKey(kind: number, rowKey: string): string {
  const main = entryKeyOf(kind, rowKey)
  if (kind !== KINDS.sets.code) return main
  const end = main.indexOf(ELEMENT_SEPARATOR)
  return end < 0 ? main : main.slice(0, end)
}
