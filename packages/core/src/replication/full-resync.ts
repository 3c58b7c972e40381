import type { EntryDot, PartitionName } from '../wire/block.ts'
import { BlockWriter, nameKey } from '../wire/block.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import { withOwnBytes } from '../entries/entry-table.ts'
import type { Row } from '../entries/entry-table.ts'
import { Floor } from '../versions/floor.ts'
import type { SeenPart } from '../digests/part-digests.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import type { MergeOutcome, Replica } from '../replica/replica.ts'
import { VersionVector } from '../versions/version-vector.ts'

/**
 * A full resync of one partition: this peer was away for so long that the other side has purged tombstones that it never saw.
 * It is sent the whole partition. Then it drops what the other side has seen and no longer holds: that was deleted. It keeps
 * what the other side has never seen.
 */
export class FullResync {
  readonly name: PartitionName
  /** What the other side had seen at the start, its purge floor included. */
  readonly seen: VersionVector
  readonly floor: Floor
  /** By slot: the other side holds this entry. */
  #confirmed = new Uint8Array(1024)
  /** By slot: what the other side holds where a larger version here was deleted. */
  readonly #instead = new Map<number, Row>()

  constructor(name: PartitionName, seen: VersionVector, floor: Floor) {
    this.name = name
    this.seen = seen
    this.floor = floor
  }

  /** A row of the other side was merged. */
  onRow({ table }: Replica, row: Readonly<Row>, outcome: MergeOutcome): void {
    const slot = table.slotOf(row.key)
    if (slot === undefined) return
    if (outcome !== 'lost') this.#confirm(slot)
    // The other side has seen what is larger here, and yet holds less: what is here was deleted there, and purged.
    else if (this.seen.has(table.writer(slot), table.sequence(slot))) this.#instead.set(slot, withOwnBytes(row))
    else this.#confirm(slot)
  }

  #confirm(slot: number): void {
    if (slot >= this.#confirmed.length) {
      const wider = new Uint8Array(2 * slot)
      wider.set(this.#confirmed)
      this.#confirmed = wider
    }
    this.#confirmed[slot] = 1
  }

  /** Everything has come: lets go what was deleted, and stands on the other's floor. Returns what the log must say of it. */
  finish({ replica, name }: Partition, ids: ReplicaIds): Uint8Array {
    const { table } = replica
    const drops: EntryDot[] = []
    const instead: Row[] = []
    for (const slot of table.slots()) {
      const [writer, sequence] = [table.writer(slot), table.sequence(slot)]
      if (this.#confirmed[slot] === 1 || !this.seen.has(writer, sequence)) continue
      drops.push({ key: table.key(slot), replicaId: ids.id(writer), sequence })
      replica.drop(slot)
      const row = this.#instead.get(slot)
      if (row !== undefined) instead.push(row)
    }
    const log = new BlockWriter(ids)
    if (drops.length > 0) log.drops(name, drops)
    for (const row of instead) {
      replica.merge(row)
      log.row(name, row)
    }
    this.seen.adopt((replicaId) => ids.intern(replicaId))
    for (const writer of this.seen.writers()) {
      const head = this.seen.head(writer)
      const ranges = [...(head > 0 ? [1, head] : []), ...this.seen.rangesAbove(writer)]
      replica.vector.addRanges(writer, ranges)
      log.superseded(name, writer, ranges)
    }
    replica.raiseFloor(replica.floor.with(this.floor.entries(), this.floor.dateMs))
    log.floor(name, replica.floor.encode())
    return log.take()
  }
}

/** The full resyncs of one session, by partition. */
export class FullResyncs {
  readonly #resyncs = new Map<string, FullResync>()

  get isEmpty(): boolean {
    return this.#resyncs.size === 0
  }

  add(resync: FullResync): void {
    this.#resyncs.set(nameKey(resync.name), resync)
  }

  of(name: PartitionName): FullResync | undefined {
    return this.#resyncs.size === 0 ? undefined : this.#resyncs.get(nameKey(name))
  }

  all(): IterableIterator<FullResync> {
    return this.#resyncs.values()
  }
}

/**
 * Brings this peer's purge floor and another's together. A peer that has seen everything below the other floor adopts it, so
 * that both stand on the same one. A peer that has not does a full resync first. Both sides decide alike, each by itself.
 * Returns the part by which to serve the other peer; `log` takes what has to be logged.
 */
export function meetFloor(
  collections: Collections,
  part: SeenPart,
  resyncs: FullResyncs,
  log: (block: Uint8Array) => void,
): SeenPart {
  const { otherFloor, seen } = part
  if (otherFloor === undefined) return part
  const { ids } = collections
  const numberOf = (replicaId: ReplicaId): number | undefined => ids.indexOf(replicaId)
  const here = collections.find(part)
  const mine = here?.replica.floor ?? Floor.empty(ids)
  const otherReaches = seen.reaches(mine, numberOf)
  const both = mine.with(otherFloor.entries(), otherFloor.dateMs)
  if (here?.replica.vector.reaches(otherFloor, numberOf) !== true) {
    const { collection, kind, partition } = part
    if (!otherFloor.isEmpty) resyncs.add(new FullResync({ collection, kind, partition }, seen.clone(), otherFloor))
  } else if (both.hash !== mine.hash) raiseFloor(here, both, ids, log)
  if (!otherReaches) return { ...part, seen: new VersionVector() }
  seen.setFloor(both)
  return part
}

/** Stands a partition on a larger floor, and has that logged. */
export function raiseFloor(
  { replica, name }: Partition,
  floor: Floor,
  ids: ReplicaIds,
  log: (block: Uint8Array) => void,
): void {
  replica.raiseFloor(floor)
  const writer = new BlockWriter(ids)
  writer.floor(name, floor.encode())
  log(writer.take())
}
