import { DotIndex } from '../entries/dot-index.ts'
import { EntryTable } from '../entries/entry-table.ts'
import type { Row } from '../entries/entry-table.ts'
import { Expiries } from './expiries.ts'
import { hasHeader, payloadOf } from '../entries/value-header.ts'
import { Floor } from '../versions/floor.ts'
import { addHash, fold32, mix32, subtractHash } from '../bytes/hash.ts'
import type { Hash64 } from '../bytes/hash.ts'
import { KINDS, isLaterRow } from '../kinds/kinds.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { compareValues, hasSameValue } from './value-order.ts'
import { VersionVector } from '../versions/version-vector.ts'
import type { DotRange } from '../versions/version-vector.ts'

/**
 * What merging a row did:
 * - `won`: the row is the entry's state now;
 * - `lost`: the entry has a larger version;
 * - `known`: the entry has this version already.
 */
export type MergeOutcome = 'won' | 'lost' | 'known'

/** `Row.replaced` of a write whose writer did not see the entry. A version whose short hash is the same is a rare accident. */
export const REPLACED_UNKNOWN = 0xffff

/** A version that lost a merge although the writer of the winner had not seen it. */
export interface Discarded {
  readonly key: string
  /** The encoded value that lost; undefined for a delete. */
  readonly value: Uint8Array | undefined
  readonly hlc: number
  readonly writer: number
}

/** See `Replica.observe`. */
export interface ReplicaObserver {
  /**
   * The value of an entry has changed or is gone. `previous` is the stored value before, undefined if there was none. If the
   * entry is removed, its slot is valid during the call only, and reads as deleted.
   */
  changed?(slot: number, previous: Uint8Array | undefined): void
  /** The same, for observers that do without the value before: it is read only for those that want it. */
  changedSlot?(slot: number): void
  /** A concurrent version lost a merge. */
  discarded?(discarded: Discarded): void
}

/**
 * One peer's copy of one partition: the entries, the dots seen, and the fingerprint. They always change together.
 * A replica is a join-semilattice: `merge` is commutative, associative and idempotent over (HLC, replica id, value hash).
 */
export class Replica {
  readonly table: EntryTable
  readonly vector: VersionVector = new VersionVector()
  /** Called with the key hash of every change: the checkpoint marks its segments by it. */
  touched: ((keyHash: number) => void) | undefined
  readonly #ids: ReplicaIds
  readonly #dots: DotIndex
  readonly #noFloor: Floor
  readonly #fingerprint: Hash64 = { high: 0, low: 0 }
  readonly #term: Hash64 = { high: 0, low: 0 }
  readonly #expiries: Expiries
  /** See `KindRules`. A remove has the HLC timestamp of the add that its writer saw. */
  readonly #addWins: boolean
  readonly #reportsConflicts: boolean
  #conflicts = 0
  /** Replaced, never changed, so that an observer may end while all are called. Merging is fastest while there are none. */
  #observers: readonly { readonly observer: ReplicaObserver }[] = []
  #keepsPrevious = false

