import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import type { Row } from '../entries/entry-table.ts'
import { scanStored } from '../entries/value-header.ts'
import { GridError, malformedBlock as malformed } from '../errors.ts'
import { HLC_MAX } from '../clock/hlc.ts'
import { rulesOf } from '../kinds/kinds.ts'
import { hasControls } from '../kinds/names.ts'
import { KEY_MAX_BYTES, NAME_MAX_BYTES, PARTITION_NUMBERS_MAX, VALUE_MAX_BYTES } from '../limits.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import { SEQUENCE_MAX } from '../limits.ts'

/**
 * A block is the content of a log blob, of a segment, of a broadcast frame and of a chunk of a session: records of rows and
 * records of superseded dots. So logged bytes can be sent as they are, and there is one decoder to trust.
 *
 *     block   = record*
 *     rows    = 1 collection replicaId count sequence hlc row*        sequence, hlc: of the first row
 *     row     = dSequence dHlc replaced key (length + 1 | 0) value    deltas to the previous row; 0: a tombstone
 *     dots    = 2 collection replicaId count (gap length)*            superseded dots
 *     floor   = 3 collection length floor                             in the log only: the purge floor rose
 *     drops   = 4 collection count (replicaId sequence key)*          in the log only: what a full resync dropped
 *     collection = name kind partition
 */

const ROWS = 1
const SUPERSEDED = 2
const FLOOR = 3
const DROPS = 4
const ROW_MIN_BYTES = 7

/** Names the partition of a record. */
export interface PartitionName {
  readonly collection: string
  /** Code of the collection's kind and mode, see `kinds.ts`. */
  readonly kind: number
  readonly partition: number
}

/** The name of a partition as one text. */
export function nameKey({ collection, kind, partition }: PartitionName): string {
  return `${kind} ${partition} ${collection}`
}

/** Rows of one replica id in one partition, in order of sequence number. */
export interface RowsRecord {
  readonly type: 'rows'
  readonly partition: PartitionName
  readonly replicaId: ReplicaId
  readonly rows: readonly Row[]
}

/** Superseded dots, which now count as seen: the row of each dot, or of a later version of its entry, was sent before. */
export interface SupersededRecord {
  readonly type: 'superseded'
  readonly partition: PartitionName
  readonly replicaId: ReplicaId
  /** Flat pairs [first, last, …], ascending. */
  readonly ranges: readonly number[]
}

/** The purge floor rose. In the own log only, never accepted from a peer. */
export interface FloorRecord {
  readonly type: 'floor'
  readonly partition: PartitionName
  readonly floor: Uint8Array
}

/** One entry by its key and dot. */
export interface EntryDot {
  readonly key: string
  readonly replicaId: ReplicaId
  readonly sequence: number
}

/** Entries that a full resync removed. In the own log only, never accepted from a peer. */
export interface DropsRecord {
  readonly type: 'drops'
  readonly partition: PartitionName
  readonly drops: readonly EntryDot[]
}

/** A record that peers send each other. */
export type BlockRecord = RowsRecord | SupersededRecord
/** A record of a peer's own log. */
export type LogRecord = BlockRecord | FloorRecord | DropsRecord

const CAPACITY_BYTES = 256

/** Writes a block. Consecutive rows share a record if they can. */
export class BlockWriter {
  readonly #ids: ReplicaIds
  // Most blocks are short, and new memory has to be filled with zeros.
  readonly #done = new ByteWriter(CAPACITY_BYTES)
  readonly #rows = new ByteWriter(CAPACITY_BYTES)
  #partition: PartitionName | undefined
  #writer = -1
  #firstSequence = 0
  #firstHlc = 0
  #sequence = 0
  #hlc = 0
  #count = 0
  #total = 0

  constructor(ids: ReplicaIds) {
    this.#ids = ids
  }

  /** Rows written since the last `take`. */
  get rowCount(): number {
    return this.#total
  }

  /** Bytes so far, without the header of the open record. */
  get length(): number {
    return this.#done.length + this.#rows.length
  }

