import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import { READS_MAX, READ_GATHER_MAX_MS, READ_PATIENCE_MS, READ_RETRY_MS, READ_TIMEOUT_MS } from '../limits.ts'
import { QuestionGathering } from './question-gathering.ts'
import type { Membership } from '../members/membership.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { PartitionName } from '../wire/block.ts'
import { ReadOutcome } from '../wire/read-messages.ts'
import type { Manner } from '../wire/read-messages.ts'

/** What is asked about one partition. */
export interface Item {
  readonly name: PartitionName
  /** For another peer: the registration of the collection that it knows. */
  readonly origin?: string | undefined
}

export interface AskOptions {
  readonly timeoutMs?: number
  /** The peer that this one asks for: the question does not go back to it, and is not passed on once more. */
  readonly passedFor?: PeerId
}

interface Wanted<Asked extends Item, Answer> {
  readonly asked: Asked
  readonly request: Request<Asked, Answer>
  /** Peers that were asked in this round. */
  tried: readonly PeerId[]
  /** While a question is under way. */
  askedAtMs: number | undefined
  /** No peer was left to ask; another round begins then. */
  retryAtMs: number
  /** Since when it gathers with others, while it does. */
  gatheredAtMs: number | undefined
  answer: Answer | undefined
}

interface Request<Asked extends Item, Answer> {
  readonly wanted: Wanted<Asked, Answer>[]
  readonly deadlineMs: number
  readonly passedFor: readonly PeerId[]
  readonly done: (answers: readonly (Answer | undefined)[]) => void
}

/** Of a request, what says when to look at it again. */
interface WaitingRequest {
  readonly wanted: readonly Pick<Wanted<Item, unknown>, 'answer' | 'askedAtMs' | 'retryAtMs'>[]
  readonly deadlineMs: number
}

interface Question<Asked extends Item, Answer> {
  readonly peer: PeerId
  readonly wanted: readonly Wanted<Asked, Answer>[]
  readonly askedAtMs: number
}

export interface AskingDeps<Asked extends Item, Answer> {
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly placement: Rendezvous
  readonly requests: RequestNumbers
  /** Of what one message can ask. */
  readonly itemsMax: number
  /** What one message asks has this in common. */
  readonly groupOf: (asked: Asked) => string
  /** One answer is about all that one message asks: it counts for all of it, or not at all. */
  readonly joint?: boolean
  /** While a peer has several questions to answer, further ones gather for a moment and go to it as one. */
  readonly gathers?: boolean
  /** After so long another peer is asked as well. Default: a second. */
  readonly patienceMs?: number
  /** What this peer itself may answer. */
  readonly ownAnswer: (asked: Asked, now: Instant) => Answer | undefined
  readonly send: (peer: PeerId, request: number, asked: readonly Asked[], manner: Manner) => void
}

/**
 * Asks about partitions, wherever they are: this peer if it may answer, else a whole owner in reach, the next one after a second,
 * else a neighbour that passes the question on. Without an answer the result says so.
 */
export class Asking<Asked extends Item, Answer> {
  readonly #deps: AskingDeps<Asked, Answer>
  readonly #requests = new Set<Request<Asked, Answer>>()
  readonly #questions = new Map<number, Question<Asked, Answer>>()
  readonly #gathering = new QuestionGathering<Wanted<Asked, Answer>>()
  readonly #patienceMs: number
  /** Requests that are new, or of which something was answered. They are many, and most inputs have to do with few of them. */
  readonly #stirred = new Set<Request<Asked, Answer>>()
  /** When to look at all of them. */
  #dueAtMs = Infinity

  constructor(deps: AskingDeps<Asked, Answer>) {
    this.#deps = deps
    this.#patienceMs = deps.patienceMs ?? READ_PATIENCE_MS
  }

  /** Monotonic milliseconds at which there is something to ask or to give up. */
  get wakeAtMs(): number {
    return this.#stirred.size > 0 ? 0 : Math.min(this.#dueAtMs, this.#gathering.dueAtMs)
  }

  /** No further request finds room. */
  get full(): boolean {
    return this.#requests.size >= READS_MAX
  }

