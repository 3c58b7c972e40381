import { hashHex } from '../bytes/hash.ts'
import type { Instant } from '../instant.ts'
import {
  COVERED_KEPT_MS,
  COVERED_MAX_AGE_MS,
  COVERS_PER_SECOND,
  COVER_BURST_MAX,
  COVER_PARTS_MAX,
  COVER_PATIENCE_MS,
} from '../limits.ts'
import type { SeenPart } from '../digests/part-digests.ts'
import { Allowances } from '../members/allowances.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import { includes } from '../placement/placement.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { AntiEntropy } from '../replication/anti-entropy.ts'
import type { Checkpoint } from '../storage/checkpoint.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { VersionVector } from '../versions/version-vector.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'

export type CoversMessage = Extract<Message, { readonly type: 'covers' }>
export type CoveredMessage = Extract<Message, { readonly type: 'covered' }>

/** What an owner was asked. */
interface Question {
  readonly request: number
  readonly askedAtMs: number
  readonly names: readonly PartitionName[]
  /** By partition: the state of the copy that it was asked about. */
  readonly states: readonly string[]
}

/** An owner has said that it has all of a copy. */
export interface CoveredBy {
  readonly askedAtMs: number
  /** The state of the copy that was asked about. */
  readonly state: string
}

export interface HandoverDeps {
  readonly antiEntropy: AntiEntropy
  readonly checkpoint: Checkpoint
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly requests: RequestNumbers
  readonly peerId: PeerId
  readonly placement: Rendezvous
}

/**
 * Lets a former owner drop its copies, and no peer the last one. It asks each owner, in its own view, with its vector. An
 * owner says yes only if it owns the partition in its own view, is whole, and durably has all that it was asked about, on a sound
 * store, both on one purge floor; and then it keeps its copy for a minute. The copy is dropped in one step if all owners have said yes
 * to questions less than 30 s old, on connections that still stand, nothing has come to the copy since, and this peer has
 * no such word to keep itself. The views of the peers need not be equal.
 */
export class Handover {
  readonly #deps: HandoverDeps
  readonly #allowances = new Allowances(COVER_BURST_MAX, COVERS_PER_SECOND)
  readonly #questions = new Map<PeerId, Question>()
  /** By partition and owner. */
  readonly #covered = new Map<string, Map<PeerId, CoveredBy>>()
  /** By partition: until when its copy is kept for others that rely on it. */
  readonly #keptUntilMs = new Map<string, number>()

  constructor(deps: HandoverDeps) {
    this.#deps = deps
  }

