import type { Collections } from './collections.ts'
import { GridError } from './errors.ts'
import type { Instant } from './instant.ts'
import { CONFIRMATIONS_MAX, CONFIRMATION_MS } from './limits.ts'
import type { Message } from './messages.ts'
import type { PeerId } from './ports.ts'
import type { ReplicaIds } from './replica-ids.ts'

type ConfirmMessage = Extract<Message, { readonly type: 'confirm' }>

/** One write whose durable copies are being counted. */
interface Request {
  readonly message: ConfirmMessage
  /** Copies wanted, the writer's own included. */
  readonly copies: number
  readonly asked: Set<PeerId>
  readonly confirmedBy: Set<PeerId>
}

/** Somebody waits for a write that is not here yet. */
interface Waiting {
  readonly from: PeerId
  readonly message: ConfirmMessage
  readonly expiresAtMs: number
}

export interface ConfirmationsOwner {
  send(to: PeerId, message: Message): void
  whenDurable(callback: () => void): void
  /** A write that somebody waits for is not here yet. */
  missing(from: PeerId): void
  /** Connected peers that store durably, in the order to ask them. */
  durableNeighbours(): readonly PeerId[]
  copies(request: number, copies: number): void
}

/** Counts durable copies of single writes, and answers others who count theirs. */
export class Confirmations {
  readonly #collections: Collections
  readonly #ids: ReplicaIds
  readonly #owner: ConfirmationsOwner
  readonly #requests = new Map<number, Request>()
  #waiting: Waiting[] = []
  #nextRequest = 1

  constructor(collections: Collections, ids: ReplicaIds, owner: ConfirmationsOwner) {
    this.#collections = collections
    this.#ids = ids
    this.#owner = owner
  }

  /** Starts counting the copies of a write that is durable here. Throws `BACKLOG_FULL` past 10,000 at a time. */
  request(dot: { collection: string; partition: number; replicaId: string; sequence: number }, copies: number): number {
    if (this.#requests.size >= CONFIRMATIONS_MAX) {
      throw new GridError('BACKLOG_FULL', `${CONFIRMATIONS_MAX} writes wait for copies already`)
    }
    const request = this.#nextRequest++
    const message: ConfirmMessage = { type: 'confirm', request, ...dot }
    this.#requests.set(request, { message, copies, asked: new Set(), confirmedBy: new Set() })
    this.#ask(this.#requests.get(request)!)
    return request
  }

  /** Nobody waits for this request any more. */
  cancel(request: number): void {
    this.#requests.delete(request)
  }

  /** Another peer may be worth asking now. */
  neighboursChanged(): void {
    for (const request of this.#requests.values()) this.#ask(request)
  }

  disconnected(neighbour: PeerId): void {
    for (const request of this.#requests.values()) request.asked.delete(neighbour)
    this.#waiting = this.#waiting.filter((waiting) => waiting.from !== neighbour)
    this.neighboursChanged()
  }

  confirmed(from: PeerId, number: number): void {
    const request = this.#requests.get(number)
    if (request === undefined || !request.asked.has(from)) return
    request.confirmedBy.add(from)
    const copies = request.confirmedBy.size + 1
    if (copies >= request.copies) this.#requests.delete(number)
    this.#owner.copies(number, copies)
  }

  /** Another peer asks for confirmation. */
  asked(from: PeerId, message: ConfirmMessage, now: Instant): void {
    if (this.#waiting.length >= CONFIRMATIONS_MAX) return
    this.#waiting.push({ from, message, expiresAtMs: now.monotonicMs + CONFIRMATION_MS })
    // The question may overtake the write, or the broadcast may have lost it.
    if (!this.#seen(message)) this.#owner.missing(from)
  }

  /** Answers those whose writes have come. */
  tick(now: Instant): void {
    if (this.#waiting.length === 0) return
    this.#waiting = this.#waiting.filter((waiting) => {
      if (!this.#seen(waiting.message)) return now.monotonicMs < waiting.expiresAtMs
      const { from, message } = waiting
      this.#owner.whenDurable(() => this.#owner.send(from, { type: 'confirmed', request: message.request }))
      return false
    })
  }

  #seen({ collection, partition, replicaId, sequence }: ConfirmMessage): boolean {
    const vector = this.#collections.get(collection)?.partitions[partition]?.replica.vector
    const replica = this.#ids.indexOf(replicaId)
    return vector !== undefined && replica !== undefined && vector.has(replica, sequence)
  }

  #ask(request: Request): void {
    for (const neighbour of this.#owner.durableNeighbours()) {
      if (request.asked.size >= request.copies - 1) return
      if (request.asked.has(neighbour)) continue
      request.asked.add(neighbour)
      this.#owner.send(neighbour, request.message)
    }
  }
}
