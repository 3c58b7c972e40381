import { Allowances } from '../members/allowances.ts'
import { BlockWriter, readBlock } from '../wire/block.ts'
import type { BlockRecord, PartitionName, RowsRecord, SupersededRecord } from '../wire/block.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import type { Row } from '../entries/entry-table.ts'
import { GridError, malformedBlock } from '../errors.ts'
import type { GridErrorCode } from '../errors.ts'
import type { FullResync, FullResyncs } from './full-resync.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { Quarantine } from './quarantine.ts'
import type { HybridClock } from '../clock/hlc.ts'
import type { Instant } from '../instant.ts'
import { NEW_IDS_MAX, NEW_IDS_PER_SECOND } from '../limits.ts'
import type { LocalWrites } from '../writes/local-writes.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Membership } from '../members/membership.ts'
import { ADOPTED_REPLICA_ID } from '../versions/replica-ids.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { EVERYONE } from '../placement/placement.ts'
import { rowBelongs } from '../placement/row-partitions.ts'
import type { PeerId } from '../ports.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'

export interface InboundDeps {
  readonly membership: Membership
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
  readonly outbox: Outbox
  readonly time: Timekeeping
  readonly writes: LocalWrites
}

/** What a received chunk did. */
export interface Applied {
  readonly rows: number
  /** Some row was not applied. */
  readonly incomplete: boolean
}

/** What applying a block did. */
export interface InboundResult extends Applied {
  /** Replica ids with writes still missing below those received. */
  readonly gaps: boolean
}

export interface ApplyOptions {
  /** False leaves superseded dots out. */
  readonly superseded: boolean
  /** Partitions that are in a full resync, whose superseded dots wait for its end. */
  readonly resyncs?: FullResyncs
  /** The block was sent to this peer alone: no partition in it may be one that everyone holds. */
  readonly addressed?: boolean
}

/** The way that rows came: as a signed broadcast, straight from their writer, or in a session. */
export type Way = 'broadcast' | 'direct' | 'session'

/** What became of the rows that came one way, since opening. */
export interface RowCounts {
  /** They are the state of their entry now, or were until a later write. */
  applied: number
  /** News, but their entry had a later version already. */
  superseded: number
  /** Seen before. */
  repeated: number
}

/** What is to be applied of one record: rows, or superseded dots. */
interface Part {
  readonly partition: Partition
  readonly rows: readonly Row[]
  readonly superseded: SupersededRecord | undefined
}

interface Sifted {
  readonly parts: readonly Part[]
  /** Rows in the block, those left out included. */
  readonly rows: number
  /** Nothing was left out. */
  readonly whole: boolean
  /** Something was left out that other peers may have applied. */
  readonly incomplete: boolean
}

/** Applies what other peers wrote: the one way in for broadcast and for sessions alike. */
export class Inbound {
  readonly quarantine: Quarantine = new Quarantine()
  readonly rows: Readonly<Record<'broadcast' | 'session', RowCounts>> = {
    broadcast: { applied: 0, superseded: 0, repeated: 0 },
    session: { applied: 0, superseded: 0, repeated: 0 },
  }
  /** Rows that came dated too far ahead to be believed, each time they came. */
  refusedAhead = 0
  /** Ranges of superseded dots that brought news. */
  supersededRanges = 0
  /** Called with the HLC timestamp of every broadcast row that became visible here, to measure how long it took. */
  appeared: ((hlc: number) => void) | undefined
  readonly #collections: Collections
  readonly #ids: ReplicaIds
  readonly #clock: HybridClock
  readonly #newIds = new Allowances(NEW_IDS_MAX, NEW_IDS_PER_SECOND)
  readonly #deps: InboundDeps

  constructor(deps: InboundDeps) {
    this.#collections = deps.collections
    this.#ids = deps.ids
    this.#clock = deps.time.hybridClock
    this.#deps = deps
  }

