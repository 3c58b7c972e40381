import { hashHex, hashText } from '../bytes/hash.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import type { Instant } from '../instant.ts'
import {
  CANDIDATE_GAP_MS,
  CANDIDATE_SETTLED_MS,
  COVERS_PER_SECOND,
  COVER_BURST_MAX,
  COVER_PARTS_MAX,
  COVER_PATIENCE_MS,
  GRACE_MS,
  RETIRED_IDS_WANTED,
} from '../limits.ts'
import { Allowances } from '../members/allowances.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import { includes } from '../placement/placement.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import { uncoveredDots } from '../purging/uncovered-dots.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import { raiseFloor } from '../replication/full-resync.ts'
import type { Checkpoint } from '../storage/checkpoint.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { Floor } from '../versions/floor.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { encodeVector, readVector } from '../versions/vector-codec.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import { FloorMarks } from './floor-marks.ts'
import type { FloorMark } from './floor-marks.ts'
import type { CoveredMessage, CoversMessage } from './handover.ts'

/** When an owner first looks after it was opened: it has more urgent work then. */
const FLOORS_AFTER_MS = 300_000
/** How often an owner looks which floors it is to propose, and which are due. */
const FLOORS_GAP_MS = 15_000
/** A peer that has not seen all of a floor is asked again after this. Doubles, up to the second one. */
const RETRY_MS = 15_000
const RETRY_MAX_MS = 600_000
/** Replica ids in the proposed floor of a partition, and bytes of the vectors in one question. */
const IDS_MAX = 5000
const QUESTION_MAX_BYTES = 256 * 1024

/** A floor that this peer proposes, until all peers with a copy have acknowledged it. */
interface Proposal {
  readonly name: PartitionName
  readonly floor: Floor
  /** The encoded vector, as it is sent. */
  readonly vector: Uint8Array
  readonly acknowledged: Set<PeerId>
}

/** What a peer was asked. */
interface Question {
  readonly request: number
  readonly askedAtMs: number
  readonly proposals: readonly Proposal[]
}

/** When a peer that has not seen all of a floor is asked again. */
interface Retry {
  readonly atMs: number
  readonly gapMs: number
}

export interface PartitionFloorsDeps {
  readonly checkpoint: Checkpoint
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly peerId: PeerId
  readonly placement: Rendezvous
  readonly requests: RequestNumbers
  readonly time: Timekeeping
}

/**
 * Decides when tombstones of partitions are purged.
 *
 * 1. About once a day, each owner with a whole copy proposes its vector as the next purge floor.
 * 2. It asks every peer that publishes a copy, former owners and those that are away included, until each has said that it durably
 *    has all of it. A peer says so only if it knows of no further one with a copy.
 * 3. Fourteen days later, the owner adopts the floor. Other peers adopt it in their next session, or do a full resync.
 *
 * No peer has to agree on anything: floors only grow, and sessions make them equal. So nothing of this is replicated.
 */
export class PartitionFloors {
  readonly marks: FloorMarks
  readonly #deps: PartitionFloorsDeps
  readonly #allowances = new Allowances(COVER_BURST_MAX, COVERS_PER_SECOND)
  /** By partition. */
  readonly #proposals = new Map<string, Proposal>()
  readonly #questions = new Map<PeerId, Question>()
  readonly #retries = new Map<PeerId, Retry>()
  #nextMs: number

  constructor(deps: PartitionFloorsDeps, now: Instant) {
    this.#deps = deps
    this.marks = new FloorMarks(deps)
    this.#nextMs = now.monotonicMs + FLOORS_AFTER_MS
  }

  disconnected(neighbour: PeerId): void {
    this.#questions.delete(neighbour)
    this.#retries.delete(neighbour)
  }

