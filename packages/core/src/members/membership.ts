import type { Instant, RandomSource } from '../instant.ts'
import {
  FORGET_MEMBER_AFTER_MS,
  GONE_AFTER_MS,
  HEARTBEAT_MS,
  INCARNATION_MAX,
  MEMBERS_MAX,
  MEMBER_RECORDS_MAX_BYTES,
  OLDER_INCARNATION_HEARTBEATS,
  RARE_HEARTBEAT_EACH_MS,
  RARE_HEARTBEAT_MS,
  SUPERSEDE_GAP_MAX_MS,
  SUSPECT_AFTER_MS,
  TWIN_SUPERSEDES_MAX,
} from '../limits.ts'
import { compareRecords } from '../wire/member-record.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { MemberState } from '../outbox/effects.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaId } from '../versions/replica-ids.ts'

/** A member as this peer sees it. */
export interface Member {
  readonly record: MemberRecord
  readonly state: MemberState
  /** Monotonic milliseconds of this peer's clock at which its last sign of life came. */
  readonly heardAtMs: number
}

/**
 * Where a record came from: its member on a stream, which no peer can forge or replay; its member by broadcast, which may be
 * an old message; or another member.
 */
export type RecordSource = 'stream' | 'broadcast' | 'hearsay'

export interface MembershipDeps {
  readonly outbox: Outbox
  /** A member is gone: what is remembered of it can be forgotten. */
  gone(peerId: PeerId): void
}

interface Known {
  record: MemberRecord
  state: MemberState
  heardAtMs: number
  /** The record is the member's own word. */
  firstHand: boolean
  /** Broadcasts of an older life in a row, with none of the newer one between them. */
  older: number
}

/**
 * Who belongs to the grid: full records spread by broadcast and on connecting, leases are renewed by heartbeats. A
 * detector that probes can take the place of the leases behind the same methods.
 */
export class Membership {
  readonly #deps: MembershipDeps
  readonly #members = new Map<PeerId, Known>()
  #self: MemberRecord
  #nextHeartbeatMs = 0
  /** Own records of another life that were superseded since the last calm. */
  #supersedes = 0
  #nextSupersedeMs = -Infinity

  constructor(self: MemberRecord, deps: MembershipDeps) {
    this.#self = self
    this.#deps = deps
  }

  get self(): MemberRecord {
    return this.#self
  }

