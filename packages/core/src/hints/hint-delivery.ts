import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import {
  HINT_OF_MEMORY_MAX_MS,
  HINT_OWNERS_MIN,
  HINT_PATIENCE_MS,
  OWNERSHIP_GAP_MS,
  WRITE_MAX_BYTES,
  WRITE_ROWS_MAX,
} from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter, nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'
import { HintCopies } from './hint-copies.ts'
import type { Hint, Hints } from './hints.ts'
import { NeighbourWrites } from './neighbour-writes.ts'
import type { Sent } from './neighbour-writes.ts'
import { RowOutcome } from './row-outcomes.ts'
import type { WriterId } from './writer-id.ts'
import type { LocalWrites } from '../writes/local-writes.ts'

export type WrittenMessage = Extract<Message, { readonly type: 'written' }>

export interface HintDeliveryDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly hints: Hints
  readonly ids: ReplicaIds
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly requests: RequestNumbers
  readonly peerId: PeerId
  readonly placement: Rendezvous
  readonly writer: WriterId
  readonly writes: LocalWrites
}

/**
 * Brings hints to the peers that have copies of their partitions: to each that is in reach, since a reader may ask any of them. A
 * hint ends when all owners have confirmed the row, or when two have and the others have been silent for half a minute:
 * anti-entropy between the owners does the rest. A peer without a directory gives a row to one durable peer instead, which
 * issues it under a replica id of its own.
 */
export class HintDelivery {
  readonly copies: HintCopies
  readonly #deps: HintDeliveryDeps
  readonly #neighbours = new Map<PeerId, NeighbourWrites>()
  /** Peers that answers named as having copies, until the hint ends. */
  readonly #named = new WeakMap<Hint, Set<PeerId>>()
  /** Hints whose rows are on their way into the copy of this peer. */
  readonly #merged = new WeakSet<Hint>()
  /** How many peers a row was given to, by a peer without a directory. */
  readonly #turns = new WeakMap<Hint, number>()
  #audiencesAimedAt = -1
  #neighboursAimedAt = -1
  #nextLookMs = -Infinity
  #isNews = false

  constructor(deps: HintDeliveryDeps) {
    this.#deps = deps
    this.copies = new HintCopies(deps)
  }

  /** Monotonic milliseconds at which there is something to do. */
  get wakeAtMs(): number {
    return this.#deps.hints.count === 0 ? Infinity : this.#nextLookMs
  }

  /** A row of this peer, or one that it passes on, is new. */
  added(hint: Hint): void {
    this.#aim(hint)
    this.#isNews = true
  }

  disconnected(neighbour: PeerId): void {
    this.#neighbours.delete(neighbour)
  }