  look(now: Instant): void {
    if (now.monotonicMs < this.#nextMs || this.#deps.commit.full) return
    this.#nextMs = now.monotonicMs + FLOORS_GAP_MS
    const wallMs = this.#deps.time.wallMs(now)
    this.#adoptDue(wallMs)
    this.#propose(wallMs)
    for (const proposal of this.#proposals.values()) this.#settle(proposal, wallMs)
    this.#ask(now)
    this.marks.tick()
  }

  /** Another owner asks which of the floors that it proposes this peer has seen. */
  asked(from: PeerId, { request, parts }: CoversMessage, now: Instant): void {
    if (parts.length > COVER_PARTS_MAX || !this.#allowances.take(from, 1, now.monotonicMs)) return
    const { checkpoint, collections, commit, ids, outbox, placement } = this.#deps
    const covered = new Uint8Array(Math.ceil(parts.length / 8))
    for (const [place, part] of parts.entries()) {
      // The sender may not have heard of all copies: its floor would not wait for them.
      if (checkpoint.damaged || !placement.holds(part) || part.fingerprint !== this.#publishersHash(part)) continue
      const floor = Floor.empty(ids).with(readVector(part.vector), 0)
      if (this.#reaches(collections.find(part), floor)) covered[place >> 3]! |= 1 << (place & 7)
    }
    commit.whenDurable(() => outbox.send(from, { type: 'covered', request, covered }))
  }

  answered(from: PeerId, { request, covered }: CoveredMessage, now: Instant): void {
    const question = this.#questions.get(from)
    if (question?.request !== request) return
    this.#questions.delete(from)
    let isAll = true
    for (const [place, proposal] of question.proposals.entries()) {
      if (((covered[place >> 3] ?? 0) & (1 << (place & 7))) === 0) isAll = false
      else {
        proposal.acknowledged.add(from)
        this.#settle(proposal, this.#deps.time.wallMs(now))
      }
    }
    const before = this.#retries.get(from)?.gapMs ?? 0
    const gapMs = isAll ? 0 : Math.min(Math.max(2 * before, RETRY_MS), RETRY_MAX_MS)
    this.#retries.set(from, { atMs: now.monotonicMs + gapMs, gapMs })
  }

  #adoptDue(wallMs: number): void {
    const { collections, commit, ids } = this.#deps
    for (const mark of this.marks.all()) {
      const dueMs = mark.settledMs + GRACE_MS
      if (wallMs < dueMs) continue
      const partition = collections.find(mark.name)
      if (partition !== undefined && this.#reaches(partition, mark.floor)) {
        const floor = partition.replica.floor.with(mark.floor.entries(), mark.floor.dateMs)
        if (floor.hash !== partition.replica.floor.hash) {
          raiseFloor(partition, floor, ids, (block) => commit.remote(block))
        }
        this.marks.remove(mark)
      } else if (partition === undefined || wallMs >= dueMs + CANDIDATE_SETTLED_MS) this.marks.remove(mark)
    }
  }

  /** Proposes what is new in the copies that this peer owns, where there is something to purge. */
  #propose(wallMs: number): void {
    const { collections, commit, ids, peerId, placement } = this.#deps
    for (const [key, { name }] of this.#proposals) if (!this.#mayPropose(name)) this.#proposals.delete(key)
    if (this.marks.full) return
    for (const name of placement.copies.names()) {
      const key = nameKey(name)
      const partition = collections.find(name)
      if (partition === undefined || this.#proposals.has(key) || !this.#mayPropose(name)) continue
      const { floor: adopted, table, vector } = partition.replica
      if (table.tombstoneCount === 0 && vector.size < RETIRED_IDS_WANTED) continue
      const marks = this.marks.of(name)
      const last = marks.at(-1)
      if (last !== undefined && wallMs - last.settledMs < CANDIDATE_GAP_MS) continue
      const news = uncoveredDots(vector, [adopted, ...marks.map(({ floor }) => floor)], ids, IDS_MAX)
      const encoded = encodeVector(news, ids)
      // Too many ranges: it is proposed later, when they have closed.
      if (news.size === 0 || encoded.length > QUESTION_MAX_BYTES / 2) continue
      const floor = Floor.empty(ids).with(readVector(encoded), Math.max(0, Math.floor(wallMs)))
      const proposal: Proposal = { name, floor, vector: encoded, acknowledged: new Set() }
      this.#proposals.set(key, proposal)
      commit.whenDurable(() => proposal.acknowledged.add(peerId))
    }
  }

  #mayPropose(name: PartitionName): boolean {
    const { checkpoint, peerId, placement } = this.#deps
    return !checkpoint.damaged && includes(placement.owners(name), peerId) && placement.isWhole(name)
  }

  /** The grace period of a floor begins when all peers with a copy have it. */
  #settle(proposal: Proposal, wallMs: number): void {
    const { name, floor } = proposal
    if (this.#proposals.get(nameKey(name)) !== proposal || !this.#mayPropose(name)) return
    if (this.#deps.placement.isShownOnly(name) || this.#missing(proposal).length > 0) return
    this.#proposals.delete(nameKey(name))
    this.marks.add({ name, floor, settledMs: Math.max(0, Math.floor(wallMs)) } satisfies FloorMark)
  }

  /** The peers that have not acknowledged a proposal. */
  #missing({ name, acknowledged }: Proposal): PeerId[] {
    return this.#deps.placement.publishers(name).filter((peer) => !acknowledged.has(peer))
  }

  #ask(now: Instant): void {
    const { neighbours, peerId, outbox, requests } = this.#deps
    const wanted = new Map<PeerId, Proposal[]>()
    for (const proposal of this.#proposals.values()) {
      for (const peer of this.#missing(proposal)) {
        if (peer === peerId || !neighbours.has(peer)) continue
        const proposals = wanted.get(peer)
        if (proposals === undefined) wanted.set(peer, [proposal])
        else proposals.push(proposal)
      }
    }
    for (const [peer, proposals] of wanted) {
      const before = this.#questions.get(peer)
      if (before !== undefined && now.monotonicMs - before.askedAtMs < COVER_PATIENCE_MS) continue
      if (now.monotonicMs < (this.#retries.get(peer)?.atMs ?? -Infinity)) continue
      const some = fitting(proposals)
      const request = requests.next()
      this.#questions.set(peer, { request, askedAtMs: now.monotonicMs, proposals: some })
      const parts = some.map(({ name, vector }) => ({ ...name, vector, fingerprint: this.#publishersHash(name) }))
      outbox.send(peer, { type: 'covers', request, floor: true, parts })
    }
  }

  #reaches(partition: Partition | undefined, floor: Floor): boolean {
    const { ids } = this.#deps
    return partition?.replica.vector.reaches(floor, (replicaId) => ids.indexOf(replicaId)) === true
  }

  /** Equal at two peers that know of the same copies of a partition. */
  #publishersHash(name: PartitionName): string {
    const text = this.#deps.placement.publishers(name).join('\n')
    return hashHex({ high: hashText(text, 1), low: hashText(text, 2) })
  }
}

/** As many of the first proposals as one question has room for. */
function fitting(proposals: readonly Proposal[]): Proposal[] {
  let bytes = 0
  return proposals.slice(0, COVER_PARTS_MAX).filter(({ vector }) => (bytes += vector.length) <= QUESTION_MAX_BYTES)
}