  /** Calls back with the answers in the order of `asked`; at once where this peer has all of them. Throws `BACKLOG_FULL`. */
  ask(
    asked: readonly Asked[],
    now: Instant,
    done: (answers: readonly (Answer | undefined)[]) => void,
    options: AskOptions = {},
  ): void {
    if (this.full) throw new GridError('BACKLOG_FULL', `${READS_MAX} reads wait for an answer already`)
    const answers = asked.map((each) => this.#deps.ownAnswer(each, now))
    if (!answers.includes(undefined)) {
      done(answers)
      return
    }
    const passedFor = options.passedFor === undefined ? [] : [options.passedFor]
    const deadlineMs = now.monotonicMs + (options.timeoutMs ?? READ_TIMEOUT_MS)
    const request: Request<Asked, Answer> = { wanted: [], deadlineMs, passedFor, done }
    for (const [place, each] of asked.entries()) {
      request.wanted.push({
        asked: each,
        request,
        tried: passedFor,
        askedAtMs: undefined,
        retryAtMs: 0,
        gatheredAtMs: undefined,
        answer: answers[place],
      })
    }
    this.#requests.add(request)
    this.#stirred.add(request)
  }

  /** Other peers may be worth asking now. */
  neighboursChanged(): void {
    for (const { wanted } of this.#requests) for (const each of wanted) each.retryAtMs = 0
    if (this.#requests.size > 0) this.#dueAtMs = 0
  }

  disconnected(neighbour: PeerId): void {
    for (const [number, { peer, wanted }] of this.#questions) {
      if (peer !== neighbour) continue
      this.#questions.delete(number)
      for (const each of wanted) each.askedAtMs = undefined
    }
    this.#gathering.disconnected(neighbour)
    this.neighboursChanged()
  }

  /** Whether the peer was asked this, and has not answered yet. */
  expects(from: PeerId, request: number): boolean {
    return this.#questions.get(request)?.peer === from
  }

  /** The peer has answered: `answerOf` is called for what it did answer, if that is still wanted, and may throw. */
  answered(request: number, outcomes: Uint8Array, answerOf: (asked: Asked, place: number) => Answer | undefined): void {
    const question = this.#questions.get(request)
    if (question === undefined) return
    this.#questions.delete(request)
    this.#stirAll(this.#gathering.ended(question.peer))
    // Also if the answer is refused.
    for (const wanted of question.wanted) this.#stirred.add(wanted.request)
    // It answers a part each time, or it is not asked again.
    const hasAnswers = outcomes.includes(ReadOutcome.ANSWERED)
    const isLate = question.wanted.some(({ answer }, place) => {
      return answer !== undefined && outcomes[place] === ReadOutcome.ANSWERED
    })
    for (const [place, wanted] of question.wanted.entries()) {
      wanted.askedAtMs = undefined
      if (wanted.answer !== undefined) continue
      // Another peer has answered a part of it meanwhile: the peer is asked for the rest alone.
      if (isLate && this.#deps.joint === true) mayTryAgain(wanted, question.peer)
      else if (outcomes[place] === ReadOutcome.ANSWERED) wanted.answer = answerOf(wanted.asked, place)
      else if (outcomes[place] === ReadOutcome.LEFT_OUT && hasAnswers) mayTryAgain(wanted, question.peer)
    }
  }

  tick(now: Instant): void {
    const isDue = now.monotonicMs >= this.#dueAtMs
    if (now.monotonicMs >= this.#gathering.dueAtMs) this.#stirAll(this.#gathering.due(now.monotonicMs))
    if (!isDue && this.#stirred.size === 0) return
    if (isDue) {
      this.#dueAtMs = Infinity
      for (const [number, { peer, askedAtMs }] of this.#questions) {
        if (now.monotonicMs - askedAtMs < READ_TIMEOUT_MS) continue
        this.#questions.delete(number)
        this.#stirAll(this.#gathering.ended(peer))
      }
    }
    // What is asked meanwhile joins either.
    this.#askFor(isDue ? this.#requests : this.#stirred, now)
    this.#stirred.clear()
    if (this.#requests.size > 0) return
    this.#questions.clear()
    this.#gathering.clear()
  }

  #askFor(requests: Iterable<Request<Asked, Answer>>, now: Instant): void {
    const toAsk = new Map<string, { peer: PeerId; manner: Manner; wanted: Wanted<Asked, Answer>[] }>()
    for (const request of requests) {
      if (!this.#requests.has(request) || this.#endIfDone(request, now.monotonicMs >= request.deadlineMs)) continue
      const passed = request.passedFor.length > 0
      for (const wanted of request.wanted) {
        const target = this.#nextFor(wanted, request, now)
        if (target === undefined) continue
        const { peer, hasCopy, isOwner } = target
        const isFormer = hasCopy && !isOwner
        // What the peer passes on takes longer.
        const key = `${peer} ${passed} ${hasCopy} ${isFormer} ${this.#deps.groupOf(wanted.asked)}`
        const manner: Manner = { ...(passed ? { passed: true } : {}), ...(isFormer ? { former: true } : {}) }
        const question = toAsk.get(key) ?? { peer, manner, wanted: [] }
        toAsk.set(key, question)
        question.wanted.push(wanted)
      }
      if (!this.#endIfDone(request, false))
        this.#dueAtMs = Math.min(this.#dueAtMs, wakeAtMsOf(request, this.#patienceMs))
    }
    const { itemsMax } = this.#deps
    for (const { peer, manner, wanted } of toAsk.values()) {
      for (let i = 0; i < wanted.length; i += itemsMax) this.#send(peer, wanted.slice(i, i + itemsMax), manner, now)
    }
  }

  /** The peer to ask now, if there is one, and if this peer cannot answer itself. */
  #nextFor(wanted: Wanted<Asked, Answer>, { passedFor }: Request<Asked, Answer>, now: Instant): Target | undefined {
    if (wanted.answer !== undefined || now.monotonicMs < nextAtMsOf(wanted, this.#patienceMs)) return undefined
    wanted.answer = this.#deps.ownAnswer(wanted.asked, now)
    if (wanted.answer !== undefined) return undefined
    const target = this.#targetOf(wanted, passedFor.length > 0)
    if (target !== undefined && this.#gathers(wanted, target, now)) return undefined
    wanted.gatheredAtMs = undefined
    wanted.askedAtMs = target === undefined ? undefined : now.monotonicMs
    if (target !== undefined) {
      wanted.tried = [...wanted.tried, target.peer]
      return target
    }
    wanted.tried = passedFor
    wanted.retryAtMs = now.monotonicMs + READ_RETRY_MS
    return undefined
  }

  /** Whether it waits for others to go with it. */
  #gathers(wanted: Wanted<Asked, Answer>, { peer }: Target, now: Instant): boolean {
    // One that another peer has not answered in time has waited for long enough.
    if (this.#deps.gathers !== true || wanted.askedAtMs !== undefined || !this.#gathering.isBusy(peer)) return false
    wanted.gatheredAtMs ??= now.monotonicMs
    if (now.monotonicMs - wanted.gatheredAtMs >= READ_GATHER_MAX_MS) return false
    this.#gathering.add(peer, wanted, wanted.gatheredAtMs + READ_GATHER_MAX_MS)
    // If nothing else brings it back.
    wanted.retryAtMs = now.monotonicMs + READ_RETRY_MS
    return true
  }

  #stirAll(gathered: Iterable<Wanted<Asked, Answer>>): void {
    for (const wanted of gathered) {
      wanted.retryAtMs = 0
      this.#stirred.add(wanted.request)
    }
  }

  #send(peer: PeerId, wanted: readonly Wanted<Asked, Answer>[], manner: Manner, now: Instant): void {
    const request = this.#deps.requests.next()
    this.#questions.set(request, { peer, wanted, askedAtMs: now.monotonicMs })
    this.#gathering.begun(peer)
    this.#deps.send(
      peer,
      request,
      wanted.map(({ asked }) => asked),
      manner,
    )
  }

  #endIfDone(request: Request<Asked, Answer>, isLate: boolean): boolean {
    if (!isLate && request.wanted.some(({ answer }) => answer === undefined)) return false
    this.#requests.delete(request)
    request.done(request.wanted.map(({ answer }) => answer))
    return true
  }

  /** Whole owners first, then others with a whole copy, then members that may know a way. */
  #targetOf({ asked: { name }, tried }: Wanted<Asked, Answer>, passed: boolean): Target | undefined {
    const { membership, neighbours, placement } = this.#deps
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    const whole = placement.wholeHolders(name)
    const mayAsk = (peer: PeerId): boolean => neighbours.has(peer) && !tried.includes(peer)
    const copy = this.#leastBusy(whole.filter((peer) => owners.has(peer) && mayAsk(peer))) ?? whole.find(mayAsk)
    if (copy !== undefined) return { peer: copy, hasCopy: true, isOwner: owners.has(copy) }
    const owner = [...owners].find(mayAsk)
    if (owner !== undefined) return { peer: owner, hasCopy: false, isOwner: true }
    if (passed) return undefined
    const other = neighbours.ids().find((peer) => mayAsk(peer) && membership.isDurable(peer))
    return other === undefined ? undefined : { peer: other, hasCopy: false, isOwner: false }
  }

  #leastBusy(peers: readonly PeerId[]): PeerId | undefined {
    let best: PeerId | undefined
    for (const peer of peers) {
      if (best === undefined || this.#gathering.questions(peer) < this.#gathering.questions(best)) best = peer
    }
    return best
  }
}

/** A peer to ask. */
interface Target {
  readonly peer: PeerId
  /** It has a whole copy. */
  readonly hasCopy: boolean
  readonly isOwner: boolean
}

function mayTryAgain(wanted: Pick<Wanted<Item, unknown>, 'tried'>, peer: PeerId): void {
  wanted.tried = wanted.tried.filter((each) => each !== peer)
}

/** When another peer may be asked. */
function nextAtMsOf(
  { askedAtMs, retryAtMs }: Pick<Wanted<Item, unknown>, 'askedAtMs' | 'retryAtMs'>,
  patienceMs: number,
): number {
  return askedAtMs === undefined ? retryAtMs : askedAtMs + patienceMs
}

function wakeAtMsOf({ wanted, deadlineMs }: WaitingRequest, patienceMs: number): number {
  return wanted.reduce(
    (earliest, each) => (each.answer === undefined ? Math.min(earliest, nextAtMsOf(each, patienceMs)) : earliest),
    deadlineMs,
  )
}
