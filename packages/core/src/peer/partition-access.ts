import { GridError } from '../errors.ts'
import type { Follow, Followed } from '../following/following.ts'
import type { Hints } from '../hints/hints.ts'
import type { Instant } from '../instant.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import type { OwnerShare } from '../placement/rendezvous.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import type { Ownership } from '../ownership/ownership.ts'
import type { ReportedPartitions } from '../ownership/partition-report.ts'
import type { Confirmations } from '../replication/confirmations.ts'
import type { PeerId } from '../ports.ts'
import type { AskOptions } from '../asking/asking.ts'
import type { KeysInOrder } from '../routing/key-ranges.ts'
import type { PageQuery } from '../routing/pages.ts'
import type { Row } from '../entries/entry-table.ts'
import type { KeyOfPart } from '../routing/largest-rows.ts'
import type { PartAnswer, QueryReply } from '../routing/part-queries.ts'
import type { KeyRead, ReadKey } from '../routing/reads.ts'
import type { PartitionName } from '../wire/block.ts'
import type { AskedQuery } from '../wire/read-messages.ts'
import type { Written } from '../writes/local-writes.ts'

/** An owner of a partition. */
export interface OwnerState {
  /** The peer that owns it. */
  readonly peerId: PeerId
  /** Its failure domain; '' where it names none. */
  readonly zone: string
  /**
   * `whole`: its copy is complete. `filling`: it has begun a copy, and fetches what is missing. `empty`: it has none yet. `away`: it
   * has been silent for so long that others would have taken its place, if there were any.
   */
  readonly state: 'whole' | 'filling' | 'empty' | 'away'
}

export interface PartitionAccessDeps {
  readonly confirmations: Confirmations
  /** Undefined where no collection may be partitioned. */
  readonly ownership: () => Ownership | undefined
  readonly requests: RequestNumbers
}

/** Writes to partitions and reads of them, wherever they are. */
export class PartitionAccess {
  readonly #deps: PartitionAccessDeps

  constructor(deps: PartitionAccessDeps) {
    this.#deps = deps
  }

  /** Rows for partitions of other peers that their owners have not confirmed. */
  get hints(): Hints | undefined {
    return this.#deps.ownership()?.writes.hints
  }

  /**
   * Writes to a partition as `Peer.write` does, wherever its copies are. Without a whole copy here, the row is a hint: it is durable
   * with its `durable` event as well, goes to every peer in reach that has a copy, and stays until the owners have confirmed
   * it. `dateHlc`: the date of the row, where it is not now. That of a remove from sets and counters under keys is that of the row that
   * was read, which must be the latest one that this peer knows; an add that it has not seen wins over the remove. A row that is
   * copied has its own, and must be later than what this peer knows. Throws `BACKLOG_FULL`, `COLLECTION_DROPPED`, `COLLECTION_MISMATCH`.
   */
  write(name: PartitionName, key: string, value: Uint8Array | undefined, now: Instant, dateHlc?: number): Written {
    return this.#ownership.writes.write(name, key, value, now, dateHlc)
  }

  /**
   * Reads keys of any partition: `done` is called once, in a step or before this returns, with what was found. Rows are
   * undefined where no peer that may answer was in reach in time. Throws `BACKLOG_FULL`.
   */
  read(keys: readonly ReadKey[], now: Instant, done: (read: readonly KeyRead[]) => void, options?: AskOptions): void {
    this.#ownership.reads.routing.reads.read(keys, now, done, options)
  }

  /**
   * Reads a key at all owners in reach, and sends owners what they lack of it: `done` is called once, in a step or before this
   * returns, with the largest versions. Throws `BACKLOG_FULL`.
   */
  readAll(key: ReadKey, now: Instant, done: (read: KeyRead) => void, options?: { readonly timeoutMs?: number }): void {
    this.#ownership.reads.repairing.read(key, now, done, options)
  }

