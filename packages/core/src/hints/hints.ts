import { withOwnBytes } from '../entries/entry-table.ts'
import type { Row } from '../entries/entry-table.ts'
import { entryKeyOf } from '../kinds/kinds.ts'
import {
  HINTS_MAX_BYTES,
  HINTS_OF_PEERS_MAX_BYTES,
  HINTS_OF_PEER_MAX_BYTES,
  HINT_COST_BYTES,
  HINT_RANGES_MAX,
} from '../limits.ts'
import type { PeerId, StorageOperation } from '../ports.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter, nameKey } from '../wire/block.ts'
import type { BlockRecord, PartitionName } from '../wire/block.ts'
import { HINT_PREFIX } from '../storage/opening.ts'

/** A row that the owners of its partition have not confirmed yet. */
export interface Hint {
  readonly name: PartitionName
  /** It has its bytes for itself. */
  readonly row: Readonly<Row>
  /** Sequence numbers of earlier rows of the same writer and key, which this one supersedes: flat pairs [first, last, …]. */
  readonly supersedes: readonly number[]
  /** The peer that gave the row to this one to pass on; undefined for a write of this peer. */
  readonly from: PeerId | undefined
  readonly sinceMs: number
  /** Peers that have it durably in a copy of the partition. */
  readonly storedBy: Set<PeerId>
  /** Peers that have it durably, to pass it on. */
  readonly keptBy: Set<PeerId>
}

/** What the store has under one key. */
interface Stored {
  readonly key: string
  /** Hints in it that have not ended. */
  left: number
}

export interface HintsDeps {
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
}

/** The key of the blob with this number; keys sort as their numbers do. */
function hintKey(number: number): string {
  return HINT_PREFIX + String(number).padStart(15, '0')
}

/**
 * Rows for partitions of which this peer has no whole copy: its own writes, and rows that others gave it to pass on. They are
 * stored beside the log, and stay until the owners have confirmed them. No copy of the partition has to be here for that.
 */