  row(partition: PartitionName, row: Readonly<Row>): void {
    const follows =
      this.#count > 0 && this.#partition === partition && this.#writer === row.writer && row.sequence > this.#sequence
    if (!follows) this.#open(partition, row)
    const rows = this.#rows
    rows.varint(row.sequence - this.#sequence)
    rows.signedVarint(row.hlc - this.#hlc)
    rows.uint16(row.replaced)
    rows.text(row.key)
    if (row.bytes === undefined) rows.byte(0)
    else {
      rows.varint(row.end - row.start + 1)
      rows.raw(row.bytes, row.start, row.end)
    }
    this.#sequence = row.sequence
    this.#hlc = row.hlc
    this.#count += 1
    this.#total += 1
  }

  /** `ranges`: flat pairs [first, last, …], ascending. */
  superseded(partition: PartitionName, writer: number, ranges: readonly number[]): void {
    this.#closeRows()
    this.#header(SUPERSEDED, partition, writer)
    this.#done.varint(ranges.length / 2)
    let last = 0
    for (let i = 0; i < ranges.length; i += 2) {
      this.#done.varint(ranges[i]! - last)
      this.#done.varint(ranges[i + 1]! - ranges[i]!)
      last = ranges[i + 1]!
    }
  }

  floor(partition: PartitionName, floor: Uint8Array): void {
    this.#closeRows()
    this.#collection(FLOOR, partition)
    this.#done.varint(floor.length)
    this.#done.raw(floor)
  }

  drops(partition: PartitionName, drops: readonly EntryDot[]): void {
    this.#closeRows()
    this.#collection(DROPS, partition)
    this.#done.varint(drops.length)
    for (const { replicaId, sequence, key } of drops) {
      this.#done.replicaId(replicaId)
      this.#done.varint(sequence)
      this.#done.text(key)
    }
  }

  /** Appends a complete block. */
  block(bytes: Uint8Array): void {
    this.#closeRows()
    this.#done.raw(bytes)
  }

  /** Returns the block and starts a new one. */
  take(): Uint8Array {
    this.#closeRows()
    const bytes = this.#done.copy()
    this.#done.clear()
    this.#total = 0
    return bytes
  }

  #open(partition: PartitionName, row: Readonly<Row>): void {
    this.#closeRows()
    this.#partition = partition
    this.#writer = row.writer
    this.#firstSequence = this.#sequence = row.sequence
    this.#firstHlc = this.#hlc = row.hlc
  }

  #closeRows(): void {
    if (this.#count === 0) return
    this.#header(ROWS, this.#partition!, this.#writer)
    this.#done.varint(this.#count)
    this.#done.varint(this.#firstSequence)
    this.#done.varint(this.#firstHlc)
    this.#done.raw(this.#rows.take())
    this.#rows.clear()
    this.#count = 0
  }

  #header(type: number, partition: PartitionName, writer: number): void {
    this.#collection(type, partition)
    this.#done.replicaId(this.#ids.id(writer))
  }

  #collection(type: number, partition: PartitionName): void {
    this.#done.byte(type)
    this.#done.text(partition.collection)
    this.#done.byte(partition.kind)
    this.#done.varint(partition.partition)
  }
}

/** Further checks of a block. They run before any of its replica ids gets a number. */
export interface BlockChecks {
  readonly partition?: ((partition: PartitionName) => void) | undefined
  /** The rows of replica ids without a number have the writer -1. */
  readonly rows?: (record: RowsRecord) => void
  /** All records of the block. */
  readonly all?: ((records: readonly BlockRecord[]) => void) | undefined
}

/**
 * Decodes and checks a whole block, so that nothing is applied of a malformed one. Rows point into `bytes`, which must not
 * change afterwards. Values pass the CBOR scanner. New replica ids get numbers only after the whole block was checked. Throws `MESSAGE_MALFORMED`, or `REPLICA_ID_REFUSED` for more than `newIdsMax` without a number, and
 * whatever `checks` throw.
 */
export function readBlock(
  bytes: Uint8Array,
  ids: ReplicaIds,
  newIdsMax: number = Infinity,
  checks: BlockChecks = {},
): BlockRecord[] {
  const unknown = (type: number): never => {
    throw malformed(`unknown record ${type}`)
  }
  return readRecords(bytes, ids, newIdsMax, unknown, checks)
}

/** As `readBlock`, for a block of this peer's own log, which may have more types of records. */
export function readLog(bytes: Uint8Array, ids: ReplicaIds): LogRecord[] {
  return readRecords<LogRecord>(bytes, ids, Infinity, (type, reader) => {
    const partition = readPartition(reader)
    if (type === FLOOR) {
      const start = reader.skip(reader.varint())
      return { type: 'floor', partition, floor: reader.bytes.subarray(start, reader.position) }
    }
    if (type !== DROPS) throw malformed(`unknown record ${type}`)
    const drops: EntryDot[] = []
    for (let left = reader.count(10); left > 0; left--) {
      drops.push({ replicaId: reader.replicaId(), sequence: reader.varint(), key: reader.text(KEY_MAX_BYTES) })
    }
    return { type: 'drops', partition, drops }
  })
}

