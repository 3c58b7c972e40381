import type { EntryTable, Row } from '../entries/entry-table.ts'
import { SEGMENT_ENTRIES_MAX } from '../limits.ts'
import type { Partition } from '../replica/collections.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter } from '../wire/block.ts'
import { segmentOf } from './stored-state.ts'

/** Slots looked at in one piece of work: a millisecond or two. */
const SLOTS_PER_PIECE = 50_000

/** Slots of the segments to write, grouped by segment. */
export interface Grouped {
  readonly slots: Uint32Array
  /** Those that are still to be written. */
  readonly segments: { readonly index: number; readonly first: number; readonly end: number }[]
  readonly written: readonly number[]
}

/** About what all entries take in the store. */
export function storedBytes(table: EntryTable): number {
  return table.valueBytes + table.size * 32
}

/** Bits that keep segments at half of their limit on average; fewer only when far fewer would do. */
export function wantedBits(table: EntryTable, bitsNow: number, segmentMaxBytes: number): number {
  const segments = Math.max((2 * table.size) / SEGMENT_ENTRIES_MAX, (2 * storedBytes(table)) / segmentMaxBytes, 1)
  const bits = Math.min(16, Math.ceil(Math.log2(segments)))
  return bits > bitsNow || bits < bitsNow - 3 ? bits : bitsNow
}

/**
 * Groups the slots of some segments by segment, in two passes over the key hashes. Pauses now and then; what comes
 * meanwhile, in slots new or used before, may be left out, since the log has it.
 */
export function* groupBySegment(
  table: EntryTable,
  bits: number,
  wanted: ReadonlySet<number>,
): Generator<void, Grouped, void> {
  const counts = new Uint32Array(2 ** bits)
  const total = table.slotCount
  for (let slot = 0; slot < total; slot++) {
    if (!table.isFree(slot)) counts[segmentOf(table.keyHash(slot), bits)]! += 1
    if (slot % SLOTS_PER_PIECE === SLOTS_PER_PIECE - 1) yield
  }
  const segments: { readonly index: number; readonly first: number; end: number }[] = []
  const positions = new Int32Array(2 ** bits).fill(-1)
  let position = 0
  for (let index = 0; index < counts.length; index++) {
    if (!wanted.has(index) || counts[index] === 0) continue
    positions[index] = position
    segments.push({ index, first: position, end: position })
    position += counts[index]!
  }
  const slots = new Uint32Array(position)
  const ends = positions.slice()
  for (let slot = 0; slot < total; slot++) {
    const index = segmentOf(table.keyHash(slot), bits)
    const first = positions[index]!
    if (first >= 0 && !table.isFree(slot) && ends[index]! < first + counts[index]!) slots[ends[index]!++] = slot
    if (slot % SLOTS_PER_PIECE === SLOTS_PER_PIECE - 1) yield
  }
  for (const segment of segments) segment.end = ends[segment.index]!
  return { slots, segments, written: segments.map(({ index }) => index) }
}

/** The entries of some slots as a block: those that still belong to the segment. */
export function segmentBlock(
  ids: ReplicaIds,
  partition: Partition,
  bits: number,
  slots: Uint32Array,
  index: number,
): Uint8Array {
  const { table } = partition.replica
  // Meanwhile a slot may have been given to another entry.
  const order = Array.from(slots).filter(
    (slot) => !table.isFree(slot) && segmentOf(table.keyHash(slot), bits) === index,
  )
  // Rows of one replica id in order of sequence share one record.
  order.sort((a, b) => table.writer(a) - table.writer(b) || table.sequence(a) - table.sequence(b))
  const block = new BlockWriter(ids)
  const row: Row = { key: '', hlc: 0, writer: 0, sequence: 0, replaced: 0, bytes: undefined, start: 0, end: 0 }
  for (const slot of order) {
    table.read(slot, row)
    block.row(partition.name, row)
  }
  return block.take()
}