  /** All other members, also those that are gone but not yet forgotten. */
  get others(): readonly Member[] {
    return [...this.#members.values()]
  }

  /** How many others there are, those that are gone included. */
  get size(): number {
    return this.#members.size
  }

  /** Whether a peer is a member that stores durably. */
  isDurable(peerId: PeerId): boolean {
    return this.get(peerId)?.record.role === 'storage'
  }

  get(peerId: PeerId): Member | undefined {
    return this.#members.get(peerId)
  }

  /** The member that writes under a replica id, unless it is gone. */
  writerOf(replicaId: ReplicaId): PeerId | undefined {
    for (const [peerId, { record, state }] of this.#members) {
      if (record.replicaId === replicaId && state !== 'gone') return peerId
    }
    return undefined
  }

  /** Whether every member that is not gone satisfies the condition. */
  everyPresent(condition: (peerId: PeerId) => boolean): boolean {
    for (const [peerId, { state }] of this.#members) if (state !== 'gone' && !condition(peerId)) return false
    return true
  }

  /** Changes what this peer says of itself. */
  update(changes: Partial<Pick<MemberRecord, 'addresses' | 'replicaId' | 'left' | 'weight'>>): void {
    this.#self = { ...this.#self, ...changes, revision: this.#self.revision + 1 }
    this.#nextHeartbeatMs = 0
  }

  /** This peer may be silent for long from now on, or is back. */
  sleep(asleep: boolean): void {
    if (asleep === (this.#self.asleep === true)) return
    const { asleep: _, ...awake } = this.#self
    this.#self = asleep ? { ...awake, asleep } : awake
    this.update({})
  }

  /** Records for a new neighbour: this peer first, then those not gone, as many as fit one message. */
  records(): MemberRecord[] {
    const records = [this.#self]
    let sizeBytes = 0
    for (const { record, state } of this.#members.values()) {
      if (state === 'gone') continue
      sizeBytes += sizeMaxOf(record)
      if (sizeBytes > MEMBER_RECORDS_MAX_BYTES) break
      records.push(record)
    }
    return records
  }

  /**
   * Takes a record from anywhere. True when it is news. What a member says of itself renews its lease; what others say of
   * it counts only while its own word is not to be had.
   */
  learn(record: MemberRecord, source: RecordSource, now: Instant): boolean {
    if (record.peerId === this.#self.peerId) {
      this.#supersede(record, now)
      return false
    }
    const firstHand = source !== 'hearsay'
    const known = this.#members.get(record.peerId)
    if (known === undefined) {
      if (record.left || !this.#makeRoom(firstHand)) return false
      // A record from another member starts a lease too, or no peer would dial the member and find out.
      const state = presentState(record)
      this.#members.set(record.peerId, { record, state, heardAtMs: now.monotonicMs, firstHand, older: 0 })
      this.#changed(record, state)
      return true
    }
    if (!firstHand && known.firstHand && known.state !== 'gone') return false
    const order = compareRecords(record, known.record)
    if (source === 'broadcast') known.older = order < 0 ? known.older + 1 : 0
    const lives = known.older >= OLDER_INCARNATION_HEARTBEATS
    const reported = source === 'stream' || (firstHand && !known.firstHand) || lives
    const news = order > 0 || (order < 0 && reported)
    if (news || (reported && order === 0)) {
      known.record = record
      known.firstHand = firstHand
    }
    if (record.left && news) this.#set(known, 'gone')
    else if (firstHand && !known.record.left) {
      known.heardAtMs = now.monotonicMs
      this.#set(known, presentState(known.record))
    }
    return news
  }

  /** A sign of life from a member, whatever it was. */
  renewLease(peerId: PeerId, now: Instant): void {
    const known = this.#members.get(peerId)
    if (known === undefined || known.record.left) return
    known.heardAtMs = now.monotonicMs
    this.#set(known, presentState(known.record))
  }

  /** A member has said that it closes. */
  departed(peerId: PeerId, left: boolean): void {
    const known = this.#members.get(peerId)
    if (known === undefined) return
    if (left) known.record = { ...known.record, left, revision: known.record.revision + 1 }
    this.#set(known, 'gone')
  }

  /** True when a heartbeat is due; the next one is then set. */
  heartbeatDue(now: Instant, random: RandomSource): boolean {
    if (now.monotonicMs < this.#nextHeartbeatMs) return false
    const jitter = 0.8 + (random.uint32() / 0x100000000) * 0.4
    this.#nextHeartbeatMs = now.monotonicMs + heartbeatMs(this.#heardCount()) * jitter
    return true
  }

  get wakeAtMs(): number {
    return this.#nextHeartbeatMs
  }

  /** Lets leases run out. */
  expire(now: Instant): void {
    const stretch = heartbeatMs(this.#members.size) / HEARTBEAT_MS
    for (const [peerId, member] of this.#members) {
      const silentMs = now.monotonicMs - member.heardAtMs
      if (silentMs > FORGET_MEMBER_AFTER_MS) this.#members.delete(peerId)
      else if (member.state === 'asleep') continue
      else if (silentMs > GONE_AFTER_MS * stretch) this.#set(member, 'gone')
      else if (silentMs > SUSPECT_AFTER_MS * stretch && member.state === 'alive') this.#set(member, 'suspect')
    }
  }

  /** Others still go by an earlier life of this peer, from a time when its clock was further ahead. */
  #supersede(record: MemberRecord, now: Instant): void {
    const order = compareRecords(record, this.#self)
    // If the clock stood still, two lives have the same incarnation. This peer runs now, so its own record is the newer one.
    const other = record.replicaId !== this.#self.replicaId || record.addresses.join() !== this.#self.addresses.join()
    if (order < 0 || (order === 0 && !other) || record.incarnation >= INCARNATION_MAX) return
    if (now.monotonicMs < this.#nextSupersedeMs) return
    // One life before this one is superseded once. One that has to be superseded again and again is alive.
    if (now.monotonicMs - this.#nextSupersedeMs > SUPERSEDE_GAP_MAX_MS) this.#supersedes = 0
    this.#supersedes += 1
    this.#nextSupersedeMs = now.monotonicMs + Math.min(HEARTBEAT_MS * 2 ** this.#supersedes, SUPERSEDE_GAP_MAX_MS)
    if (this.#supersedes === TWIN_SUPERSEDES_MAX) {
      const reason = `others keep meeting another peer ${this.#self.peerId}: is its directory in use twice?`
      this.#deps.outbox.event({ type: 'identity-in-use', reason })
    }
    this.#self = { ...this.#self, incarnation: record.incarnation + 1 }
    this.#nextHeartbeatMs = 0
  }

  /** Members whose heartbeats come, and who therefore share the time with this peer's. */
  #heardCount(): number {
    let count = 0
    for (const { firstHand } of this.#members.values()) if (firstHand) count += 1
    return count
  }

  /**
   * In a full table the member that has been gone for longest gives way, and for a member that speaks for itself also one that
   * is only talked of.
   */
  #makeRoom(firstHand: boolean): boolean {
    if (this.#members.size < MEMBERS_MAX) return true
    let oldest: { peerId: PeerId; heardAtMs: number } | undefined
    for (const [peerId, known] of this.#members) {
      const yields = known.state === 'gone' || (firstHand && !known.firstHand)
      if (yields && known.heardAtMs < (oldest?.heardAtMs ?? Infinity)) oldest = { peerId, heardAtMs: known.heardAtMs }
    }
    return oldest !== undefined && this.#members.delete(oldest.peerId)
  }

  #set(member: Known, state: MemberState): void {
    if (member.state === state) return
    member.state = state
    this.#changed(member.record, state)
  }

  #changed(record: MemberRecord, state: MemberState): void {
    if (state === 'gone') this.#deps.gone(record.peerId)
    this.#deps.outbox.event({ type: 'member', record, state })
  }
}

/** The state of a member that has just given a sign of life. */
function presentState(record: MemberRecord): MemberState {
  return record.asleep === true ? 'asleep' : 'alive'
}

/** At most so many bytes on the wire: addresses are the only part without a small bound. */
function sizeMaxOf(record: MemberRecord): number {
  return record.addresses.reduce((sum, address) => sum + 3 * address.length, 1024)
}

/** Every peer hears every heartbeat, so they slow down as the grid grows: 2 s up to 20 members, a tenth of a second each above. */
export function heartbeatMs(otherMembers: number): number {
  return Math.max(HEARTBEAT_MS, otherMembers * 100)
}

/** While heartbeats reach every member on streams, those by gossip are rare, so that a large grid is not busy with them. */
export function rareHeartbeatMs(otherMembers: number): number {
  return Math.max(RARE_HEARTBEAT_MS, otherMembers * RARE_HEARTBEAT_EACH_MS)
}
