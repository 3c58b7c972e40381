import { plainName } from '../kinds/generations.ts'
import { BlockWriter } from '../wire/block.ts'
import type { Partition } from '../replica/collections.ts'
import { REPLACED_UNKNOWN } from '../replica/replica.ts'
import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import type { Checkpoint } from '../storage/checkpoint.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import type { Instant } from '../instant.ts'
import { SEQUENCE_MAX, UNDURABLE_MAX_BYTES } from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { ReplicaIdentity } from './replica-identity.ts'
import type { ReplicaId } from '../versions/replica-ids.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'

/** A local write as it was applied. Its dot is (replica id, sequence), its version (hlc, replica id). */
export interface Written {
  /** Counts local writes; `durable` events name it. */
  readonly writeId: number
  readonly hlc: number
  readonly replicaId: ReplicaId
  readonly sequence: number
  /** It is for a partition of which this peer has no whole copy: others are to confirm it. */
  readonly hinted?: true
}

export interface LocalWritesDeps {
  readonly checkpoint: Checkpoint
  readonly commit: GroupCommit
  readonly identity: ReplicaIdentity
  readonly membership: Membership
  readonly outbox: Outbox
  readonly time: Timekeeping
}

/** What this peer writes itself, and the replica id under which it does. */
export class LocalWrites {
  readonly identity: ReplicaIdentity
  readonly #commit: GroupCommit
  readonly #deps: LocalWritesDeps
  readonly #time: Timekeeping
  #writeId = 0

  constructor(deps: LocalWritesDeps) {
    this.identity = deps.identity
    this.#commit = deps.commit
    this.#deps = deps
    this.#time = deps.time
  }

  /** See `Peer.write`. `dateHlc`: see `PartitionAccess.write`. */
  write(partition: Partition, key: string, value: Uint8Array | undefined, now: Instant, dateHlc?: number): Written {
    const { identity } = this
    if (this.#commit.full) {
      throw new GridError('BACKLOG_FULL', `${UNDURABLE_MAX_BYTES} bytes of writes wait to be stored: await some first`)
    }
    if (partition.dropped) {
      const { collection } = partition.name
      throw new GridError(
        'COLLECTION_DROPPED',
        `'${plainName(collection)}' was dropped: open it again to start a new one`,
      )
    }
    if (partition.mismatch !== undefined) throw new GridError('COLLECTION_MISMATCH', partition.mismatch)
    if (identity.nextSequence(partition) > SEQUENCE_MAX) this.renew('all sequence numbers are used up', now)
    const row: Row = {
      key,
      hlc: dateHlc ?? this.#time.nextHlc(now),
      writer: identity.index,
      sequence: identity.nextSequence(partition),
      replaced: 0,
      bytes: value,
      start: 0,
      end: value?.length ?? 0,
    }
    if (dateHlc === undefined) partition.replica.write(row)
    else {
      row.replaced = REPLACED_UNKNOWN
      partition.replica.merge(row)
    }
    const writeId = this.nextWriteId()
    this.#commit.local(partition.name, row, writeId)
    return { writeId, hlc: row.hlc, replicaId: identity.id, sequence: row.sequence }
  }

  /**
   * Issues a write of another peer under this peer's replica id, with its date: two peers that do so get the same state. Nothing
   * happens if the entry has that or a later version.
   */
  reissue(partition: Partition, row: Readonly<Row>, now: Instant): void {
    const { identity } = this
    if (identity.nextSequence(partition) > SEQUENCE_MAX) this.renew('all sequence numbers are used up', now)
    const { replica } = partition
    const slot = replica.table.slotOf(row.key)
    if (slot !== undefined && !replica.isLater(row, slot)) return
    const own: Row = { ...row, writer: identity.index, sequence: identity.nextSequence(partition) }
    replica.merge(own)
    this.#time.hybridClock.observe(row.hlc)
    this.#commit.local(partition.name, own, this.#writeId)
  }

