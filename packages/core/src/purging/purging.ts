import { nameKey } from '../wire/block.ts'
import type { Collections } from '../replica/collections.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { raiseFloor } from '../replication/full-resync.ts'
import { includesSeen } from '../versions/floor.ts'
import type { Floor } from '../versions/floor.ts'
import {
  CANDIDATES_MAX,
  CANDIDATE_GAP_MS,
  CANDIDATE_IDS_MAX,
  CANDIDATE_MAX_BYTES,
  CANDIDATE_PARTS_MAX,
  CANDIDATE_PART_BYTES,
  CANDIDATE_SETTLED_MS,
  GRACE_MS,
  RETIRED_IDS_WANTED,
} from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { PeerId } from '../ports.ts'
import type { Candidate, CandidatePart, ProposedPart, Registered, Registry } from './registry.ts'
import { encodeVector } from '../versions/vector-codec.ts'
import { VersionVector } from '../versions/version-vector.ts'

const encoder = new TextEncoder()

export interface PurgingDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly membership: Membership
  readonly registry: Registry
}

/**
 * Decides when tombstones are purged.
 *
 * 1. About once a day, the leader (the durable member with the smallest peer id of those that are here) proposes its vectors
 *    as the next purge floor.
 * 2. Each durable member acknowledges the proposal when its own vectors cover it.
 * 3. The grace period of 14 days begins with the last acknowledgement. After it, every peer whose vectors cover the proposal
 *    adopts it as its floor.
 *
 * A durable member that is away delays this until it has been silent for 90 days, has left, or is forgotten.
 */
export class Purging {
  readonly #deps: PurgingDeps

  /** Proposals that were adopted as a whole. */
  readonly #taken = new Set<string>()

  constructor(deps: PurgingDeps) {
    this.#deps = deps
  }