export class Hints {
  readonly #deps: HintsDeps
  readonly #open: BlockWriter
  readonly #opened: Hint[] = []
  readonly #hints = new Map<string, Hint>()
  /** By partition and key. */
  readonly #byMain = new Map<string, Map<string, Set<Hint>>>()
  readonly #stored = new Map<Hint, Stored>()
  readonly #bytesOf = new Map<PeerId, number>()
  readonly #takeOpen = (): readonly StorageOperation[] => {
    this.#hasOwnOpen = false
    return this.#close()
  }
  /** Own writes are open, and will be stored with all that is. */
  #hasOwnOpen = false
  #nextNumber = 1
  #bytes = 0
  #bytesOfPeers = 0
  /** Keys of the store of which every hint has ended. */
  #spent: string[] = []

  constructor(deps: HintsDeps) {
    this.#deps = deps
    this.#open = new BlockWriter(deps.ids)
  }

  get count(): number {
    return this.#hints.size
  }

  /** Memory of this peer's own hints. */
  get ownBytes(): number {
    return this.#bytes - this.#bytesOfPeers
  }

  /** No further write of this peer finds room. */
  get full(): boolean {
    return this.ownBytes > HINTS_MAX_BYTES
  }

  /** Whether a peer may give this one a row of so many bytes to pass on. */
  hasRoomFor(from: PeerId, row: Readonly<Row>): boolean {
    const bytes = costOf(row)
    if (this.#bytesOfPeers + bytes > HINTS_OF_PEERS_MAX_BYTES) return false
    return (this.#bytesOf.get(from) ?? 0) + bytes <= HINTS_OF_PEER_MAX_BYTES
  }

  [Symbol.iterator](): IterableIterator<Hint> {
    return this.#hints.values()
  }

  /** Whether it has not ended. */
  has(hint: Hint): boolean {
    return this.#hints.get(keyOf(hint.name, hint.row)) === hint
  }

  /** The hint that has the row of a writer, or a later one of the same key. */
  of(name: PartitionName, row: Pick<Row, 'key' | 'writer'>): Hint | undefined {
    return this.#hints.get(keyOf(name, row))
  }

  /** The rows of a key that are hints here; of a kind with composite keys, all that have it as first part. */
  rowsOf(name: PartitionName, main: string): Readonly<Row>[] {
    const rows: Readonly<Row>[] = []
    for (const hint of this.#byMain.get(nameKey(name))?.get(main) ?? []) rows.push(hint.row)
    return rows
  }

  /** The keys of a partition that have hints here. */
  keysOf(name: PartitionName): Iterable<string> {
    return this.#byMain.get(nameKey(name))?.keys() ?? []
  }

  /** Takes a write of this peer. It is durable with the `durable` event of its `writeId`. */
  write(name: PartitionName, row: Row, writeId: number, nowMs: number): Hint {
    const hint = this.#add(name, row, undefined, nowMs)
    this.#log(hint)
    this.#hasOwnOpen = true
    this.#deps.commit.aside(this.#takeOpen, writeId)
    return hint
  }

  /**
   * Takes a row that another peer gives to this one to pass on; undefined if it has that already. Durable when everything taken
   * so far is, after `store`.
   */
  keep(from: PeerId, name: PartitionName, row: Row, nowMs: number): Hint | undefined {
    const known = this.#hints.get(keyOf(name, row))
    if (known !== undefined && known.row.sequence >= row.sequence) return undefined
    const hint = this.#add(name, row, from, nowMs)
    this.#log(hint)
    return hint
  }

  /** Stores what `keep` took. What is open of this peer goes with it, and is not called durable before. */
  store(): void {
    if (this.#opened.length > 0 && !this.#hasOwnOpen) this.#deps.commit.operations(this.#close())
  }

  /** Goes on with what an earlier life has stored. Who gave a row to this peer is not known any more. */
  restore(key: string, records: readonly BlockRecord[], nowMs: number): void {
    this.#nextNumber = Math.max(this.#nextNumber, Number(key.slice(HINT_PREFIX.length)) + 1)
    // A later row of a key takes the place of the one before, in the same blob too: it is not spent before all of it was read.
    const stored: Stored = { key, left: 1 }
    for (const [place, record] of records.entries()) {
      if (record.type !== 'rows') continue
      for (const row of record.rows) {
        const known = this.#hints.get(keyOf(record.partition, row))
        if (known !== undefined && known.row.sequence >= row.sequence) continue
        // What a row supersedes follows it.
        const next = row === record.rows.at(-1) ? records[place + 1] : undefined
        const hint = this.#add(record.partition, row, undefined, nowMs, next?.type === 'superseded' ? next.ranges : [])
        this.#stored.set(hint, stored)
        stored.left += 1
      }
    }
    stored.left -= 1
    if (stored.left === 0) this.#spent.push(key)
  }

  /** The same write under another dot. Durable when everything taken so far is, after `store`. */
  replace(hint: Hint, row: Row): Hint {
    this.end(hint)
    const replaced = this.#add(hint.name, row, hint.from, hint.sinceMs)
    this.#log(replaced)
    return replaced
  }

  /** It is no longer needed here. */
  end(hint: Hint): void {
    if (!this.has(hint)) return
    this.#hints.delete(keyOf(hint.name, hint.row))
    this.#forget(hint)
  }

  /** Deletes from the store what is no longer needed. */
  tick(): void {
    if (this.#spent.length === 0) return
    this.#deps.commit.later(this.#spent.map((key) => ({ type: 'delete', key })))
    this.#spent = []
  }

  /** A later row of the same writer and key takes the place of the one before, which no peer needs any more. */
  #add(name: PartitionName, row: Row, from: PeerId | undefined, sinceMs: number, stored: readonly number[] = []): Hint {
    const key = keyOf(name, row)
    const before = this.#hints.get(key)
    const own = withOwnBytes(row)
    const hint: Hint = {
      name,
      row: own,
      supersedes:
        before === undefined || stored.length > 0 ? stored : withSequence(before.supersedes, before.row.sequence),
      from,
      sinceMs,
      storedBy: new Set(),
      keptBy: new Set(),
    }
    if (before !== undefined) this.#forget(before)
    this.#hints.set(key, hint)
    this.#index(hint)
    this.#count(hint, costOf(hint.row) + costOfRanges(hint))
    return hint
  }

  #index(hint: Hint): void {
    const [partition, main] = placeOf(hint)
    const ofPartition = this.#byMain.get(partition) ?? new Map<string, Set<Hint>>()
    this.#byMain.set(partition, ofPartition)
    const ofMain = ofPartition.get(main)
    if (ofMain === undefined) ofPartition.set(main, new Set([hint]))
    else ofMain.add(hint)
  }

  #log(hint: Hint): void {
    if (!this.#deps.commit.persistent) return
    this.#open.row(hint.name, hint.row)
    if (hint.supersedes.length > 0) this.#open.superseded(hint.name, hint.row.writer, hint.supersedes)
    this.#opened.push(hint)
  }

  #close(): readonly StorageOperation[] {
    if (this.#opened.length === 0) return []
    const stored: Stored = { key: hintKey(this.#nextNumber++), left: 0 }
    for (const hint of this.#opened) {
      if (!this.has(hint)) continue
      this.#stored.set(hint, stored)
      stored.left += 1
    }
    this.#opened.length = 0
    const bytes = this.#open.take()
    if (stored.left === 0) return []
    return [{ type: 'put', key: stored.key, bytes }]
  }

  #forget(hint: Hint): void {
    this.#count(hint, -costOf(hint.row) - costOfRanges(hint))
    const [partition, main] = placeOf(hint)
    const ofPartition = this.#byMain.get(partition)
    const ofMain = ofPartition?.get(main)
    ofMain?.delete(hint)
    if (ofMain?.size === 0) ofPartition?.delete(main)
    if (ofPartition?.size === 0) this.#byMain.delete(partition)
    const stored = this.#stored.get(hint)
    if (stored === undefined) return
    this.#stored.delete(hint)
    stored.left -= 1
    if (stored.left === 0) this.#spent.push(stored.key)
  }

  #count({ from }: Hint, bytes: number): void {
    this.#bytes += bytes
    if (from === undefined) return
    this.#bytesOfPeers += bytes
    const left = (this.#bytesOf.get(from) ?? 0) + bytes
    if (left > 0) this.#bytesOf.set(from, left)
    else this.#bytesOf.delete(from)
  }
}

function keyOf(name: PartitionName, { writer, key }: Pick<Row, 'key' | 'writer'>): string {
  return `${nameKey(name)} ${writer} ${key}`
}

function placeOf({ name, row }: Hint): [partition: string, main: string] {
  return [nameKey(name), entryKeyOf(name.kind, row.key)]
}

function costOf({ key, start, end }: Readonly<Row>): number {
  return HINT_COST_BYTES + 2 * key.length + end - start
}

function costOfRanges({ supersedes }: Hint): number {
  return 8 * supersedes.length
}

/** `ranges` with one more sequence number, which is above all of them. If they are too many, the oldest are left out. */
function withSequence(ranges: readonly number[], sequence: number): number[] {
  if (ranges.at(-1) === sequence - 1) return [...ranges.slice(0, -1), sequence]
  return [...ranges.slice(-2 * (HINT_RANGES_MAX - 1)), sequence, sequence]
}