  /**
   * Follows the changes of a partition: `done` is called once, when something is new since the cursor, or after a minute with
   * nothing. Then go on with the new cursor. It is tried until the function that this returns is called.
   */
  follow(follow: Follow, now: Instant, done: (followed: Followed) => void): () => void {
    return this.#ownership.reads.following.follow(follow, now, done)
  }

  /** Whether this peer's clock has come to the date of all these rows, which were followed. Then it observes them. */
  isDue(rows: readonly Readonly<Row>[], now: Instant): boolean {
    return this.#ownership.reads.following.isDue(rows, now)
  }

  /** Calls back, once they are durable, with cursors of what this peer's copies of these partitions have now. */
  cursors(names: readonly PartitionName[], now: Instant, done: (cursors: readonly Uint8Array[]) => void): void {
    this.#ownership.reads.following.cursors(names, now, done)
  }

  /** The cursor to follow from where both cursors hold: the first one itself, if the other one has all of it. Throws `MESSAGE_MALFORMED`. */
  earlierCursor(one: Uint8Array, other: Uint8Array): Uint8Array {
    return this.#ownership.reads.following.earlier(one, other)
  }

  /**
   * Reads the first keys of a range of any partition: `done` is called once, in a step or before this returns, with the rows of
   * the keys in order, or with undefined where no peer that may answer was in reach in time. Throws `BACKLOG_FULL`.
   */
  readPage(query: PageQuery, now: Instant, done: (page: KeysInOrder | undefined) => void, options?: AskOptions): void {
    this.#ownership.reads.routing.pages.read(query, now, done, options)
  }

  /**
   * Counts the keys of partitions of one collection: `done` is called once, in a step or before this returns, with the numbers in
   * order, undefined where no peer that may answer was in reach in time. Writes that no owner has yet do not count. Throws
   * `BACKLOG_FULL`.
   */
  count(
    names: readonly PartitionName[],
    now: Instant,
    done: (counts: readonly (number | undefined)[]) => void,
    options?: AskOptions,
  ): void {
    this.#ownership.reads.routing.counts.count(names, now, done, options)
  }

  /**
   * Asks a query of partitions of one collection: `done` is called once, in a step or before this returns, with what was said of each,
   * in order; undefined where no peer that may answer was in reach in time. Throws `BACKLOG_FULL`.
   */
  query(
    names: readonly PartitionName[],
    question: Uint8Array,
    now: Instant,
    done: (answers: readonly (PartAnswer | undefined)[]) => void,
    options?: AskOptions,
  ): void {
    this.#ownership.reads.routing.queries.ask(names, question, now, done, options)
  }

  /** Whether a query of another peer still waits for its answer. */
  isAsked(query: AskedQuery): boolean {
    return this.#deps.ownership()?.reads.routing.queries.isAsked(query) === true
  }

  /** Answers a query of another peer; without a reply, this one knows nothing of it. */
  reply(query: AskedQuery, reply?: QueryReply): void {
    this.#deps.ownership()?.reads.routing.queries.reply(query, reply)
  }

  /** Whether the copy of this peer is whole. */
  isWhole(name: PartitionName): boolean {
    return this.#deps.ownership()?.placement.isWhole(name) === true
  }

  /** The keys in these partitions of which this peer knows writes that the owners may lack, each at least once. */
  unsettled(names: readonly PartitionName[]): Iterable<KeyOfPart> {
    return this.#ownership.reads.routing.reading.largest.unsettled(names)
  }

  /** Whether what the copy of this peer has is the answer to a read. */
  mayRead(name: PartitionName, now: Instant): boolean {
    return this.#deps.ownership()?.reads.routing.currency.mayRead(name, now) === true
  }

  /** The rows of a key in the copy of this peer, tombstones included; none without a copy. */
  inCopy(name: PartitionName, key: string): readonly Readonly<Row>[] {
    return this.#ownership.reads.routing.rowsInCopy(name, key)
  }

  /** What this peer itself knows of a key: its copy, its writes, and what it has read. Tombstones included. */
  known(name: PartitionName, key: string): readonly Readonly<Row>[] {
    return this.#ownership.reads.routing.reading.largest.known({ name, key })
  }