  /** The work of a durable member: propose, acknowledge, and withdraw old proposals. */
  attend(wallMs: number): void {
    const { registry, membership } = this.#deps
    const { peerId } = membership.self
    registry.attend(peerId, wallMs)
    if (this.#isFirst()) this.#lead(wallMs)
    for (const candidate of registry.candidates()) {
      if (!registry.concerns(candidate, peerId) || registry.acknowledgements(candidate).has(peerId)) continue
      if (this.#ownParts(candidate).every((part) => this.#covers(part))) registry.acknowledge(candidate, peerId)
    }
  }

  /** The work of every peer: adopt the floors whose grace period is over. */
  ripen(wallMs: number): void {
    const { collections, registry } = this.#deps
    const candidates = registry.candidates()
    const versions = new Set(candidates.map(({ version }) => version))
    for (const version of this.#taken) if (!versions.has(version)) this.#taken.delete(version)
    if (candidates.length === 0) return
    const members = registry.members(wallMs)
    for (const candidate of candidates) {
      if (this.#taken.has(candidate.version) || !this.#isRipe(candidate, members, wallMs)) continue
      if (this.#ownParts(candidate).every((part) => this.#stands(part))) this.#taken.add(candidate.version)
      for (const part of candidate.parts) {
        const partition = collections.find(part)
        if (partition === undefined || this.#stands(part) || !this.#covers(part)) continue
        const floor = partition.replica.floor.with(part.floor.entries(), part.floor.dateMs)
        raiseFloor(partition, floor, collections.ids, (block) => this.#deps.commit.remote(block))
      }
    }
  }

  #lead(wallMs: number): void {
    const { registry, membership } = this.#deps
    for (const { record } of membership.others) if (record.left) registry.strike(record.peerId)
    for (const peerId of registry.silent(wallMs)) registry.strike(peerId)
    const members = registry.members(wallMs)
    const candidates = registry.candidates()
    for (const candidate of candidates) {
      if (this.#isRipe(candidate, members, wallMs - CANDIDATE_SETTLED_MS)) registry.withdraw(candidate.day)
    }
    const day = Math.floor(wallMs / CANDIDATE_GAP_MS)
    if (candidates.some((candidate) => candidate.day >= day)) return
    const parts = this.#wanted(day, candidates)
    if (parts.length === 0) return
    // Too many proposals wait for a member. The oldest and the newest of them are enough.
    const waiting = candidates.filter((candidate) => registry.acknowledgedMs(candidate, members) === undefined)
    if (waiting.length >= CANDIDATES_MAX) registry.withdraw(waiting.at(-2)!.day)
    registry.propose(day, parts)
  }

  /** What to propose: dots that no proposal covers, of partitions with something to purge. As much as fits into one row, in turn. */
  #wanted(day: number, candidates: readonly Candidate[]): ProposedPart[] {
    const { collections } = this.#deps
    const wanted = [...collections.partitions()].filter(
      ({ replica }) => replica.table.tombstoneCount > 0 || replica.vector.size >= RETIRED_IDS_WANTED,
    )
    const proposed = floorsByName(candidates)
    const parts: ProposedPart[] = []
    let idsMax = CANDIDATE_IDS_MAX
    let roomBytes = CANDIDATE_MAX_BYTES
    for (let i = 0; i < wanted.length && idsMax > 0 && parts.length < CANDIDATE_PARTS_MAX; i++) {
      const { name, replica } = wanted[(i + day) % wanted.length]!
      const news = this.#uncovered(replica.vector, proposed.get(nameKey(name)) ?? [], idsMax)
      if (news.size === 0) continue
      const vector = encodeVector(news, collections.ids)
      // Too many ranges. The partition is proposed later, when they have closed.
      if (vector.length > CANDIDATE_MAX_BYTES / 2) continue
      roomBytes -= CANDIDATE_PART_BYTES + vector.length + encoder.encode(name.collection).length
      if (roomBytes < 0) break
      idsMax -= news.size
      parts.push({ collection: name.collection, kind: name.kind, partition: name.partition, vector })
    }
    return parts
  }

  /** The part of a vector that none of the proposed floors covers, of up to `idsMax` replica ids. */
  #uncovered(vector: VersionVector, proposed: readonly Floor[], idsMax: number): VersionVector {
    const { ids } = this.#deps.collections
    const news = new VersionVector()
    for (const writer of vector.writers()) {
      if (news.size >= idsMax) break
      const [head, ranges] = [vector.head(writer), vector.rangesAbove(writer)]
      const isCovered = proposed.some((floor) => {
        const seen = floor.seenOfId(ids.id(writer))
        return seen !== undefined && includesSeen(seen, head, ranges)
      })
      if (isCovered) continue
      if (head > 0) news.addRange(writer, 1, head)
      news.addRanges(writer, ranges)
    }
    return news
  }

  #isRipe(candidate: Candidate, members: readonly Registered[], wallMs: number): boolean {
    const acknowledgedMs = this.#deps.registry.acknowledgedMs(candidate, members)
    return acknowledgedMs !== undefined && wallMs - acknowledgedMs >= GRACE_MS
  }

  /** The parts of a proposal that are about partitions of this peer. */
  #ownParts({ parts }: Candidate): readonly CandidatePart[] {
    const { placement } = this.#deps.collections
    return parts.filter((part) => placement.holds(part))
  }

  #covers(part: CandidatePart): boolean {
    const { collections } = this.#deps
    const vector = collections.find(part)?.replica.vector
    return vector?.reaches(part.floor, (replicaId) => collections.ids.indexOf(replicaId)) === true
  }

  /** Whether a partition stands on this floor or a larger one. */
  #stands(part: CandidatePart): boolean {
    const floor = this.#deps.collections.find(part)?.replica.floor
    if (floor === undefined || floor.dateMs < part.floor.dateMs) return false
    return floor.includes(part.floor)
  }

  /** Whether this peer leads: it has the smallest peer id of the durable members that are here. */
  #isFirst(): boolean {
    const { membership } = this.#deps
    const own: PeerId = membership.self.peerId
    return membership.others.every(
      ({ record, state }) => record.role !== 'storage' || state === 'gone' || state === 'asleep' || record.peerId > own,
    )
  }
}

/** The floors that proposals have for each partition. There may be thousands of partitions, so none is searched for in turn. */
function floorsByName(candidates: readonly Candidate[]): ReadonlyMap<string, readonly Floor[]> {
  const floors = new Map<string, Floor[]>()
  for (const { parts } of candidates) {
    for (const part of parts) {
      const key = nameKey(part)
      const known = floors.get(key)
      if (known === undefined) floors.set(key, [part.floor])
      else known.push(part.floor)
    }
  }
  return floors
}
