import { GridError, TOPIC_MESSAGE_MAX_BYTES, encodeValue, scanCbor } from '@gossipgrid/core'
import type { TopicMessage } from '@gossipgrid/core'
import { AWARENESS_TOPIC, checkTopicName } from '../../signals/grid-signals.ts'
import { awarenessIn, mayReceive, maySay } from '../documents/awareness-rules.ts'
import { coversPresence, coversTopic } from '../covering.ts'
import type { Grant } from '../grants.ts'
import {
  GUEST_AWARE_MAX,
  GUEST_PRESENCE_MAX_BYTES,
  GUEST_SIGNALS_MAX,
  GUEST_SIGNALS_MAX_BYTES,
  GUEST_TOPICS_MAX,
} from '../guest-limits.ts'
import type { GuestMessage, MemberMessage, RefusedSignal, SentSignal } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import type { MemberSignals } from './member-signals.ts'
import { takeTogether } from './sent-together.ts'

const COST_BYTES = 256

/** Topics and presence for one guest at a member. What it gives out and what it takes is what the pass covers at that moment. */
export class SessionSignals {
  readonly #member: MemberSignals
  readonly #peerId: string
  readonly #wake: () => void
  readonly #topics = new Set<string>()
  /** Messages that the guest has published itself: it has shown them already. */
  readonly #own = new WeakSet<TopicMessage>()
  #waiting: SentSignal[] = []
  #waitingBytes = 0
  /** Peers whose states the guest is to be sent. */
  readonly #changed = new Set<string>()
  #answers: MemberMessage[] = []
  /** Under whom the guest edits documents, and the last states that it has published of its client ids there. */
  author = ''
  readonly #aware = new Map<number, TopicMessage>()
  /** The guest may see who is present, and was sent that. */
  #seesPresence = false

  constructor(member: MemberSignals, peerId: string, wake: () => void) {
    this.#member = member
    this.#peerId = peerId
    this.#wake = wake
    member.add(this)
  }

  /** Throws `MESSAGE_MALFORMED` for what no honest guest sends, `QUOTA_EXCEEDED` for too many topics. */
  take(
    { grants, subject }: PassContent,
    { listen, messages, presence }: Extract<GuestMessage, { type: 'signals' }>,
  ): void {
    for (const topic of listen) this.#listen(topic)
    const refused: RefusedSignal[] = []
    for (const { topic, value } of messages) {
      const refusal = this.#publish(grants, subject, topic, value)
      if (refusal !== undefined) refused.push({ topic, code: refusal.code, text: refusal.message })
    }
    if (presence !== undefined) {
      const { value } = presence
      if (value !== undefined) checkBytes(value, GUEST_PRESENCE_MAX_BYTES)
      if (coversPresence(grants)) this.#member.states.put({ peerId: this.#peerId, subject, value })
      else refused.push({ topic: '', code: 'FORBIDDEN', text: 'the pass does not cover presence' })
    }
    this.#answers.push({ type: 'taken', refused })
    this.#wake()
  }