  /** The replica id of this peer's writes to partitions that it has no whole copy of. */
  get writerId(): string | undefined {
    return this.#deps.ownership()?.writes.writerId
  }

  /** What the registry says that a name is, if it is a partitioned collection. */
  registered(name: string): CollectionDescriptor | undefined {
    return this.collections.find((descriptor) => descriptor.name === name)
  }

  /** Names the registration of the collection that a partition is of. Undefined before it is registered. */
  origin(name: PartitionName): string | undefined {
    return this.#deps.ownership()?.placement.registered(name)?.origin
  }

  /** The partitioned collections that are registered. */
  get collections(): CollectionDescriptor[] {
    return [...(this.#deps.ownership()?.placement.collections ?? [])].map(({ descriptor }) => descriptor)
  }

  /** The owners of a partition, the first choice first. None before its collection is registered. */
  owners(name: PartitionName): OwnerState[] {
    const placement = this.#deps.ownership()?.placement
    if (placement === undefined) return []
    const whole = new Set(placement.wholeHolders(name))
    if (placement.isWhole(name)) whole.add(placement.peerId)
    return [...(placement.owners(name) as ReadonlySet<PeerId>)].map((peerId) => {
      const { away = false, zone = '', copies } = placement.record(peerId) ?? {}
      const part = copies?.has(name) === true ? 'filling' : 'empty'
      return { peerId, zone, state: away ? 'away' : whole.has(peerId) ? 'whole' : part }
    })
  }

  /** What the peers that are able to own have of a collection. None before it is registered. */
  shares(collection: string): OwnerShare[] {
    return this.#deps.ownership()?.placement.ownerShares(collection) ?? []
  }

  /** It is known what this peer owns, and it has a whole copy of all of that. True where nothing is partitioned. */
  get hasOwnWhole(): boolean {
    return this.#deps.ownership()?.hasOwnWhole !== false
  }

  /**
   * Starts counting the copies of a write to a partition; `copies` events name the number that this returns. Owners count, and
   * every peer in reach that has a copy must have the write besides. With `peers`, owners without a directory count as well. Throws
   * `BACKLOG_FULL`.
   */
  countCopies(
    name: PartitionName,
    key: string,
    written: Written,
    copies: number,
    by: 'durable' | 'peers' = 'durable',
  ): number {
    const { confirmations, requests } = this.#deps
    const { replicaId, sequence, hinted } = written
    if (hinted !== true) return confirmations.request({ ...name, replicaId, sequence }, copies, by)
    const request = requests.next()
    this.#ownership.writes.request(request, { name, key, hlc: written.hlc, copies, by })
    return request
  }

  /** The count is no longer wanted. */
  cancelCopies(request: number): void {
    this.#deps.confirmations.cancel(request)
    this.#deps.ownership()?.writes.cancel(request)
  }

  /**
   * This peer is to leave: its copies go to other owners, which it does not become again in this life. It may go once nothing
   * `remaining` is left and there are no hints. Throws `BACKLOG_FULL`.
   */
  leave(now: Instant): void {
    this.#deps.ownership()?.leave(now)
  }

  /** The copies that a peer that leaves still has, and of which other owners have no whole copy yet. */
  get remaining(): Ownership['remaining'] {
    return this.#deps.ownership()?.remaining ?? []
  }

  /**
   * Has the partitions of a collection that no registered peer has whole begin again with what is left of them. Returns how many
   * those are. Throws `BACKLOG_FULL`.
   */
  beginAgain(name: string): number {
    return this.#ownership.beginAgain(name)
  }

  /** What status and metrics say. Undefined where no collection may be partitioned. */
  report(now: Instant): ReportedPartitions | undefined {
    return this.#deps.ownership()?.report(now)
  }

  get #ownership(): Ownership {
    const ownership = this.#deps.ownership()
    if (ownership === undefined) throw new GridError('NOT_HELD', 'this peer takes no part in partitioned collections')
    return ownership
  }
}
