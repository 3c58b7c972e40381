import { GridError, TOPIC_BACKLOG_MAX_BYTES } from '@gossipgrid/core'
import { AWARENESS_TOPIC } from '../../signals/grid-signals.ts'
import type { GridSignals, SignalsRoute } from '../../signals/grid-signals.ts'
import { OtherStates } from '../../signals/other-states.ts'
import { coversPresence, coversTopic } from '../covering.ts'
import type { Grant, May } from '../grants.ts'
import { GUEST_PRESENCE_MAX_BYTES, GUEST_TOPICS_MAX } from '../guest-limits.ts'
import type { GuestMessage, MemberMessage } from '../messages.ts'
import { takeTogether } from './sent-together.ts'

const COST_BYTES = 128

interface Queued {
  readonly topic: string
  readonly value: Uint8Array
  readonly left: PromiseWithResolvers<void>
}

export interface LinkSignalsDeps {
  readonly signals: GridSignals
  /** The state that this guest has set; undefined if it has none. */
  ownState(): Uint8Array | undefined
  /** A member has refused what was sent. */
  refused(error: GridError): void
}

/**
 * Topics and presence of a guest, through the member that it is connected to. One message is on its way at a time; what comes meanwhile is sent
 * together after it. Without a connection a message is lost, as that of a peer without neighbours.
 */
export class LinkSignals implements SignalsRoute {
  /** What the pass allows, as far as the guest knows. */
  grants: readonly Grant[] | undefined
  subject: string | undefined
  readonly #deps: LinkSignalsDeps
  readonly #others: OtherStates
  readonly #topics = new Set<string>()
  #unsaidTopics: string[] = []
  #queue: Queued[] = []
  #queuedBytes = 0
  #sent: readonly Queued[] = []
  #hasNewState = false
  #isWaiting = false
  #send: ((message: GuestMessage) => void) | undefined

  constructor(deps: LinkSignalsDeps) {
    this.#deps = deps
    this.#others = new OtherStates(deps.signals.presence)
  }

  open(topic: string): void {
    if (!this.#covers('read', topic)) throw new GridError('FORBIDDEN', `the pass does not cover the topic '${topic}'`)
    if (this.#topics.has(topic)) return
    if (this.#topics.size >= GUEST_TOPICS_MAX)
      throw new GridError('COLLECTION_LIMIT', `a guest opens ${GUEST_TOPICS_MAX} topics at most`)
    this.#topics.add(topic)
    this.#unsaidTopics.push(topic)
    this.#pumpSoon()
  }

  publish(topic: string, value: Uint8Array): Promise<void> {
    if (!this.#covers('write', topic))
      throw new GridError('FORBIDDEN', `the pass does not allow to publish to '${topic}'`)
    if (this.#send === undefined) return Promise.resolve()
    const cost = costOf({ topic, value })
    if (this.#queuedBytes + cost > TOPIC_BACKLOG_MAX_BYTES)
      throw new GridError('BACKLOG_FULL', `${TOPIC_BACKLOG_MAX_BYTES} bytes of messages wait to be published`)
    const left = Promise.withResolvers<void>()
    this.#queue.push({ topic, value, left })
    this.#queuedBytes += cost
    this.#pumpSoon()
    return left.promise
  }

  checkPresence(sizeBytes: number): void {
    if (this.grants !== undefined && !coversPresence(this.grants))
      throw new GridError('FORBIDDEN', 'the pass does not cover presence')
    if (sizeBytes > GUEST_PRESENCE_MAX_BYTES)
      throw new GridError(
        'VALUE_TOO_LARGE',
        `a state of ${sizeBytes} bytes; that of a guest has at most ${GUEST_PRESENCE_MAX_BYTES}`,
      )
  }

  present(): void {
    this.#hasNewState = true
    this.#pumpSoon()
  }

  /** A member serves this guest, by these grants, also where it has another pass now. */
  welcome(grants: readonly Grant[], subject: string, send: (message: GuestMessage) => void): void {
    const isNew = this.#send === undefined
    this.grants = grants
    this.subject = subject
    this.#send = send
    if (!coversPresence(grants)) this.#others.clear()
    if (isNew) this.#unsaidTopics = [...this.#topics]
    // After a pass without presence the member has no state of this guest any more.
    this.#hasNewState ||= this.#deps.ownState() !== undefined
    this.#pump()
  }

  /** The connection has ended: what was to be sent is lost, and nothing is known of others. */
  ended(): void {
    this.#send = undefined
    this.#isWaiting = false
    this.#queuedBytes = 0
    for (const { left } of [...this.#sent, ...this.#queue.splice(0)]) left.resolve()
    this.#sent = []
    this.#others.clear()
  }

  receive({ messages, presences }: Extract<MemberMessage, { type: 'signals' }>, ownId: string): void {
    const { signals } = this.#deps
    for (const { from, subject, topic, value } of messages)
      signals.receive(from, subject === undefined ? { topic, value } : { topic, value, subject })
    for (const { peerId, subject, value } of presences)
      if (peerId !== ownId) this.#others.put(peerId, value === undefined ? undefined : { value, subject })
  }

  taken({ refused }: Extract<MemberMessage, { type: 'taken' }>): void {
    this.#isWaiting = false
    for (const { left } of this.#sent) left.resolve()
    this.#sent = []
    for (const { code, text } of refused) this.#deps.refused(new GridError(code as GridError['code'], text))
    this.#pump()
  }

  #covers(may: May, topic: string): boolean {
    return this.grants === undefined || topic === AWARENESS_TOPIC || coversTopic(this.grants, may, topic)
  }

  #pumpSoon(): void {
    queueMicrotask(() => this.#pump())
  }

  #pump(): void {
    const send = this.#send
    if (send === undefined || this.#isWaiting) return
    const listen = this.#unsaidTopics.splice(0)
    const sent = this.#due()
    const presence =
      this.#hasNewState && coversPresence(this.grants ?? []) ? { value: this.#deps.ownState() } : undefined
    if (listen.length + sent.length === 0 && presence === undefined) return
    this.#sent = sent
    this.#hasNewState = false
    this.#isWaiting = true
    send({ type: 'signals', listen, messages: sent.map(({ topic, value }) => ({ topic, value })), presence })
  }

  #due(): Queued[] {
    const due = takeTogether(this.#queue, costOf)
    for (const queued of due) this.#queuedBytes -= costOf(queued)
    return due
  }
}

function costOf({ topic, value }: Pick<Queued, 'topic' | 'value'>): number {
  return value.length + topic.length + COST_BYTES
}
