import type { Instant } from '../instant.ts'
import { READS_PASSED_MAX } from '../limits.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Manner } from '../wire/read-messages.ts'
import type { Asking, Item } from './asking.ts'
import type { Currency } from './currency.ts'

export interface AnsweringDeps {
  readonly currency: Currency
  readonly peerId: PeerId
  readonly placement: Rendezvous
}

/** What another peer asks about partitions. */
export interface AskedItems<Asked, Answer> {
  readonly items: readonly Asked[]
  readonly manner: Manner
  /** The answer from the copy of this peer. */
  readonly answerOf: (item: Asked) => Answer
  readonly answer: (answers: readonly (Answer | undefined)[]) => void
}

/** Of the items of a question, by their places: which this peer answers, and which it asks others about. */
export interface AskedPlaces {
  readonly mayAnswer: readonly boolean[]
  readonly passesOn: readonly boolean[]
}

/**
 * Answers other peers from the copies of this one. An owner whose copy is not whole, or not current, and a peer without a copy
 * pass the question on, once; so does one that owns the partition no more, since it may not know of the latest writes.
 */
export class Answering {
  readonly #deps: AnsweringDeps
  readonly #passedFor = new Map<PeerId, number>()

  constructor(deps: AnsweringDeps) {
    this.#deps = deps
  }

  disconnected(neighbour: PeerId): void {
    this.#passedFor.delete(neighbour)
  }

  asked<Asked extends Item, Answer>(
    from: PeerId,
    { items, manner, answerOf, answer }: AskedItems<Asked, Answer>,
    onward: Pick<Asking<Asked, Answer>, 'ask' | 'full'>,
    now: Instant,
  ): void {
    const { mayAnswer, passesOn } = this.split(from, items, manner, onward.full, now)
    const own = items.map((item, place) => (mayAnswer[place] === true ? answerOf(item) : undefined))
    const unknown = items.filter((_, place) => passesOn[place] === true)
    if (unknown.length === 0) {
      answer(own)
      return
    }
    const done = (answers: readonly (Answer | undefined)[]): void => {
      this.passed(from, unknown.length)
      const further = answers[Symbol.iterator]()
      answer(own.map((each, place) => (passesOn[place] === true ? further.next().value : each)))
    }
    onward.ask(unknown, now, done, { passedFor: from })
  }

  /** Whether both know the same registration of a collection, as far as the peer that asks knows one. */
  isShared({ name, origin }: Item): boolean {
    return origin === undefined || this.#deps.placement.registered(name)?.origin === origin
  }

  /** What this peer answers itself, and what it asks others about. The latter counts until `passed` is called for it. */
  split(from: PeerId, items: readonly Item[], manner: Manner, isFull: boolean, now: Instant): AskedPlaces {
    // What begins with another registration has another history.
    const isShared = items.map((item) => this.isShared(item))
    const mayAnswer = items.map(({ name }, place) => isShared[place] === true && this.mayAnswer(name, manner, now))
    const passesOn = isShared.map((shared, place) => shared && mayAnswer[place] === false)
    const count = passesOn.filter(Boolean).length
    const waiting = this.#passedFor.get(from) ?? 0
    if (count === 0 || manner.passed === true || isFull || waiting + count > READS_PASSED_MAX)
      return { mayAnswer, passesOn: passesOn.map(() => false) }
    this.#passedFor.set(from, waiting + count)
    return { mayAnswer, passesOn }
  }

  /** So many items that were passed on for a peer are answered, or given up. */
  passed(from: PeerId, count: number): void {
    const left = (this.#passedFor.get(from) ?? 0) - count
    if (left > 0) this.#passedFor.set(from, left)
    else this.#passedFor.delete(from)
  }

  /** Whether what this peer says of a partition counts. */
  mayAnswer(name: PartitionName, { former }: Manner, now: Instant): boolean {
    const { currency, peerId, placement } = this.#deps
    if (!placement.isWhole(name)) return false
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    // Who asks may know of owners of which this peer has not heard yet.
    if (owners.has(peerId) && former !== true) return currency.isCurrent(name, now)
    // Of the former owners, only while no owner has a whole copy; and only in touch with one, since owners take what is written.
    return !placement.wholeHolders(name).some((peer) => owners.has(peer)) && currency.isInTouch(name, now)
  }
}