  tick(now: Instant): void {
    const { hints, neighbours, placement } = this.#deps
    if (hints.count > 0) {
      const isOther =
        placement.audienceChanges !== this.#audiencesAimedAt || neighbours.changes !== this.#neighboursAimedAt
      if (isOther) for (const hint of hints) this.#aim(hint)
      this.#audiencesAimedAt = placement.audienceChanges
      this.#neighboursAimedAt = neighbours.changes
      if (now.monotonicMs >= this.#nextLookMs) this.#look(now)
      for (const [neighbour, writes] of this.#neighbours) this.#send(neighbour, writes, now)
      if (this.#isNews) this.copies.look()
      this.#isNews = false
    }
    hints.tick()
  }

  /** A neighbour has answered. */
  answered(from: PeerId, message: WrittenMessage, now: Instant): void {
    const writes = this.#neighbours.get(from)
    const sent = writes?.take(message.request)
    if (writes === undefined || sent === undefined) return
    const { outcomes } = message
    let isFull = false
    for (const [place, hint] of sent.hints.entries()) {
      if (!this.#deps.hints.has(hint)) continue
      const outcome = outcomes[place]
      if (outcome === RowOutcome.STORED || outcome === RowOutcome.REUSED) hint.storedBy.add(from)
      else if (outcome === RowOutcome.KEPT) hint.keptBy.add(from)
      else if (outcome === RowOutcome.FULL) isFull = true
      else if (outcome === RowOutcome.AHEAD) this.#refusedAhead(from, hint)
      if (message.audience !== undefined) this.#name(hint, message.audience)
    }
    this.copies.look()
    for (const hint of sent.hints) if (this.#deps.hints.has(hint)) this.#check(hint, now)
    if (isFull) writes.pause(now.monotonicMs)
    else writes.resume()
    this.#isNews = true
    if (this.#isInUse(sent, message)) this.#renew(from, now)
  }

  #look(now: Instant): void {
    const { hints } = this.#deps
    this.#nextLookMs = now.monotonicMs + OWNERSHIP_GAP_MS
    this.copies.look()
    for (const hint of hints) this.#check(hint, now)
    for (const [neighbour, writes] of this.#neighbours) {
      writes.look((hint) => hints.has(hint) && this.#isFor(hint, neighbour), !this.#lasts, now.monotonicMs)
    }
    if (!this.#lasts) for (const hint of hints) this.#aim(hint)
    this.#isNews = true
  }

  get #lasts(): boolean {
    return this.#deps.commit.persistent
  }

  /** Ends a hint that is over. */
  #check(hint: Hint, now: Instant): void {
    const { collections, hints } = this.#deps
    this.#merge(hint)
    if (!this.#lasts) this.#issue(hint, now)
    if (!collections.dropped.isDropped(hint.name) && !this.#isOver(hint, now)) return
    hints.end(hint)
    for (const writes of this.#neighbours.values()) writes.forget(hint)
  }

  #isOver(hint: Hint, now: Instant): boolean {
    const { storedBy, keptBy, sinceMs, name } = hint
    const ageMs = now.monotonicMs - sinceMs
    if (!this.#lasts) return storedBy.size + keptBy.size > 0 || ageMs >= HINT_OF_MEMORY_MAX_MS
    const owners = this.#deps.placement.owners(name) as ReadonlySet<PeerId>
    const confirmed = [...owners].filter((owner) => storedBy.has(owner)).length
    const all = owners.size > 0 && confirmed === owners.size
    const isOver = all || (confirmed >= HINT_OWNERS_MIN && ageMs >= HINT_PATIENCE_MS)
    return isOver && !this.copies.isCounting(hint)
  }

  /** The peers in reach that are to have a row and have not confirmed it. */
  #aim(hint: Hint): void {
    this.#merge(hint)
    for (const neighbour of this.#targets(hint)) this.#writesOf(neighbour).want(hint)
  }

  #targets(hint: Hint): PeerId[] {
    const ids = this.#deps.neighbours.ids()
    if (this.#lasts) {
      const audience = this.#deps.placement.audience(hint.name) as ReadonlySet<PeerId>
      return ids.filter((neighbour) => this.#isFor(hint, neighbour, audience))
    }
    // One at a time, owners first. The next one is asked when this one has not answered for a while.
    if ([...this.#neighbours.values()].some((writes) => writes.has(hint))) return []
    const owners = this.#deps.placement.owners(hint.name) as ReadonlySet<PeerId>
    const able = ids.filter((neighbour) => owners.has(neighbour) || this.#deps.membership.isDurable(neighbour))
    able.sort((a, b) => Number(owners.has(b)) - Number(owners.has(a)))
    const turn = this.#turns.get(hint) ?? 0
    this.#turns.set(hint, turn + 1)
    return able.slice(turn % able.length || 0).slice(0, 1)
  }

  #isFor(
    hint: Hint,
    peer: PeerId,
    audience: ReadonlySet<PeerId> = this.#deps.placement.audience(hint.name) as ReadonlySet<PeerId>,
  ): boolean {
    if (hint.storedBy.has(peer)) return false
    if (!this.#lasts) return true
    return audience.has(peer) || this.#named.get(hint)?.has(peer) === true
  }

  /** A peer that has no whole copy may have one that it is filling: its rows belong there as well. */
  #merge(hint: Hint): void {
    const { collections, commit, ids, peerId, placement } = this.#deps
    if (this.#merged.has(hint) || !this.#lasts || !placement.holds(hint.name) || commit.full) return
    const partition = collections.locate(hint.name)
    if (!('replica' in partition) || partition.dropped) return
    this.#merged.add(hint)
    partition.replica.merge(hint.row)
    const log = new BlockWriter(ids)
    log.row(hint.name, hint.row)
    if (hint.supersedes.length > 0) {
      partition.replica.vector.addRanges(hint.row.writer, hint.supersedes)
      log.superseded(hint.name, hint.row.writer, hint.supersedes)
    }
    commit.remote(log.take())
    commit.whenDurable(() => hint.storedBy.add(peerId))
  }

  /** A peer without a directory has come to have a whole copy itself. */
  #issue(hint: Hint, now: Instant): void {
    const { collections, commit, peerId, placement, writes } = this.#deps
    if (!placement.holds(hint.name) || !placement.hasAllOwn(hint.name) || commit.full) return
    const partition = collections.locate(hint.name)
    if (!('replica' in partition) || partition.dropped) return
    writes.reissue(partition, hint.row, now)
    hint.storedBy.add(peerId)
  }

  #name(hint: Hint, audience: readonly PeerId[]): void {
    const { peerId } = this.#deps
    const named = this.#named.get(hint) ?? new Set<PeerId>()
    for (const peer of audience) if (peer !== peerId) named.add(peer)
    this.#named.set(hint, named)
    this.#aim(hint)
  }

  /** One message for each neighbour and turn, with as many rows as there is room for. */
  #send(neighbour: PeerId, writes: NeighbourWrites, now: Instant): void {
    const { hints, ids, outbox, placement } = this.#deps
    while (writes.isReady(now.monotonicMs)) {
      const block = new BlockWriter(ids)
      const rows: Hint[] = []
      for (const hint of writes.waiting) {
        // It may be over by now, or the neighbour may have no copy of its partition any more.
        if (!hints.has(hint) || !this.#isFor(hint, neighbour)) {
          writes.forget(hint)
          continue
        }
        const bytes = block.length + hint.row.end
        if (rows.length > 0 && (rows.length >= WRITE_ROWS_MAX || bytes > WRITE_MAX_BYTES)) break
        rows.push(hint)
        block.row(hint.name, hint.row)
        if (this.#lasts && hint.supersedes.length > 0) {
          block.superseded(hint.name, hint.row.writer, hint.supersedes)
        }
      }
      if (rows.length === 0) return
      const request = this.#deps.requests.next()
      const bytes = block.take()
      writes.sent(request, { hints: rows, bytes: bytes.length, sentAtMs: now.monotonicMs })
      const reissue = this.#lasts ? {} : ({ reissue: true } as const)
      outbox.send(neighbour, { type: 'write', request, view: placement.view, ...reissue, block: bytes })
    }
  }

  #writesOf(neighbour: PeerId): NeighbourWrites {
    let writes = this.#neighbours.get(neighbour)
    if (writes === undefined) this.#neighbours.set(neighbour, (writes = new NeighbourWrites()))
    return writes
  }

  #refusedAhead(from: PeerId, { name }: Hint): void {
    const reason = `a write to '${name.collection}' is dated too far ahead of the clock of this peer's neighbour`
    this.#deps.outbox.event({ type: 'refused', from, error: new GridError('CLOCK_AHEAD', reason) })
  }

  /**
   * Another process uses the id under which this peer writes: a neighbour has seen more of it than was given out, or another row
   * under one of its dots.
   */
  #isInUse({ hints }: Sent, { heads, outcomes }: WrittenMessage): boolean {
    const { writer } = this.#deps
    if (!this.#lasts) return false
    const isReused = hints.some(({ row }, place) => writer.is(row.writer) && outcomes[place] === RowOutcome.REUSED)
    if (isReused) return true
    const parts = distinctParts(hints)
    return parts.some(({ name, row }, place) => writer.is(row.writer) && (heads[place] ?? 0) > writer.given(name))
  }

  /** The unconfirmed rows of this peer get another id, and keep their dates. */
  #renew(from: PeerId, now: Instant): void {
    const { hints, outbox, writer } = this.#deps
    const old = writer.index
    if (!writer.renew(now)) return
    const reason = `${from} has writes of the id under which this peer writes to partitions of others`
    outbox.event({ type: 'replica-id', replicaId: writer.id, reason })
    for (const hint of [...hints]) {
      if (hint.row.writer !== old) continue
      this.#check(hint, now)
      const row: Row = { ...hint.row, ...writer.next(hint.name) }
      this.added(hints.replace(hint, row))
    }
    hints.store()
  }
}

/** Where a row is, and whose it is. */
interface Placed {
  readonly name: PartitionName
  readonly row: Pick<Row, 'writer'>
}

/** The first row of each partition and replica id, in the order of the rows. */
export function distinctParts<T extends Placed>(rows: readonly T[]): T[] {
  const seen = new Map<string, T>()
  for (const each of rows) {
    const part = partOf(each)
    if (!seen.has(part)) seen.set(part, each)
  }
  return [...seen.values()]
}

function partOf({ name, row }: Placed): string {
  return `${nameKey(name)} ${row.writer}`
}
