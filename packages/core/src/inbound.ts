import type { Applied } from './anti-entropy.ts'
import { BlockWriter, readBlock } from './block.ts'
import type { BlockRecord, PartitionName, RowsRecord, VoidsRecord } from './block.ts'
import type { Collections } from './collections.ts'
import type { Row } from './entry-table.ts'
import { GridError } from './errors.ts'
import { HeldRows } from './held-rows.ts'
import type { HybridClock } from './hlc.ts'
import type { Instant } from './instant.ts'
import type { ReplicaIds } from './replica-ids.ts'
import type { PeerId } from './ports.ts'

export interface InboundOwner {
  /** A block of which something was new: to be logged. */
  log(block: Uint8Array): void
  /** Rows under this peer's own replica id that it never wrote: the id is in use elsewhere. */
  cloned(reason: string): void
  refused(from: PeerId, error: GridError): void
  /** Whether a replica id is this peer's own. */
  isOwn(replica: number): boolean
}

/** What applying a block did. */
export interface InboundResult extends Applied {
  /** Replica ids with writes still missing below those received. */
  readonly gaps: boolean
}

/** Applies what other peers wrote: the one way in for broadcast and for sessions alike. */
export class Inbound {
  readonly held: HeldRows = new HeldRows()
  readonly #collections: Collections
  readonly #ids: ReplicaIds
  readonly #clock: HybridClock
  readonly #owner: InboundOwner

  constructor(collections: Collections, ids: ReplicaIds, clock: HybridClock, owner: InboundOwner) {
    this.#collections = collections
    this.#ids = ids
    this.#clock = clock
    this.#owner = owner
  }

  /** Throws `MESSAGE_MALFORMED`, with nothing applied, when any part of the block is. */
  apply(from: PeerId, block: Uint8Array, voids: boolean, now: Instant): InboundResult {
    const records = readBlock(block, this.#ids)
    this.#checkOwnDots(records)
    const applied = new BlockWriter(this.#ids)
    let rows = 0
    let news = false
    let incomplete = false
    let gaps = false
    for (const record of records) {
      if (record.type === 'voids') {
        if (voids && !incomplete) news = this.applyVoids(record, applied) || news
        continue
      }
      const result = this.#applyRows(from, record, applied, now)
      rows += record.rows.length
      news ||= result.news
      incomplete ||= result.incomplete
      gaps ||= result.gaps
    }
    if (news) this.#owner.log(incomplete || !voids ? applied.take() : block)
    return { rows, incomplete, gaps }
  }

  /** Applies the held rows whose time has come. */
  release(now: Instant): void {
    const due = this.held.due(now.wallMs)
    if (due.length === 0) return
    const applied = new BlockWriter(this.#ids)
    for (const { partition, row } of due) {
      this.#collections.partition(partition).replica.merge(row)
      this.#clock.observe(row.hlc)
      applied.row(partition, row)
    }
    this.#owner.log(applied.take())
  }

  /** Counts void dots as seen: their successors came before. True when any was news. */
  applyVoids(record: VoidsRecord, applied: BlockWriter): boolean {
    const { vector } = this.#collections.partition(record.partition).replica
    const replica = this.#ids.intern(record.replicaId)
    let news = false
    for (let i = 0; i < record.ranges.length; i += 2) {
      news = vector.addRange(replica, record.ranges[i]!, record.ranges[i + 1]!) || news
    }
    applied.voids(record.partition, replica, record.ranges)
    return news
  }

  #applyRows(
    from: PeerId,
    record: RowsRecord,
    applied: BlockWriter,
    now: Instant,
  ): { news: boolean; incomplete: boolean; gaps: boolean } {
    const partition = this.#partition(from, record.partition)
    if (partition === undefined) return { news: false, incomplete: true, gaps: false }
    const { replica, name } = partition
    let news = false
    let incomplete = false
    for (const row of record.rows) {
      if (!this.#dated(from, name, row, now)) {
        incomplete = true
        continue
      }
      const seen = replica.vector.has(row.replica, row.sequence)
      const outcome = replica.merge(row)
      this.#clock.observe(row.hlc)
      if (outcome === 'won' || !seen) {
        news = true
        applied.row(name, row)
      }
    }
    const writer = this.#ids.intern(record.replicaId)
    return { news, incomplete, gaps: replica.vector.rangesAbove(writer).length > 0 }
  }

  /** False when a row must wait, or is refused, because of its date. */
  #dated(from: PeerId, partition: PartitionName, row: Row, now: Instant): boolean {
    const dated = HeldRows.judge(row.hlc, now.wallMs)
    if (dated === 'apply') return true
    if (dated === 'hold') this.held.hold(partition, row)
    else {
      const message = `a write to '${partition.collection}' is dated more than ten minutes ahead of this peer's clock`
      this.#owner.refused(from, new GridError('CLOCK_AHEAD', message))
    }
    return false
  }

  #partition(from: PeerId, name: PartitionName): ReturnType<Collections['partition']> | undefined {
    try {
      return this.#collections.partition(name)
    } catch (error) {
      if (!(error instanceof GridError)) throw error
      this.#owner.refused(from, error)
      return undefined
    }
  }

  /** A dot of this peer's replica id that it has not given out means that somebody else uses the id. */
  #checkOwnDots(records: readonly BlockRecord[]): void {
    for (const record of records) {
      if (record.type === 'voids') continue
      const writer = this.#ids.intern(record.replicaId)
      if (!this.#owner.isOwn(writer)) continue
      const highest = record.rows.at(-1)!.sequence
      const vector = this.#collections.get(record.partition.collection)?.partitions[record.partition.partition]?.replica.vector
      if (highest > (vector?.highest(writer) ?? 0)) {
        this.#owner.cloned(`another peer has writes of this replica id up to ${highest}`)
        return
      }
    }
  }
}