function readRecords<Record extends LogRecord>(
  bytes: Uint8Array,
  ids: ReplicaIds,
  newIdsMax: number,
  readOther: (type: number, reader: ByteReader) => Record,
  checks: BlockChecks = {},
): (Record | BlockRecord)[] {
  const reader = new ByteReader(bytes)
  const records: (Record | BlockRecord)[] = []
  const strangers = new Set<ReplicaId>()
  const unnumbered: RowsRecord[] = []
  while (reader.remaining > 0) {
    const type = reader.byte()
    if (type !== ROWS && type !== SUPERSEDED) {
      records.push(readOther(type, reader))
      continue
    }
    const partition = readPartition(reader)
    checks.partition?.(partition)
    const replicaId = reader.replicaId()
    const writer = ids.indexOf(replicaId)
    if (writer === undefined && strangers.add(replicaId).size > newIdsMax) {
      throw new GridError('REPLICA_ID_REFUSED', `a block with more than ${newIdsMax} new replica ids`)
    }
    if (type === SUPERSEDED) records.push({ type: 'superseded', partition, replicaId, ranges: readRanges(reader) })
    else {
      const record: RowsRecord = {
        type: 'rows',
        partition,
        replicaId,
        rows: readRows(reader, writer ?? -1, partition.kind, replicaId),
      }
      checks.rows?.(record)
      records.push(record)
      if (writer === undefined) unnumbered.push(record)
    }
  }
  // Only blocks with no other records are checked.
  checks.all?.(records as BlockRecord[])
  for (const replicaId of strangers) ids.intern(replicaId)
  for (const { replicaId, rows } of unnumbered) {
    const writer = ids.indexOf(replicaId)!
    for (const row of rows) row.writer = writer
  }
  return records
}

function readPartition(reader: ByteReader): PartitionName {
  const collection = reader.text(NAME_MAX_BYTES)
  const kind = reader.byte()
  const partition = reader.varint()
  if (collection === '') throw malformed('a collection without a name')
  if (hasControls(collection)) throw malformed('a collection whose name has control characters')
  if (partition >= PARTITION_NUMBERS_MAX) throw malformed(`partition ${partition}`)
  return { collection, kind, partition }
}

function readRows(reader: ByteReader, writer: number, kind: number, replicaId: string): Row[] {
  const count = reader.count(ROW_MIN_BYTES - 1)
  if (count === 0) throw malformed('a record without rows')
  const checkRow = rulesOf(kind)?.checkRow
  const rows: Row[] = []
  let sequence = reader.varint()
  let hlc = reader.varint()
  for (let i = 0; i < count; i++) {
    const step = reader.varint()
    if ((step === 0) !== (i === 0)) throw malformed('sequence numbers do not ascend')
    sequence += step
    hlc += reader.signedVarint()
    if (sequence < 1 || sequence > SEQUENCE_MAX) throw malformed(`sequence number ${sequence}`)
    if (hlc < 0 || hlc > HLC_MAX) throw malformed(`HLC reading ${hlc}`)
    const replaced = reader.uint16()
    const key = reader.text(KEY_MAX_BYTES)
    if (key === '') throw malformed('an empty key')
    const length = reader.varint() - 1
    if (length > VALUE_MAX_BYTES) throw malformed(`a value of ${length} bytes`)
    const row: Row = { key, hlc, writer, sequence, replaced, bytes: undefined, start: 0, end: 0 }
    if (length >= 0) {
      row.start = reader.skip(length)
      row.end = row.start + length
      row.bytes = reader.bytes
      scanStored(row.bytes, row.start, row.end)
    }
    checkRow?.(row, replicaId)
    rows.push(row)
  }
  return rows
}

function readRanges(reader: ByteReader): number[] {
  const count = reader.count(2)
  const ranges: number[] = []
  let last = 0
  for (let i = 0; i < count; i++) {
    const first = last + reader.varint()
    if (first <= last) throw malformed('superseded dots do not ascend')
    last = first + reader.varint()
    if (last > SEQUENCE_MAX) throw malformed(`superseded dot ${last}`)
    ranges.push(first, last)
  }
  return ranges
}