  /**
   * Applies what another peer says an entry is now, under the replica id `author`: it wins over what is here, whichever is later.
   * Only for copies that no other peer compares with its own, such as that of a guest. With `dateHlc` the entry keeps that date.
   */
  adopt(
    partition: Partition,
    key: string,
    value: Uint8Array | undefined,
    author: ReplicaId,
    now: Instant,
    dateHlc?: number,
  ): Written {
    const { ids } = this.identity
    const writer = ids.intern(author)
    const row: Row = {
      key,
      hlc: dateHlc ?? this.#time.nextHlc(now),
      writer,
      sequence: partition.replica.vector.highest(writer) + 1,
      replaced: 0,
      bytes: value,
      start: 0,
      end: value?.length ?? 0,
    }
    const { replica } = partition
    const slot = dateHlc === undefined ? undefined : replica.table.slotOf(key)
    if (slot !== undefined) {
      // In the log the larger version would win.
      const { sequence, writer: before } = replica.row(slot)
      this.#commit.replaced(partition.name, { key, replicaId: ids.id(before), sequence })
    }
    if (dateHlc === undefined) replica.write(row)
    else if (slot === undefined) replica.merge(row)
    else replica.restamp(slot, row)
    const writeId = this.nextWriteId()
    this.#commit.local(partition.name, row, writeId)
    return { writeId, hlc: row.hlc, replicaId: author, sequence: row.sequence }
  }

  /** The number of the next write. */
  nextWriteId(): number {
    return ++this.#writeId
  }

  /** Another peer shows writes of this replica id that this peer never made. False when the id is given up only later. */
  cloned(reason: string, now: Instant): boolean {
    const atOnce = this.identity.suspect(reason, now)
    if (atOnce) this.renew(reason, now)
    return atOnce
  }

  /** Gives up a replica id that another peer uses, once that is allowed. */
  tick(now: Instant): void {
    const suspicion = this.identity.due(now)
    if (suspicion !== '') this.renew(suspicion, now)
  }

  /** Takes a new replica id; writes that may share dots with those of another peer are issued again. */
  renew(reason: string, now: Instant): void {
    this.identity.rest(now)
    this.identity.abandon((partition, row) => this.#commit.local(partition.name, row, this.#writeId))
    const { checkpoint, membership, outbox } = this.#deps
    const replicaId = this.identity.id
    checkpoint.recordIdentity()
    membership.update({ replicaId })
    outbox.event({ type: 'replica-id', replicaId, reason })
  }

  /**
   * Issues own writes again, dated now, if a wrong clock dated them after `hlc` and no other peer has taken them. Returns
   * how many they were.
   */
  restamp(
    partitions: Iterable<Partition>,
    hlc: number,
    isTaken: (partition: Partition, sequence: number) => boolean,
    now: Instant,
  ): number {
    const { ids, index } = this.identity
    this.#time.hybridClock.setBack(hlcFromWall(this.#time.wallMs(now)))
    let count = 0
    for (const partition of partitions) {
      const { replica, name } = partition
      const { table } = replica
      const slots = [...table.slots()].filter(
        (slot) => table.hlc(slot) > hlc && table.writer(slot) === index && !isTaken(partition, table.sequence(slot)),
      )
      if (slots.length === 0) continue
      slots.sort((a, b) => table.hlc(a) - table.hlc(b))
      // In the log the larger version would win again.
      const log = new BlockWriter(ids)
      log.drops(
        name,
        slots.map((slot) => ({ key: table.key(slot), replicaId: ids.id(index), sequence: table.sequence(slot) })),
      )
      this.#commit.remote(log.take())
      for (const slot of slots) {
        replica.restamp(slot, { hlc: this.#time.nextHlc(now), sequence: this.identity.nextSequence(partition) })
        this.#commit.local(name, replica.row(slot), this.#writeId)
      }
      count += slots.length
    }
    return count
  }
}