  /** What is to be sent next; undefined if there is nothing. */
  next({ grants, subject }: PassContent): MemberMessage | undefined {
    this.#lookAtPresence(grants, subject)
    const answer = this.#answers.shift()
    if (answer !== undefined) return answer
    const messages = this.#due().filter(({ topic, value }) => {
      return topic === AWARENESS_TOPIC ? mayReceive(grants, value) : coversTopic(grants, 'read', topic)
    })
    const presences = [...this.#changed].slice(0, GUEST_SIGNALS_MAX).map((peerId) => {
      this.#changed.delete(peerId)
      return { peerId, ...this.#member.present.stateOf(peerId) }
    })
    return messages.length + presences.length === 0 ? undefined : { type: 'signals', messages, presences }
  }

  onMessage(from: string, message: TopicMessage): void {
    const { subject, topic, value } = message
    if (!this.#topics.has(topic) || this.#own.has(message)) return
    const signal = { from, subject, topic, value }
    this.#waiting.push(signal)
    this.#waitingBytes += sizeOf(signal)
    // A guest that is too slow misses messages, as a peer does.
    while (this.#waitingBytes > GUEST_SIGNALS_MAX_BYTES) this.#waitingBytes -= sizeOf(this.#waiting.shift()!)
    this.#wake()
  }

  onPresence(peerId: string): void {
    if (!this.#seesPresence || peerId === this.#peerId) return
    this.#changed.add(peerId)
    this.#wake()
  }

  /** The guest has left. */
  close(subject: string): void {
    this.#member.remove(this)
    this.#member.states.put({ peerId: this.#peerId, subject, value: undefined })
    for (const message of this.#aware.values()) this.#sayGoodbye(message)
  }

  /** Its cursors go from the documents that it has open. */
  #sayGoodbye(message: TopicMessage): void {
    try {
      const value = encodeValue({ ...awarenessIn(message.value), state: 'null' }, TOPIC_MESSAGE_MAX_BYTES)
      this.#member.publish({ ...message, value })
    } catch {
      // Too much waits to be sent: others forget it after a while.
    }
  }

  /** As many as are sent together. */
  #due(): SentSignal[] {
    const due = takeTogether(this.#waiting, sizeOf)
    for (const signal of due) this.#waitingBytes -= sizeOf(signal)
    return due
  }

  #lookAtPresence(grants: readonly Grant[], subject: string): void {
    const sees = coversPresence(grants)
    if (sees === this.#seesPresence) return
    this.#seesPresence = sees
    this.#changed.clear()
    if (!sees) this.#member.states.put({ peerId: this.#peerId, subject, value: undefined })
    else for (const peerId of this.#member.present.peerIds()) this.onPresence(peerId)
  }

  #listen(topic: string): void {
    checkTopic(topic)
    if (!this.#topics.has(topic) && this.#topics.size >= GUEST_TOPICS_MAX)
      throw new GridError('QUOTA_EXCEEDED', `a guest listens to ${GUEST_TOPICS_MAX} topics at most`)
    this.#topics.add(topic)
  }

  #keepAware(message: TopicMessage): void {
    const { client, state } = awarenessIn(message.value)
    if (client === undefined) return
    this.#aware.delete(client)
    if (state === 'null') return
    this.#aware.set(client, message)
    if (this.#aware.size > GUEST_AWARE_MAX) this.#aware.delete(this.#aware.keys().next().value!)
  }

  /** Why a message was not published. */
  #publish(grants: readonly Grant[], subject: string, topic: string, value: Uint8Array): GridError | undefined {
    checkTopic(topic)
    checkBytes(value, TOPIC_MESSAGE_MAX_BYTES)
    const isAllowed =
      topic === AWARENESS_TOPIC ? maySay(grants, this.author, value) : coversTopic(grants, 'write', topic)
    if (!isAllowed) return new GridError('FORBIDDEN', `the pass does not allow to publish to '${topic}'`)
    const message = { topic, value, subject }
    this.#own.add(message)
    if (topic === AWARENESS_TOPIC) this.#keepAware(message)
    try {
      this.#member.publish(message)
      return undefined
    } catch (error) {
      if (error instanceof GridError && error.code === 'BACKLOG_FULL') return error
      throw error
    }
  }
}

function sizeOf({ subject = '', topic, value }: SentSignal): number {
  return value.length + topic.length + subject.length + COST_BYTES
}

function checkTopic(topic: string): void {
  try {
    checkTopicName(topic)
  } catch (cause) {
    throw new GridError('MESSAGE_MALFORMED', 'a topic without a proper name', { cause })
  }
}

function checkBytes(value: Uint8Array, maxBytes: number): void {
  if (value.length > maxBytes) throw new GridError('MESSAGE_MALFORMED', `a message of ${value.length} bytes`)
  scanCbor(value)
}