  /** `seed` is the seed of the fingerprint. The peers of a grid share it. Entries that expire are added to `expiries`. */
  constructor(ids: ReplicaIds, seed: number, kind: CollectionKind = 'map', expiries: Expiries = new Expiries()) {
    this.#ids = ids
    this.#noFloor = Floor.empty(ids)
    this.#expiries = expiries
    const { addWins = false, hasCompositeKeys, reportsConflicts = false } = KINDS[kind]
    this.#addWins = addWins
    this.#reportsConflicts = reportsConflicts
    const table = new EntryTable(seed, hasCompositeKeys)
    this.table = table
    this.#dots = new DotIndex(
      (slot, writer, sequence) => table.sequence(slot) === sequence && table.writer(slot) === writer,
    )
  }

  /** Sum of the hashes of all entries: equal on two replicas that have the same versions of the same keys. */
  get fingerprint(): Readonly<Hash64> {
    return this.#fingerprint
  }

  /** Below it, tombstones are purged. */
  get floor(): Floor {
    return this.vector.floor ?? this.#noFloor
  }

  /** Concurrent versions that lost since the replica was opened. Best effort: see `Row.replaced`. */
  get conflicts(): number {
    return this.#conflicts
  }

  /** Calls `observer` for every change from now on, until the function that it returns is called. */
  observe(observer: ReplicaObserver): () => void {
    const observation = { observer }
    this.#setObservers([...this.#observers, observation])
    return () => {
      this.#setObservers(this.#observers.filter((each) => each !== observation))
    }
  }

  /** The value of a slot for readers: undefined for a tombstone and for a value that has expired. */
  read(slot: number, wallMs: number): Uint8Array | undefined {
    if (this.table.deleted(slot)) return undefined
    const bytes = this.table.value(slot)!
    if (!hasHeader(bytes, 0, bytes.length)) return bytes
    return this.table.expiresAtMs(slot) <= wallMs ? undefined : payloadOf(bytes)
  }

  /** The short hash of an entry's version, never 0; 0 if there is no entry. */
  versionHash(slot: number | undefined): number {
    if (slot === undefined) return 0
    return this.#shortHash(this.table.hlc(slot), this.table.writer(slot), this.table.sequence(slot))
  }

  /**
   * Applies a write of this peer. Its dot must be new. A write wins over what its writer sees: if the entry's HLC timestamp is
   * ahead of this peer's clock, the row gets the next one. A remove from a set gets the timestamp of the add that it removes.
   */
  write(row: Row): number {
    const keyHash = this.table.hashKey(row.key)
    const slot = this.table.find(row.key, keyHash)
    if (slot !== undefined) {
      const removes = this.#addWins && row.bytes === undefined && !this.table.deleted(slot)
      row.hlc = removes ? this.table.hlc(slot) : Math.max(row.hlc, this.table.hlc(slot) + 1)
    }
    row.replaced = this.versionHash(slot)
    this.vector.add(row.writer, row.sequence)
    return this.#put(slot, row, keyHash)
  }

  /** Whether merging a row would change its entry although its dot counts as seen: another row had the same dot. */
  isNewsUnderSeenDot(row: Readonly<Row>): boolean {
    if (!this.vector.has(row.writer, row.sequence) || this.floor.has(row.writer, row.sequence)) return false
    const slot = this.table.slotOf(row.key)
    return slot === undefined || this.compare(row, slot) > 0
  }

  /** Merges a row of another peer and marks its dot as seen. A row that was purged here is ignored. */
  merge(row: Readonly<Row>): MergeOutcome {
    return this.#merge(row, this.vector.floor)
  }

  /** Merges a row of this peer's own store. A row below the floor was not purged, since the store has it. */
  restore(row: Readonly<Row>): void {
    this.#merge(row, undefined)
  }

  #merge(row: Readonly<Row>, floor: Floor | undefined): MergeOutcome {
    const keyHash = this.table.hashKey(row.key)
    const slot = this.table.find(row.key, keyHash)
    const news = this.vector.add(row.writer, row.sequence)
    const order = slot === undefined ? 1 : this.compare(row, slot)
    if (order === 0) return 'known'
    if (order > 0) {
      // The dot is below the purge floor, so this peer once had it. No entry now means it was deleted and purged: not news.
      if (!news && floor?.has(row.writer, row.sequence) === true) return 'known'
      if (slot !== undefined) this.#noteReplaced(slot, row)
      this.#put(slot, row, keyHash)
      return 'won'
    }
    // Several neighbours may send the same row. Its conflict is reported once.
    if (news) this.#noteRefused(slot!, row)
    return 'lost'
  }

  /** Above 0 if the row's version is larger than the slot's, 0 if they are the same. */
  compare(row: Readonly<Row>, slot: number): number {
    const { table } = this
    const byTime = row.hlc - table.hlc(slot)
    if (byTime !== 0) return byTime
    if (this.#addWins) {
      const byRemove = (row.bytes === undefined ? 1 : 0) - (table.deleted(slot) ? 1 : 0)
      if (byRemove !== 0) return byRemove
    }
    if (row.writer !== table.writer(slot)) {
      return this.#ids.id(row.writer) > this.#ids.id(table.writer(slot)) ? 1 : -1
    }
    // Same HLC, same replica id: the same write, unless a replica id was cloned. Then the value decides, so that peers converge.
    if (row.sequence !== table.sequence(slot)) return row.sequence - table.sequence(slot)
    return compareValues(row, table, slot)
  }

  /** See `isLaterRow`. */
  isLater(row: Readonly<Row>, slot: number): boolean {
    return isLaterRow(this.#addWins, row, { hlc: this.table.hlc(slot), isRemoved: this.table.deleted(slot) })
  }

  /** Visits the slots of the dots in `ranges`, oldest first for each replica id, until `visit` returns false. */
  visitDots(ranges: readonly DotRange[], visit: (slot: number) => boolean): boolean {
    let going = true
    for (const range of ranges) {
      this.#dots.visit(range.writer, range.first, range.last, (slot) => (going = visit(slot)))
      if (!going) return false
    }
    return true
  }

  /**
   * The dots to send to a peer that has seen `known`. If it stands on another floor, dots below this peer's floor that still
   * have an entry are among them.
   */
  owed(known: VersionVector): DotRange[] {
    const owed = this.vector.missingIn(known)
    const { floor } = this
    if (floor.isEmpty || floor.hash === known.floor?.hash) return owed
    for (const writer of this.#dots.writers()) {
      const seen = this.vector.isRetired(writer) ? floor.seenOf(writer) : undefined
      if (seen !== undefined) owed.push(...known.unseenOf(writer, seen))
    }
    return owed
  }

  /** The rows whose dots `vector` has not seen, up to `countMax`. */
  deltaSince(vector: VersionVector, countMax: number = Infinity): Row[] {
    const rows: Row[] = []
    this.visitDots(this.owed(vector), (slot) => {
      rows.push(this.row(slot))
      return rows.length < countMax
    })
    return rows
  }

  /** The entry of a slot as a row. The value is a view. */
  row(slot: number): Row {
    const row: Row = { key: '', hlc: 0, writer: 0, sequence: 0, replaced: 0, bytes: undefined, start: 0, end: 0 }
    this.table.read(slot, row)
    return row
  }

  /**
   * Issues a write again under another dot and keeps its HLC timestamp, because its replica id is given up. `bytes` is its new
   * value, if the value names the replica id.
   */
  redot(slot: number, writer: number, sequence: number, bytes?: Uint8Array): void {
    if (bytes !== undefined) {
      this.restamp(slot, { writer, sequence, bytes, start: 0, end: bytes.length })
      return
    }
    this.#sum(slot, subtractHash)
    this.table.redot(slot, writer, sequence)
    this.#sum(slot, addHash)
    this.vector.add(writer, sequence)
    this.#dots.add(writer, sequence, slot)
    this.touched?.(this.table.keyHash(slot))
  }

  /**
   * Adopts a larger floor and purges below it. All dots below it must have been seen here. Peers that stand on one floor
   * purge the same entries.
   */
  raiseFloor(floor: Floor): void {
    this.vector.raiseTo(floor)
    this.purge()
  }

  /** Removes the tombstones below the floor, and the entries below it that had expired by its date. */
  purge(): void {
    const { floor, table } = this
    if (floor.isEmpty) return
    for (const slot of table.slots()) if (this.#isPurgeable(slot, floor)) this.drop(slot)
  }

  /** Removes an entry, without a tombstone. Its dot stays seen. */
  drop(slot: number): void {
    const { table } = this
    this.#sum(slot, subtractHash)
    this.touched?.(table.keyHash(slot))
    const wasThere = !table.deleted(slot)
    const previous = wasThere ? this.#valueForObservers(slot) : undefined
    table.bury(slot)
    if (wasThere) this.#changed(slot, previous)
    table.remove(slot)
    table.compactIfWanted()
  }

  #isPurgeable(slot: number, floor: Floor): boolean {
    const { table } = this
    // The date of expiry decides, swept or not, so that peers with different clocks purge the same entries.
    const gone = table.isTombstone(slot) || table.expiresAtMs(slot) <= floor.dateMs
    return gone && floor.has(table.writer(slot), table.sequence(slot))
  }

  /** Drops the value of an entry that has expired, and queues one that expires later again. */
  expire(slot: number, wallMs: number): void {
    const { table } = this
    const expiresAtMs = table.expiresAtMs(slot)
    if (table.isFree(slot) || table.deleted(slot)) return
    if (expiresAtMs > wallMs) {
      this.#expiries.add(this, slot, expiresAtMs)
      return
    }
    const previous = this.#valueForObservers(slot)
    table.sweep(slot)
    table.compactIfWanted()
    this.touched?.(table.keyHash(slot))
    this.#changed(slot, previous)
  }

  /** Gives an entry another version, also a smaller one, and what else is to change. No other peer may have the old version. */
  restamp(slot: number, change: Partial<Row> & Pick<Row, 'sequence'>): void {
    const row = { ...this.row(slot), ...change }
    this.vector.add(row.writer, row.sequence)
    this.#put(slot, row, this.table.keyHash(slot))
  }

  #put(slot: number | undefined, row: Readonly<Row>, keyHash: number): number {
    const { table } = this
    const previous = slot === undefined ? undefined : this.#valueForObservers(slot)
    if (slot !== undefined) this.#sum(slot, subtractHash)
    const target = table.put(slot, row, keyHash)
    this.#sum(target, addHash)
    this.#dots.add(row.writer, row.sequence, target)
    if (row.bytes !== undefined && hasHeader(row.bytes, row.start, row.end)) {
      if (!table.deleted(target)) this.#expiries.add(this, target, table.expiresAtMs(target))
    }
    table.compactIfWanted()
    this.touched?.(keyHash)
    this.#changed(target, previous)
    return target
  }

  #setObservers(observers: readonly { readonly observer: ReplicaObserver }[]): void {
    this.#observers = observers
    this.#keepsPrevious = observers.some(({ observer }) => observer.changed !== undefined)
  }

  /** The value of a slot; undefined if no observer wants it, because reading it has a cost. */
  #valueForObservers(slot: number): Uint8Array | undefined {
    return this.#keepsPrevious ? this.table.value(slot) : undefined
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    for (const { observer } of this.#observers) {
      observer.changed?.(slot, previous)
      observer.changedSlot?.(slot)
    }
  }

  #discarded(discarded: Discarded): void {
    this.#conflicts += 1
    for (const { observer } of this.#observers) observer.discarded?.(discarded)
  }

  #sum(slot: number, operation: (sum: Hash64, term: Hash64) => void): void {
    this.table.hashSlot(slot, this.#ids.hash(this.table.writer(slot)), this.#term)
    operation(this.#fingerprint, this.#term)
  }

  #shortHash(hlc: number, writer: number, sequence: number): number {
    const h = fold32(fold32(fold32(this.#ids.hash(writer), sequence), hlc % 4294967296), (hlc / 4294967296) | 0)
    return mix32(h) & 0xffff || 1
  }

  /** The row wins over the slot. Reports a conflict if the loser was concurrent: best effort, as versions in between may be missing. */
  #noteReplaced(slot: number, row: Readonly<Row>): void {
    const { table } = this
    if (!this.#reportsConflicts || table.writer(slot) === row.writer) return
    if (row.replaced === REPLACED_UNKNOWN || row.replaced === this.versionHash(slot)) return
    if (hasSameValue(row, table, slot)) return
    this.#discarded({
      key: row.key,
      value: table.value(slot),
      hlc: table.hlc(slot),
      writer: table.writer(slot),
    })
  }

  /** The slot wins over the row. Reports a conflict if the row was concurrent and not just late. */
  #noteRefused(slot: number, row: Readonly<Row>): void {
    const { table } = this
    if (!this.#reportsConflicts || table.writer(slot) === row.writer) return
    if (row.replaced === REPLACED_UNKNOWN || table.replaced(slot) === REPLACED_UNKNOWN) return
    if (table.replaced(slot) === this.#shortHash(row.hlc, row.writer, row.sequence)) return
    if (hasSameValue(row, table, slot)) return
    const value = row.bytes?.subarray(row.start, row.end)
    this.#discarded({ key: row.key, value, hlc: row.hlc, writer: row.writer })
  }
}
