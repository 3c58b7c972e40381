import { kindCode } from '@gossipgrid/core'
import type { Row } from '@gossipgrid/core'
import { checkAborted } from '../runtime/waiting.ts'
import type { CopyOptions, CopyProgress } from './copy-collection.ts'
import { isSpent, partitionedEnd, replicatedEnd } from './copy-ends.ts'
import type { CopiedEntry, CopyEnd, CopiedPartitions, CopiedReplica } from './copy-ends.ts'

/** Entries of one slice, and their bytes: whichever is reached first. */
const SLICE_ENTRIES_MAX = 300
const SLICE_MAX_BYTES: number = 256 * 1024

/** What copying needs of a map. */
type Copied = CopiedReplica | CopiedPartitions

/** The kind of a map: of whole values or of fields. */
export function kindOf(copied: Copied): number {
  return 'partition' in copied ? copied.partition.name.kind : kindCode(copied.entries.descriptor)
}

/** Copies the rows of all entries that are later than those of the other map. */
export async function copyRows(from: Copied, to: Copied, options: CopyOptions): Promise<CopyProgress> {
  const { onProgress, signal, timeoutMs } = options
  const reading = { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  const endOf = (copied: Copied): CopyEnd =>
    'partition' in copied ? replicatedEnd(copied) : partitionedEnd(copied, reading)
  const [source, target] = [endOf(from), endOf(to)]
  let [copied, same] = [0, 0]
  for await (const slice of slicesOf(source.walk())) {
    checkAborted(signal)
    const known = await target.find(slice.map(({ key }) => key))
    const wanted = slice.map(({ key, rows }, place) => ({ key, rows: laterRows(rows, known[place]) }))
    const later = wanted.filter(({ rows }) => rows.length > 0)
    if (later.length > 0) await target.write(later)
    copied += later.length
    same += slice.filter(({ rows }, place) => wanted[place]!.rows.length === 0 && rows.some(isThere)).length
    onProgress?.({ copied, same })
  }
  return { copied, same }
}

/** The rows that are news to the other map. Where that is not known, all that are there: its owners keep the later ones. */
function laterRows(
  rows: readonly Readonly<Row>[],
  known: readonly Readonly<Row>[] | undefined,
): readonly Readonly<Row>[] {
  return rows.filter((row) => {
    if (isSpent(row)) return false
    const there = known?.find(({ key }) => key === row.key)
    // A delete of what is not there is none.
    if (there === undefined) return row.bytes !== undefined
    return row.hlc > there.hlc && !(row.bytes === undefined && there.bytes === undefined)
  })
}

function isThere(row: Readonly<Row>): boolean {
  return row.bytes !== undefined && !isSpent(row)
}

async function* slicesOf(entries: AsyncIterable<CopiedEntry>): AsyncGenerator<CopiedEntry[], void, undefined> {
  let slice: CopiedEntry[] = []
  let bytes = 0
  for await (const entry of entries) {
    slice.push(entry)
    bytes += entry.rows.reduce((sum, { end, key, start }) => sum + key.length + end - start, 0)
    if (slice.length < SLICE_ENTRIES_MAX && bytes < SLICE_MAX_BYTES) continue
    yield slice
    slice = []
    bytes = 0
  }
  if (slice.length > 0) yield slice
}