  /**
   * Throws `MESSAGE_MALFORMED`, with nothing applied, when any part of the block is, and `REPLICA_ID_REFUSED` for more new
   * replica ids than the peer may bring, or for writes of this peer's own that it cannot make sense of yet.
   */
  apply(from: PeerId, way: Way, block: Uint8Array, options: ApplyOptions, now: Instant): InboundResult {
    // What is not taken stays unseen, and anti-entropy brings it again.
    if (this.#deps.commit.full) return { rows: 0, incomplete: true, gaps: false }
    const all = this.read(from, block, options.addressed === true, now)
    // Rows of what was dropped are passed over, and are missing nowhere.
    const { dropped } = this.#collections
    const records = all.filter((record) => !dropped.isDropped(record.partition))
    if (way === 'direct') this.#checkWriter(from, records)
    this.checkOwnDots(records, now)
    const sifted = this.#sift(from, records, options, now)
    let news = false
    let gaps = false
    for (const part of sifted.parts) {
      if (this.#applyPart(part, way, options.resyncs?.of(part.partition.name))) news = true
      const { replica } = part.partition
      if (part.rows.length > 0 && replica.vector.rangesAbove(part.rows[0]!.writer).length > 0) gaps = true
    }
    const isWhole = sifted.whole && records.length === all.length
    if (news) this.#deps.commit.remote(isWhole ? block : this.#write(sifted.parts))
    return { rows: sifted.rows, incomplete: sifted.incomplete, gaps }
  }

  /**
   * The records of a block. Throws as `apply` does. `addressed`: no partition in it may be one that everyone holds. `check` may
   * throw as well, with nothing taken.
   */
  read(
    from: PeerId,
    block: Uint8Array,
    addressed: boolean,
    now: Instant,
    check?: (records: readonly BlockRecord[]) => void,
  ): BlockRecord[] {
    const idsBefore = this.#ids.count
    const partition = addressed ? (name: PartitionName) => this.#checkAddressed(name) : undefined
    const checks = { partition, rows: checkRows, all: check }
    const records = readBlock(block, this.#ids, this.#newIds.left(from, now.monotonicMs), checks)
    this.#newIds.take(from, this.#ids.count - idsBefore, now.monotonicMs)
    return records
  }

  /**
   * A dot of this peer's replica id that it has not given out means that another peer uses the id; and so does a version
   * that this peer would hold, or a later one, had it written it itself: a lost end of the log that was written over. Throws `REPLICA_ID_REFUSED` while the id cannot be given up yet.
   */
  checkOwnDots(records: readonly BlockRecord[], now: Instant): void {
    const { writes } = this.#deps
    for (const record of records) {
      if (this.#ids.indexOf(record.replicaId) !== writes.identity.index) continue
      if (!this.#collections.placement.hasAllOwn(record.partition)) continue
      const reason = this.#foreignIn(record)
      if (reason === '') continue
      if (writes.cloned(`another peer has ${reason}`, now)) return
      // Applied now, they would take the place of writes that this peer is about to issue again.
      throw new GridError('REPLICA_ID_REFUSED', "writes of this peer's replica id, which it is about to give up")
    }
  }

  /**
   * Applies one record of rows that their writer sends to this peer's copy; nothing of it waits for its date. Says of each row what
   * became of it, `reused` if it is news under a dot that was seen before; undefined if the partition is not available.
   */
  takeRows(record: RowsRecord, now: Instant): ('taken' | 'ahead' | 'reused')[] | undefined {
    const located = this.#collections.locate(record.partition)
    if (!('replica' in located)) return undefined
    const wallMs = this.#deps.time.wallMs(now)
    const outcomes = record.rows.map((row) => {
      if (Quarantine.judge(row.hlc, wallMs) !== 'apply') return 'ahead'
      return located.replica.isNewsUnderSeenDot(row) ? 'reused' : 'taken'
    })
    const rows = record.rows.filter((_, place) => outcomes[place] !== 'ahead')
    const part = { partition: located, rows, superseded: undefined }
    this.#applyPart(part, 'direct')
    // Logged also if nothing is news: the row may have come before, and be on its way to the store.
    if (rows.length > 0) this.#deps.commit.remote(this.#write([part]))
    return outcomes
  }

  /** Whether a row that is read may be believed, going by its date. */
  isBelievable({ hlc }: Readonly<Row>, now: Instant): boolean {
    return Quarantine.judge(hlc, this.#deps.time.wallMs(now)) === 'apply'
  }

  /** The writer says which of its dots the rows supersede that it has sent. */
  takeSuperseded(record: SupersededRecord): void {
    const located = this.#collections.locate(record.partition)
    if (!('replica' in located)) return
    const part = { partition: located, rows: [], superseded: record }
    if (this.#applyPart(part, 'direct')) this.#deps.commit.remote(this.#write([part]))
  }

  /**
   * A frame that comes straight from a neighbour is not signed: it holds rows of one replica id, and not of one under which
   * another member writes.
   */
  #checkWriter(from: PeerId, records: readonly BlockRecord[]): void {
    const [first] = records
    if (first === undefined) return
    const foreign = records.some(({ type, replicaId }) => type !== 'rows' || replicaId !== first.replicaId)
    if (foreign) throw malformedBlock('a frame of several replica ids')
    const writer = this.#deps.membership.writerOf(first.replicaId)
    if (writer === undefined || writer === from) return
    throw new GridError('REPLICA_ID_REFUSED', `rows of the replica id under which ${writer} writes`)
  }

  /** Applies the quarantined rows whose time has come. */
  release(now: Instant): void {
    const due = this.quarantine.due(this.#deps.time.wallMs(now))
    if (due.length === 0) return
    const applied = new BlockWriter(this.#ids)
    for (const { from, partition: name, row } of due) {
      const partition = this.#partition(name, new Refusals(from, this.#deps.outbox))
      if (partition === undefined) continue
      partition.replica.merge(row)
      this.#clock.observe(row.hlc)
      applied.row(partition.name, row)
    }
    if (applied.rowCount > 0) this.#deps.commit.remote(applied.take())
  }

  /** Leaves out what must wait or is refused. Nearly every block passes whole, and is then logged as it came. */
  #sift(from: PeerId, records: readonly BlockRecord[], { superseded, resyncs }: ApplyOptions, now: Instant): Sifted {
    const parts: Part[] = []
    let rows = 0
    let whole = true
    let incomplete = false
    const refusals = new Refusals(from, this.#deps.outbox)
    for (const record of records) {
      // A collection comes into being with its first row, not with one that is refused.
      const dated = record.type === 'superseded' ? [] : this.#dated(record, refusals, now)
      if (record.type === 'rows') {
        rows += record.rows.length
        if (dated.length < record.rows.length) incomplete = true
        if (dated.length === 0) continue
      } else if (!superseded || incomplete || resyncs?.of(record.partition) !== undefined) {
        whole = false
        continue
      }
      const partition = this.#partition(record.partition, refusals)
      if (partition === undefined) incomplete = true
      else parts.push({ partition, rows: dated, superseded: record.type === 'superseded' ? record : undefined })
    }
    refusals.tell()
    return { parts, rows, whole: whole && !incomplete, incomplete }
  }

  /** True when anything was news. */
  #applyPart({ partition, rows, superseded }: Part, way: Way, resync?: FullResync): boolean {
    // It may be dropped by a row of the same block.
    if (partition.dropped) return false
    const { replica } = partition
    const counts = this.rows[way === 'session' ? 'session' : 'broadcast']
    const appeared = way === 'session' ? undefined : this.appeared
    let news = false
    for (const row of rows) {
      const seen = replica.vector.has(row.writer, row.sequence)
      const outcome = replica.merge(row)
      resync?.onRow(replica, row, outcome)
      this.#clock.observe(row.hlc)
      if (outcome === 'won') {
        counts.applied += 1
        if (!seen) appeared?.(row.hlc)
      } else if (seen) {
        counts.repeated += 1
        continue
      } else counts.superseded += 1
      news = true
    }
    if (superseded === undefined) return news
    // Superseded dots count as seen: their successors came before.
    const writer = this.#ids.intern(superseded.replicaId)
    for (let i = 0; i < superseded.ranges.length; i += 2) {
      if (!replica.vector.addRange(writer, superseded.ranges[i]!, superseded.ranges[i + 1]!)) continue
      this.supersededRanges += 1
      news = true
    }
    return news
  }

  #write(parts: readonly Part[]): Uint8Array {
    const writer = new BlockWriter(this.#ids)
    for (const { partition, rows, superseded } of parts) {
      for (const row of rows) writer.row(partition.name, row)
      if (superseded !== undefined)
        writer.superseded(partition.name, this.#ids.intern(superseded.replicaId), superseded.ranges)
    }
    return writer.take()
  }

  /** The rows that may be applied now, going by their dates. */
  #dated({ partition, rows }: RowsRecord, refusals: Refusals, now: Instant): readonly Row[] {
    const wallMs = this.#deps.time.wallMs(now)
    if (rows.every((row) => Quarantine.judge(row.hlc, wallMs) === 'apply')) return rows
    return rows.filter((row) => this.#admits(partition, row, refusals, wallMs))
  }

  /** False when a row must wait, or is refused, because of its date. */
  #admits(partition: PartitionName, row: Row, refusals: Refusals, wallMs: number): boolean {
    const dated = Quarantine.judge(row.hlc, wallMs)
    if (dated === 'apply') return true
    if (dated === 'hold') this.quarantine.hold(refusals.from, partition, row)
    else {
      this.refusedAhead += 1
      const what = `a write to '${partition.collection}'`
      refusals.add('CLOCK_AHEAD', `${what} is dated more than ten minutes ahead of this peer's clock`)
    }
    return false
  }

  #partition(name: PartitionName, refusals: Refusals): Partition | undefined {
    const located = this.#collections.locate(name)
    if ('replica' in located) return located
    refusals.add(located.code, located.reason)
    return undefined
  }

  /** Throws for a partition that everyone holds: its rows are broadcast, so that no peer sends each neighbour different ones. */
  #checkAddressed(partition: PartitionName): void {
    if (this.#collections.placement.audience(partition) !== EVERYONE) return
    throw new GridError('MESSAGE_MALFORMED', 'a frame on a stream')
  }

  /** What a record under this peer's own replica id has that it never wrote, or ''. */
  #foreignIn(record: BlockRecord): string {
    const replica = this.#collections.find(record.partition)?.replica
    const highest = record.type === 'rows' ? record.rows.at(-1)!.sequence : (record.ranges.at(-1) ?? 0)
    const given = replica?.vector.highest(this.#ids.indexOf(record.replicaId)!) ?? 0
    if (highest > given) return `writes of this replica id up to ${highest}`
    if (record.type === 'superseded' || replica === undefined) return ''
    const foreign = record.rows.find((row) => {
      // What lies below the floor may have been purged here, or deleted and purged elsewhere.
      if (replica.floor.has(row.writer, row.sequence)) return false
      const slot = replica.table.slotOf(row.key)
      return slot === undefined || replica.compare(row, slot) > 0
    })
    return foreign === undefined
      ? ''
      : `a write ${foreign.sequence} of this replica id that is not the one given out here`
  }
}

/** Throws `MESSAGE_MALFORMED` for a row that belongs to another partition, or that no peer has written. */
function checkRows({ partition, replicaId, rows }: RowsRecord): void {
  if (replicaId === ADOPTED_REPLICA_ID) throw malformedBlock('rows of no writer')
  if (isReplicated(partition)) return
  const stray = rows.find(({ key }) => !rowBelongs(partition, key))
  if (stray === undefined) return
  const where = `partition ${partition.partition} of '${partition.collection}'`
  throw malformedBlock(`a row in ${where} that belongs to another one`)
}

/** What was refused of one message without being an offence: reported once for each reason, however much it was. */
class Refusals {
  readonly from: PeerId
  readonly #outbox: Outbox
  readonly #counts = new Map<GridErrorCode, { readonly reason: string; count: number }>()

  constructor(from: PeerId, outbox: Outbox) {
    this.from = from
    this.#outbox = outbox
  }

  add(code: GridErrorCode, reason: string): void {
    const known = this.#counts.get(code)
    if (known === undefined) this.#counts.set(code, { reason, count: 1 })
    else known.count += 1
  }

  tell(): void {
    for (const [code, { reason, count }] of this.#counts) {
      const more = count > 1 ? `, and ${count - 1} more` : ''
      this.#outbox.event({ type: 'refused', from: this.from, error: new GridError(code, reason + more) })
    }
  }
}
