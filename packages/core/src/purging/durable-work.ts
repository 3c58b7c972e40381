import { nameKey } from '../wire/block.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { Collections } from '../replica/collections.ts'
import type { Floor } from '../versions/floor.ts'
import {
  CANDIDATES_MAX,
  CANDIDATE_GAP_MS,
  CANDIDATE_IDS_MAX,
  CANDIDATE_MAX_BYTES,
  CANDIDATE_PARTS_MAX,
  CANDIDATE_PART_BYTES,
  CANDIDATE_SETTLED_MS,
  MEMBER_SILENT_MAX_MS,
  RETIRED_IDS_WANTED,
  SIGN_OF_LIFE_MS,
} from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { PeerId } from '../ports.ts'
import type { Purging } from './purging.ts'
import { ACK, FLOOR, MEMBER } from './registry.ts'
import type { Candidate, Registry } from './registry.ts'
import type { RegistryRows } from './registry-rows.ts'
import { wallFromHlc } from '../clock/hlc.ts'
import { encodeVector } from '../versions/vector-codec.ts'
import { uncoveredDots } from './uncovered-dots.ts'

const encoder = new TextEncoder()

export interface DurableWorkDeps {
  readonly collections: Collections
  readonly membership: Membership
  readonly purging: Purging
  readonly registry: Registry
  readonly rows: RegistryRows
}

/** A `CandidatePart` as it is written into the registry: with an encoded vector. */
interface ProposedPart {
  readonly collection: string
  readonly kind: number
  readonly partition: number
  readonly vector: Uint8Array
}

/** What durable members do for purging, and no other peers: see `Purging`. */
export class DurableWork {
  readonly #deps: DurableWorkDeps

  constructor(deps: DurableWorkDeps) {
    this.#deps = deps
  }

  /** Proposes, acknowledges, and withdraws old proposals. */
  attend(wallMs: number): void {
    const { membership, purging, registry } = this.#deps
    const { peerId } = membership.self
    this.#signLife(peerId, wallMs)
    if (this.#isFirst()) this.#lead(wallMs)
    for (const candidate of registry.candidates()) {
      if (!registry.concerns(candidate, peerId) || registry.acknowledgements(candidate).has(peerId)) continue
      if (purging.ownParts(candidate).every((part) => purging.covers(part))) this.#acknowledge(candidate, peerId)
    }
  }

  #lead(wallMs: number): void {
    const { membership, purging, registry } = this.#deps
    for (const { record } of membership.others) if (record.left) registry.strike(record.peerId)
    for (const peerId of this.#silent(wallMs)) registry.strike(peerId)
    const members = registry.members(wallMs)
    const candidates = registry.candidates()
    for (const candidate of candidates) {
      if (purging.isRipe(candidate, members, wallMs - CANDIDATE_SETTLED_MS)) this.#withdraw(candidate.day)
    }
    const day = Math.floor(wallMs / CANDIDATE_GAP_MS)
    if (candidates.some((candidate) => candidate.day >= day)) return
    const parts = this.#wanted(day, candidates)
    if (parts.length === 0) return
    // Too many proposals wait for a member. The oldest and the newest of them are enough.
    const waiting = candidates.filter((candidate) => registry.acknowledgedMs(candidate, members) === undefined)
    if (waiting.length >= CANDIDATES_MAX) this.#withdraw(waiting.at(-2)!.day)
    this.#propose(day, parts)
  }

  /** What to propose: dots that no proposal covers, of partitions with something to purge. As much as fits into one row, in turn. */
  #wanted(day: number, candidates: readonly Candidate[]): ProposedPart[] {
    const { collections } = this.#deps
    const wanted = [...collections.partitions()].filter(
      // The floor of a partition is agreed on among the peers that hold it: see `PartitionFloors`.
      ({ name, replica }) =>
        isReplicated(name) && (replica.table.tombstoneCount > 0 || replica.vector.size >= RETIRED_IDS_WANTED),
    )
    const proposed = floorsByName(candidates)
    const parts: ProposedPart[] = []
    let idsMax = CANDIDATE_IDS_MAX
    let roomBytes = CANDIDATE_MAX_BYTES
    for (let i = 0; i < wanted.length && idsMax > 0 && parts.length < CANDIDATE_PARTS_MAX; i++) {
      const { name, replica } = wanted[(i + day) % wanted.length]!
      const news = uncoveredDots(replica.vector, proposed.get(nameKey(name)) ?? [], collections.ids, idsMax)
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

  /** Durable members that gave no sign of life for 90 days. */
  #silent(wallMs: number): PeerId[] {
    const rows = this.#deps.rows.of(MEMBER).filter(({ hlc }) => wallMs - wallFromHlc(hlc) > MEMBER_SILENT_MAX_MS)
    return rows.map(({ key }) => key.slice(MEMBER.length))
  }

  /** Registers a durable peer, or renews its sign of life when that is due. */
  #signLife(peerId: PeerId, wallMs: number): void {
    const known = this.#deps.registry.members(wallMs).find((member) => member.peerId === peerId)
    if (known !== undefined && wallMs - known.heardMs < SIGN_OF_LIFE_MS) return
    this.#deps.rows.write(MEMBER + peerId, { since: known?.sinceMs ?? Math.max(0, Math.floor(wallMs)) })
  }

  #propose(day: number, parts: readonly ProposedPart[]): void {
    this.#deps.rows.write(FLOOR + day, { parts })
  }

  #acknowledge({ day, version }: Candidate, peerId: PeerId): void {
    this.#deps.rows.write(`${ACK}${day}/${peerId}`, { version })
  }

  /** Removes a proposal and its acknowledgements. */
  #withdraw(day: number): void {
    for (const { key } of [...this.#deps.rows.of(`${ACK}${day}/`)]) this.#deps.rows.delete(key)
    this.#deps.rows.delete(FLOOR + day)
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
