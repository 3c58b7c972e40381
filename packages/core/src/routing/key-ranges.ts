import type { Row } from '../entries/entry-table.ts'
import { READ_ANSWER_MAX_BYTES } from '../limits.ts'
import type { Collections } from '../replica/collections.ts'
import type { PartitionName } from '../wire/block.ts'
import { keysOfCopy, rowBytesOf, rowsOfKey } from './rows-of-key.ts'

/** Keys of one partition, in the order of their UTF-16 code units. */
export interface KeyRange {
  /** The keys behind this one. */
  readonly after: string
  /** Those that begin with it. */
  readonly prefix: string
}

/** The rows of the first keys of a range. */
export interface KeysInOrder {
  readonly keys: readonly { readonly key: string; readonly rows: readonly Readonly<Row>[] }[]
  /** The last of them, if the range goes on behind it. */
  readonly end: string | undefined
}

export function isInRange(key: string, { after, prefix }: KeyRange, end?: string): boolean {
  return key > after && key.startsWith(prefix) && (end === undefined || key <= end)
}

/** The first of `keys` that are in the range, at most `max`, each once, in order. */
export function firstKeys(keys: Iterable<string>, range: KeyRange, max: number): string[] {
  let first: string[] = []
  // What is behind it does not count any more.
  let end: string | undefined
  for (const key of keys) {
    if (!isInRange(key, range, end)) continue
    first.push(key)
    if (first.length < 4 * max) continue
    first = inOrder(first).slice(0, max)
    if (first.length === max) end = first.at(-1)
  }
  return inOrder(first).slice(0, max)
}

/** The first keys of a range in the copy of this peer, tombstones included: at most `keysMax`, and as many as fit in an answer. */
export function firstOfCopy(
  collections: Collections,
  name: PartitionName,
  range: KeyRange,
  keysMax: number,
): KeysInOrder {
  const found: { key: string; rows: Row[] }[] = []
  const keys = firstKeys(keysOfCopy(collections, name), range, keysMax + 1)
  let bytes = 0
  for (const key of keys) {
    const rows = rowsOfKey(collections, name, key)
    bytes += rowBytesOf(rows)
    if (found.length === keysMax || (found.length > 0 && bytes > READ_ANSWER_MAX_BYTES)) {
      return { keys: found, end: found.at(-1)!.key }
    }
    found.push({ key, rows })
  }
  return { keys: found, end: undefined }
}

function inOrder(keys: readonly string[]): string[] {
  // Not by the reader's language: all peers have one order.
  return [...new Set(keys)].sort()
}
