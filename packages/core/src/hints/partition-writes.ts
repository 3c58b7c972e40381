import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import type { Instant, RandomSource } from '../instant.ts'
import { plainName } from '../kinds/generations.ts'
import { HINTS_MAX_BYTES } from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import { REPLACED_UNKNOWN } from '../replica/replica.ts'
import type { Inbound } from '../replication/inbound.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { BlockRecord, PartitionName } from '../wire/block.ts'
import { partitionCountOf } from '../wire/partition-numbers.ts'
import type { LocalWrites, Written } from '../writes/local-writes.ts'
import { HintDelivery } from './hint-delivery.ts'
import type { WrittenMessage } from './hint-delivery.ts'
import { Hints } from './hints.ts'
import { IncomingWrites } from './incoming-writes.ts'
import type { WriteMessage } from './incoming-writes.ts'
import { WriterId } from './writer-id.ts'

export interface PartitionWritesDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
  readonly inbound: Inbound
  /** What this peer writes counts as known. */
  readonly known: { wrote(name: PartitionName, row: Readonly<Row>): void }
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly requests: RequestNumbers
  readonly placement: Rendezvous
  readonly random: RandomSource
  readonly time: Timekeeping
  readonly writes: LocalWrites
}

/** The copies of a row that are to be counted. */
export interface CopiesWanted {
  readonly name: PartitionName
  readonly key: string
  /** The date of the row. */
  readonly hlc: number
  readonly copies: number
  readonly by: 'durable' | 'peers'
}

/**
 * Writes to partitions, wherever their copies are. A peer with a whole copy writes to it under its replica id. Any other peer
 * writes a hint, which owners confirm.
 */
export class PartitionWrites {
  readonly hints: Hints
  readonly #deps: PartitionWritesDeps
  readonly #delivery: HintDelivery
  readonly #incoming: IncomingWrites
  readonly #writer: WriterId

  constructor(deps: PartitionWritesDeps) {
    this.#deps = deps
    const { commit, ids, membership, random } = deps
    this.hints = new Hints({ commit, ids })
    this.#writer = new WriterId(ids, random, commit.persistent)
    const shared = { ...deps, hints: this.hints, peerId: membership.self.peerId, writer: this.#writer }
    this.#delivery = new HintDelivery(shared)
    this.#incoming = new IncomingWrites({ ...shared, delivery: this.#delivery })
  }

  /** Under which this peer writes hints. */
  get writerId(): string {
    return this.#writer.id
  }

  get wakeAtMs(): number {
    return this.#delivery.wakeAtMs
  }

  /** Goes on with the hints that an earlier life has stored. */
  restore(stored: ReadonlyMap<string, readonly BlockRecord[]>, now: Instant): void {
    for (const [key, records] of stored) this.hints.restore(key, records, now.monotonicMs)
  }

  /** See `PartitionAccess.write`. */
  write(name: PartitionName, key: string, value: Uint8Array | undefined, now: Instant, dateHlc?: number): Written {
    const { collections, placement, writes } = this.#deps
    if (placement.holds(name) && placement.hasAllOwn(name)) {
      const located = collections.locate(name)
      if (!('replica' in located)) throw new GridError(located.code, located.reason)
      return writes.write(located, key, value, now, dateHlc)
    }
    this.#check(name)
    const row: Row = {
      key,
      hlc: dateHlc ?? this.#deps.time.nextHlc(now),
      ...this.#writer.next(name),
      // This peer does not know what is there.
      replaced: REPLACED_UNKNOWN,
      bytes: value,
      start: 0,
      end: value?.length ?? 0,
    }
    const writeId = writes.nextWriteId()
    this.#delivery.added(this.hints.write(name, row, writeId, now.monotonicMs))
    this.#deps.known.wrote(name, row)
    return { writeId, hlc: row.hlc, replicaId: this.#writer.id, sequence: row.sequence, hinted: true }
  }

  /** Counts the copies of a hint under the number of a request. Throws `BACKLOG_FULL`. */
  request(number: number, { name, key, hlc, copies, by }: CopiesWanted): void {
    const writer = this.#writer.index
    this.#delivery.copies.request(number, copies, by, () => {
      const hint = this.hints.of(name, { key, writer })
      // A remove bears the date of the row that it removes: it says nothing of a later row, which was given up before it.
      return hint === undefined || hint.row.hlc < hlc ? undefined : hint
    })
  }

  cancel(number: number): void {
    this.#delivery.copies.cancel(number)
  }

  disconnected(neighbour: PeerId): void {
    this.#delivery.disconnected(neighbour)
  }

  /** Another peer brings rows, or says what became of those that it was sent. */
  receive(from: PeerId, message: WriteMessage | WrittenMessage, now: Instant): void {
    if (message.type === 'write') this.#incoming.asked(from, message, now)
    else this.#delivery.answered(from, message, now)
  }

  tick(now: Instant): void {
    this.#delivery.tick(now)
  }

  #check({ collection, kind, partition }: PartitionName): void {
    const { collections, commit } = this.#deps
    if (commit.full || this.hints.full) {
      throw new GridError('BACKLOG_FULL', `${HINTS_MAX_BYTES} bytes of writes wait for the owners of their partitions`)
    }
    if (collections.dropped.isDropped({ collection, kind })) {
      throw new GridError(
        'COLLECTION_DROPPED',
        `'${plainName(collection)}' was dropped: open it again to start a new one`,
      )
    }
    const mismatch = collections.get(collection, kind, partitionCountOf(partition))?.mismatch
    if (mismatch !== undefined) throw new GridError('COLLECTION_MISMATCH', mismatch)
  }
}
