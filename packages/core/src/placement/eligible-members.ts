import { fold32, hashText, mix32 } from '../bytes/hash.ts'
import type { PeerId } from '../ports.ts'

/** A peer that may own partitions. */
export interface EligibleMember {
  readonly peerId: PeerId
  /** Relative capacity, a whole number up to `WEIGHT_MAX`. A peer of weight 0 owns nothing. */
  readonly weight: number
  /** Failure domain. Peers that name none ('') count as one zone. */
  readonly zone: string
}

/** Turns the number of a ticket into very different bits (2^32 divided by the golden ratio). */
const TICKET_STEP = 0x9e3779b9
const SEED_LOW = 0x6f776e31
const SEED_HIGH = 0x6f776e32
const SEED_PARTITION = 0x70617274

/**
 * Chooses the owners of partitions by weighted rendezvous hashing (Thaler and Ravishankar, 1998): each member has a score
 * for each partition, and the highest scores own it. So a member that joins takes its share from all others, and nothing
 * else moves.
 *
 * The score is the largest of as many hashes as the member's weight. That gives it a share in proportion to the weight, as
 * the usual -weight / ln(hash) does, and needs only whole numbers: a logarithm may differ between engines in its last bit,
 * and then two peers would disagree about an owner.
 */
export class EligibleMembers {
  /** By ascending peer id, so that of two equal scores the smaller id counts, on every peer. */
  readonly #members: readonly EligibleMember[]
  readonly #low: Int32Array
  readonly #high: Int32Array
  /** By member: the number of its zone. */
  readonly #zones: Uint32Array
  readonly #zoneCount: number
  readonly #scores: Float64Array
  /** By zone: the member with the highest score, or -1. */
  readonly #firstOfZone: Int32Array

  constructor(members: Iterable<EligibleMember>) {
    const eligible = [...members].filter(({ weight }) => weight > 0)
    this.#members = eligible.toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))
    this.#low = Int32Array.from(this.#members, ({ peerId }) => hashText(peerId, SEED_LOW))
    this.#high = Int32Array.from(this.#members, ({ peerId }) => hashText(peerId, SEED_HIGH))
    const zones = new Map<string, number>()
    for (const { zone } of this.#members) if (!zones.has(zone)) zones.set(zone, zones.size)
    this.#zones = Uint32Array.from(this.#members, ({ zone }) => zones.get(zone)!)
    this.#zoneCount = zones.size
    this.#scores = new Float64Array(this.#members.length)
    this.#firstOfZone = new Int32Array(zones.size)
  }

  get size(): number {
    return this.#members.length
  }

  /**
   * The owners of the partition with this number, at most `ownersMax` of them: the best member of each zone, in the order
   * of their scores, and then, if there are fewer zones, the best of the members that were passed over.
   */
  ownersOf(partitionNumber: number, ownersMax: number): EligibleMember[] {
    this.#score(partitionNumber)
    this.#findFirstOfZones()
    const owners: EligibleMember[] = []
    for (let zones = Math.min(ownersMax, this.#zoneCount); zones > 0; zones--) {
      let best = -1
      for (const first of this.#firstOfZone) best = this.#better(best, first)
      owners.push(this.#take(best))
    }
    for (let rest = Math.min(ownersMax, this.size) - owners.length; rest > 0; rest--) {
      let best = -1
      for (let member = 0; member < this.size; member++) best = this.#better(best, member)
      owners.push(this.#take(best))
    }
    return owners
  }

  #score(partitionNumber: number): void {
    const seed = mix32(fold32(SEED_PARTITION, partitionNumber))
    for (let member = 0; member < this.size; member++) {
      const hash = fold32(fold32(seed, this.#low[member]!), this.#high[member]!)
      let score = 0
      for (let ticket = this.#members[member]!.weight; ticket > 0; ticket--) {
        score = Math.max(score, mix32(hash + Math.imul(ticket, TICKET_STEP)))
      }
      this.#scores[member] = score
    }
  }

  #findFirstOfZones(): void {
    this.#firstOfZone.fill(-1)
    for (let member = 0; member < this.size; member++) {
      const zone = this.#zones[member]!
      this.#firstOfZone[zone] = this.#better(this.#firstOfZone[zone]!, member)
    }
  }

  /** Of two members in the order of their peer ids, the one that owns sooner. */
  #better(one: number, other: number): number {
    if (one < 0) return other
    const difference = this.#scores[other]! - this.#scores[one]!
    return difference > 0 || (difference === 0 && other < one) ? other : one
  }

  /** It is not to be chosen again. */
  #take(member: number): EligibleMember {
    this.#scores[member] = -1
    return this.#members[member]!
  }
}
