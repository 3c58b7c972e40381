import { entryKeyOf, isDelete, isSwept, kindCode, subjectOf, withoutSubject } from '@gossipgrid/core'
import type { Partition, Row } from '@gossipgrid/core'
import { nextTurn } from '../flow/next-turn.ts'
import type { OwnerReadOptions } from '../partitioned/partition-options.ts'
import { RoutedBulk } from '../partitioned/routed-bulk.ts'
import type { FoundEntry, RoutedEntries } from '../partitioned/routed-entries.ts'
import { walkEntries } from '../partitioned/routed-walk.ts'
import { RoutedWrites } from '../partitioned/routed-writes.ts'
import type { WritePath } from '../runtime/write-path.ts'

/** A replicated map, as it is copied. */
export interface CopiedReplica {
  readonly writes: WritePath
  readonly partition: Partition
}

/** A partitioned map, as it is copied. */
export interface CopiedPartitions {
  readonly writes: WritePath
  readonly entries: RoutedEntries
}

/** An entry with all its rows, tombstones included. */
export interface CopiedEntry {
  readonly key: string
  readonly rows: readonly Readonly<Row>[]
}

/** One of the two maps of a copy. */
export interface CopyEnd {
  /** All entries, with those that were deleted and are remembered. */
  walk(): AsyncIterable<CopiedEntry>
  /** The rows of these keys, in order; undefined where they are not known. */
  find(keys: readonly string[]): Promise<readonly (readonly Readonly<Row>[] | undefined)[]>
  /** Writes rows with their dates. Resolves when they are durable here. */
  write(entries: readonly CopiedEntry[]): Promise<void>
}

/** Rows that are looked at in one turn of the event loop. */
const TURN_ROWS_MAX = 2000

/** A replicated map: all of it is here. */
export function replicatedEnd({ partition, writes }: CopiedReplica): CopyEnd {
  const { name, replica } = partition
  const { table } = replica
  const isOfFields = name.kind === kindCode({ kind: 'fields' })
  const find = (key: string): Readonly<Row>[] => {
    const only = table.slotOf(key)
    const slots = isOfFields ? table.slotsOf(key) : only === undefined ? [] : [only]
    return slots.map((slot) => copiedRow(replica.row(slot), table.value(slot)))
  }
  return {
    async *walk() {
      // A copy, so that the walk does not depend on what is written meanwhile.
      const keys = new Set(Array.from(table.slots(), (slot) => entryKeyOf(name.kind, table.key(slot))))
      let looked = 0
      for (const key of keys) {
        yield { key, rows: find(key) }
        looked += 1
        if (looked % TURN_ROWS_MAX === 0) await new Promise<void>((resolve) => nextTurn(resolve))
      }
    },
    find: async (keys) => keys.map(find),
    write: async (entries) => {
      const rows = entries.flatMap((entry) => entry.rows)
      await writes.writeAll(rows.map((row) => ({ partition, key: row.key, bytes: bytesOf(row), dateHlc: row.hlc })))
    },
  }
}

/** A partitioned map: it is read and written at the owners. */
export function partitionedEnd({ entries, writes }: CopiedPartitions, options: OwnerReadOptions): CopyEnd {
  const { places, reads } = entries
  const routed = new RoutedWrites(writes)
  const found = (entry: CopiedEntry): FoundEntry => ({
    key: entry.key,
    content: undefined,
    expiresAtMs: 0,
    rows: () => {
      const partition = { name: places.of(entry.key) }
      return entry.rows.map((row) => ({ partition, key: row.key, bytes: bytesOf(row), dateHlc: row.hlc }))
    },
  })
  return {
    walk: () => walkEntries({ places, reads, shown: ({ keys }) => keys }, options, () => undefined),
    find: async (keys) => (await reads.keys(keys, options)).map(({ rows }) => rows),
    write: async (copied) => {
      async function* all(): AsyncGenerator<FoundEntry, void, undefined> {
        for (const entry of copied) yield found(entry)
      }
      await new RoutedBulk({ entries, writes: routed }, options, () => Infinity).write(all())
    },
  }
}

/** A row as the peer that copies writes it: the subject of a guest stays behind. */
function copiedRow(row: Readonly<Row>, value: Uint8Array | undefined): Readonly<Row> {
  if (value === undefined || subjectOf(value) === undefined) return row
  const bytes = isDelete(value) ? undefined : withoutSubject(value)
  return { ...row, bytes, start: 0, end: bytes?.length ?? 0 }
}

/** The stored bytes of a row, which it has for itself. Undefined for a delete. */
function bytesOf({ bytes, start, end }: Readonly<Row>): Uint8Array | undefined {
  return bytes?.slice(start, end)
}

/** Whether a row has nothing to copy: it has expired, and its value is gone. */
export function isSpent({ bytes, start, end }: Readonly<Row>): boolean {
  return bytes !== undefined && isSwept(bytes, start, end)
}
