import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import { isLaterRow, rulesOf } from '../kinds/kinds.ts'
import { WRITE_AUDIENCE_MAX, WRITE_ROWS_MAX } from '../limits.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { Inbound } from '../replication/inbound.ts'
import { Quarantine } from '../replication/quarantine.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { PEER_ID_LENGTH_MAX, isFieldText } from '../wire/fields.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import { NO_REPLICA_ID } from '../versions/replica-ids.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { BlockRecord, RowsRecord } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'
import type { LocalWrites } from '../writes/local-writes.ts'
import type { HintDelivery } from './hint-delivery.ts'
import { distinctParts } from './hint-delivery.ts'
import type { Hints } from './hints.ts'
import { RowOutcome } from './row-outcomes.ts'
import type { WriterId } from './writer-id.ts'

export type WriteMessage = Extract<Message, { readonly type: 'write' }>

const OUTCOMES = { taken: RowOutcome.STORED, ahead: RowOutcome.AHEAD, reused: RowOutcome.REUSED } as const

export interface IncomingWritesDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly delivery: HintDelivery
  readonly hints: Hints
  readonly ids: ReplicaIds
  readonly inbound: Inbound
  readonly outbox: Outbox
  readonly peerId: PeerId
  readonly placement: Rendezvous
  readonly time: Timekeeping
  readonly writer: WriterId
  readonly writes: LocalWrites
}

/**
 * Takes rows that their writers send to this peer for its copies. It confirms a row once the row itself is durable here, or a
 * later version of its entry is: that its dot counts as seen would say less. A row for a partition that this peer has no copy
 * of is kept and passed on: no single row is refused for who owns what, since views of that may differ.
 */
export class IncomingWrites {
  readonly #deps: IncomingWritesDeps

  constructor(deps: IncomingWritesDeps) {
    this.#deps = deps
  }

  /** Throws `MESSAGE_MALFORMED` and `REPLICA_ID_REFUSED` as frames do, with nothing taken. */
  asked(from: PeerId, { request, view, reissue: mayIssue, block }: WriteMessage, now: Instant): void {
    const { commit, hints, inbound, outbox, placement } = this.#deps
    const reissue = mayIssue === true
    const records = inbound.read(from, block, true, now, (read) => check(read, reissue))
    const rows = rowsOf(records)
    const parts = distinctParts(rows.map((record) => ({ name: record.partition, row: record.rows[0]! })))
    const heads = parts.map(
      ({ name, row }) => this.#deps.collections.find(name)?.replica.vector.highest(row.writer) ?? 0,
    )
    inbound.checkOwnDots(records, now)
    const outcomes: RowOutcome[] = []
    for (const record of records) {
      if (record.type === 'rows') outcomes.push(...this.#take(from, record, reissue, now))
      // What a row supersedes follows it.
      else if (!reissue && isStored(outcomes.at(-1))) inbound.takeSuperseded(record)
    }
    hints.store()
    const audience = view === placement.view ? {} : { audience: this.#audienceOf(parts.map(({ name }) => name)) }
    const answer = { type: 'written', request, outcomes: Uint8Array.from(outcomes), heads, ...audience } as const
    commit.whenDurable(() => outbox.send(from, answer))
  }

  #take(from: PeerId, record: RowsRecord, reissue: boolean, now: Instant): RowOutcome[] {
    const { collections, commit, placement } = this.#deps
    const all = (outcome: RowOutcome): RowOutcome[] => record.rows.map(() => outcome)
    const name = record.partition
    if (commit.full) return all(RowOutcome.FULL)
    const { dropped } = collections
    if (dropped.isDropped(name)) return all(RowOutcome.REFUSED)
    if (reissue) return record.rows.map((row) => this.#issue(record, row, now))
    if (!placement.holds(name)) return record.rows.map((row) => this.#keep(from, record, row, now))
    const taken = this.#deps.inbound.takeRows(record, now)
    if (taken === undefined) return all(RowOutcome.REFUSED)
    return taken.map((each) => OUTCOMES[each])
  }

  #keep(from: PeerId, { partition: name }: RowsRecord, row: Row, now: Instant): RowOutcome {
    const { commit, delivery, hints, time } = this.#deps
    if (Quarantine.judge(row.hlc, time.wallMs(now)) !== 'apply') return RowOutcome.AHEAD
    if (!commit.persistent || !hints.hasRoomFor(from, row)) return RowOutcome.FULL
    const hint = hints.keep(from, name, row, now.monotonicMs)
    if (hint !== undefined) delivery.added(hint)
    return RowOutcome.KEPT
  }

  /** A row of a peer without a directory: from here on it is a write of this peer. */
  #issue({ partition: name }: RowsRecord, row: Row, now: Instant): RowOutcome {
    const { collections, commit, delivery, hints, placement, time, writer, writes } = this.#deps
    if (Quarantine.judge(row.hlc, time.wallMs(now)) !== 'apply') return RowOutcome.AHEAD
    if (hints.full) return RowOutcome.FULL
    if (placement.holds(name) && placement.hasAllOwn(name)) {
      const located = collections.locate(name)
      if (!('replica' in located) || located.mismatch !== undefined) return RowOutcome.REFUSED
      writes.reissue(located, row, now)
      return RowOutcome.STORED
    }
    if (!commit.persistent) return RowOutcome.FULL
    const before = hints.of(name, { key: row.key, writer: writer.index })
    if (before !== undefined && !isLaterThan(before.row, row, name.kind)) return RowOutcome.KEPT
    const own: Row = { ...row, ...writer.next(name) }
    delivery.added(hints.write(name, own, writes.nextWriteId(), now.monotonicMs))
    return RowOutcome.KEPT
  }

  /** The peers that have copies of any of the partitions, as this peer sees it. */
  #audienceOf(names: readonly RowsRecord['partition'][]): PeerId[] {
    const { placement } = this.#deps
    const peers = new Set(names.flatMap((name) => [...(placement.audience(name) as ReadonlySet<PeerId>)]))
    // A row of the registry may name any text as a peer, and the receiver would refuse the answer.
    const sayable = [...peers].filter((peer) => isFieldText(peer, PEER_ID_LENGTH_MAX))
    return sayable.slice(0, WRITE_AUDIENCE_MAX)
  }
}

function rowsOf(records: readonly BlockRecord[]): RowsRecord[] {
  return records.filter((record): record is RowsRecord => record.type === 'rows')
}

/** Throws `MESSAGE_MALFORMED`. */
function check(records: readonly BlockRecord[], reissue: boolean): void {
  const rows = rowsOf(records)
  const count = rows.reduce((sum, each) => sum + each.rows.length, 0)
  if (count === 0 || count > WRITE_ROWS_MAX) throw new GridError('MESSAGE_MALFORMED', `a write of ${count} rows`)
  if (rows.some(({ replicaId }) => (replicaId === NO_REPLICA_ID) !== reissue)) {
    throw new GridError('MESSAGE_MALFORMED', 'a write under no replica id, or under one and to be issued again')
  }
}

/** Whether a row to be issued is later than the one before of its key. */
function isLaterThan({ bytes, hlc }: Readonly<Row>, row: Readonly<Row>, kind: number): boolean {
  return isLaterRow(rulesOf(kind)?.addWins === true, row, { hlc, isRemoved: bytes === undefined })
}

function isStored(outcome: RowOutcome | undefined): boolean {
  return outcome === RowOutcome.STORED || outcome === RowOutcome.REUSED
}