  /** An owner's word ends with the connection: it may have begun another life, and forgotten what it keeps. */
  disconnected(owner: PeerId): void {
    this.#questions.delete(owner)
    for (const covered of this.#covered.values()) covered.delete(owner)
  }

  /** Asks the owners of what this peer has and does not own. Returns what it may drop now. */
  look(now: Instant): PartitionName[] {
    const former = this.former()
    const keys = new Set(former.map(nameKey))
    for (const key of this.#covered.keys()) if (!keys.has(key)) this.#covered.delete(key)
    for (const [key, untilMs] of this.#keptUntilMs) if (untilMs < now.monotonicMs) this.#keptUntilMs.delete(key)
    // A session under way may count on what this peer has said that it has.
    const droppable = this.#deps.antiEntropy.sessionCount > 0 ? [] : former.filter((name) => this.#isCovered(name, now))
    this.#ask(former, now)
    return droppable
  }

  /** Another peer asks which of its copies this one covers. */
  asked(from: PeerId, { request, parts }: CoversMessage, now: Instant): void {
    if (parts.length > COVER_PARTS_MAX || !this.#allowances.take(from, 1, now.monotonicMs)) return
    const places = new Map(parts.map((part, place) => [nameKey(part), place]))
    const { checkpoint, placement } = this.#deps
    // Until a damaged store is written again, a crash costs the copy its vector, and that it is whole.
    const owned = parts.filter((part) => !checkpoint.damaged && this.#isOwned(part) && placement.isWhole(part))
    const covered = new Uint8Array(Math.ceil(parts.length / 8))
    for (const part of this.#deps.antiEntropy.digests.decode(() => true, owned)) {
      if (!this.#covers(part)) continue
      const place = places.get(nameKey(part))!
      covered[place >> 3]! |= 1 << (place & 7)
      this.#keptUntilMs.set(nameKey(part), now.monotonicMs + COVERED_KEPT_MS)
    }
    const { commit, outbox } = this.#deps
    commit.whenDurable(() => outbox.send(from, { type: 'covered', request, covered }))
  }

  /** This peer has all of another copy. On another floor a vector leaves out what is below: it says nothing of rows that are there. */
  #covers(part: SeenPart): boolean {
    const vector = this.#deps.collections.find(part)?.replica.vector ?? new VersionVector()
    return part.otherFloor === undefined && part.seen.countMissingIn(vector) === 0
  }

  /** An owner has answered. */
  answered(from: PeerId, { request, covered }: CoveredMessage): void {
    const question = this.#questions.get(from)
    if (question?.request !== request) return
    this.#questions.delete(from)
    for (const [place, name] of question.names.entries()) {
      if (((covered[place >> 3] ?? 0) & (1 << (place & 7))) === 0) continue
      const key = nameKey(name)
      const known = this.#covered.get(key) ?? new Map<PeerId, CoveredBy>()
      known.set(from, { askedAtMs: question.askedAtMs, state: question.states[place]! })
      this.#covered.set(key, known)
    }
  }

  /** The copies of this peer that others own, as far as all of those are whole and in reach. */
  former(): PartitionName[] {
    const { neighbours, placement } = this.#deps
    const former: PartitionName[] = []
    for (const name of placement.copies.names()) {
      if (this.#isOwned(name) || !placement.isHandedOver(name)) continue
      if (this.#ownersOf(name).every((owner) => neighbours.has(owner))) former.push(name)
    }
    return former
  }

  /** An answer counts if it is young, and about what the copy is now: compare and drop. */
  isCurrent(covered: CoveredBy, state: string, now: Instant): boolean {
    return now.monotonicMs - covered.askedAtMs <= COVERED_MAX_AGE_MS && covered.state === state
  }

  /** Whether another peer relies on this one to keep its copy. */
  isKept(name: PartitionName): boolean {
    return this.#keptUntilMs.has(nameKey(name))
  }

  #isCovered(name: PartitionName, now: Instant): boolean {
    const covered = this.#covered.get(nameKey(name))
    if (covered === undefined || this.isKept(name)) return false
    const state = this.#stateOf(name)
    return this.#ownersOf(name).every((owner) => {
      const by = covered.get(owner)
      return by !== undefined && this.isCurrent(by, state, now)
    })
  }

  #ask(former: readonly PartitionName[], now: Instant): void {
    const wanted = new Map<PeerId, PartitionName[]>()
    for (const name of former) {
      const state = this.#stateOf(name)
      for (const owner of this.#ownersOf(name)) {
        const by = this.#covered.get(nameKey(name))?.get(owner)
        if (by !== undefined && this.isCurrent(by, state, now)) continue
        const names = wanted.get(owner)
        if (names === undefined) wanted.set(owner, [name])
        else names.push(name)
      }
    }
    for (const [owner, names] of wanted) {
      const before = this.#questions.get(owner)
      if (before !== undefined && now.monotonicMs - before.askedAtMs < COVER_PATIENCE_MS) continue
      const some = names.slice(0, COVER_PARTS_MAX)
      const request = this.#deps.requests.next()
      const states = some.map((name) => this.#stateOf(name))
      this.#questions.set(owner, { request, askedAtMs: now.monotonicMs, names: some, states })
      const parts = some.map((name) => this.#deps.antiEntropy.digests.part(name))
      this.#deps.outbox.send(owner, { type: 'covers', request, parts })
    }
  }

  /** Changes with everything that comes to a copy. */
  #stateOf(name: PartitionName): string {
    const replica = this.#deps.collections.find(name)?.replica
    if (replica === undefined) return ''
    return `${hashHex(replica.vector.hash(this.#deps.ids))} ${hashHex(replica.fingerprint)} ${replica.floor.hash}`
  }

  #isOwned(name: PartitionName): boolean {
    return includes(this.#deps.placement.owners(name), this.#deps.peerId)
  }

  #ownersOf(name: PartitionName): PeerId[] {
    return [...(this.#deps.placement.owners(name) as ReadonlySet<PeerId>)]
  }
}
