import { GridError, checkName } from '@gossipgrid/core'
import type { PeerEvent, TopicMessage } from '@gossipgrid/core'
import type { GuestPresences } from './guest-presences.ts'
import { GridPresence } from './grid-presence.ts'
import { GridTopic } from './grid-topic.ts'
import type { Logger } from '../logger.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** Opened topics stay in memory, so their number is bounded. */
const TOPICS_MAX = 4096

/** The topic in which members say which of their guests are present. Applications cannot open one of this name. */
export const GUESTS_TOPIC = '\ue000guests'

/** The topic for the awareness of documents. For guests it goes by their documents, and not by topics. */
export const AWARENESS_TOPIC = 'gossipgrid/awareness'

/** Throws `INVALID_NAME`. */
export function checkTopicName(name: unknown): asserts name is string {
  checkName(name, 'topic')
  if (name === GUESTS_TOPIC) throw new GridError('INVALID_NAME', 'this name is taken')
}

/** What follows the topics and the presence of a member that serves guests. */
export interface SignalsTap {
  message(from: string, message: TopicMessage): void
  /** The state of a peer has changed. */
  presence(peerId: string): void
}

/** The way of a guest's messages and of its presence: through a member. */
export interface SignalsRoute {
  /** The subject of the guest's pass. */
  readonly subject: string | undefined
  /** The guest listens to a topic from now on. Throws `FORBIDDEN`, `COLLECTION_LIMIT`. */
  open(topic: string): void
  /** Resolves when a member has taken the message. Throws `FORBIDDEN`, `BACKLOG_FULL`. */
  publish(topic: string, value: Uint8Array): Promise<void>
  /** Throws `FORBIDDEN`, and `VALUE_TOO_LARGE` for a state of so many bytes. */
  checkPresence(sizeBytes: number): void
  /** The guest's own state has changed. */
  present(): void
}

/** The topics and the presence of one grid. */
export class GridSignals {
  readonly presence: GridPresence<unknown>
  readonly #runtime: Runtime
  readonly #logger: Logger
  readonly #topics = new Map<string, GridTopic<unknown>>()
  /** Set at a member that serves guests. */
  tap: SignalsTap | undefined
  /** Set at a guest. */
  route: SignalsRoute | undefined
  #guests: Promise<GuestPresences> | undefined
  /** Messages that the network does not have yet, by ascending number. */
  #pending: { readonly number: number; readonly left: PromiseWithResolvers<void> }[] = []

  constructor(runtime: Runtime, logger: Logger) {
    this.#runtime = runtime
    this.#logger = logger
    this.presence = new GridPresence(runtime, logger, this)
  }

  /** Throws `INVALID_NAME`, `COLLECTION_LIMIT`, `CLOSED`. */
  topic(name: string): GridTopic<unknown> {
    this.#runtime.checkOpen()
    const known = this.#topics.get(name)
    if (known === undefined) checkTopicName(name)
    this.route?.open(name)
    if (known !== undefined) return known
    if (this.#topics.size >= TOPICS_MAX) {
      throw new GridError('COLLECTION_LIMIT', `${TOPICS_MAX} topics are open: put the difference into the messages`)
    }
    const topic = new GridTopic<unknown>(name, {
      logger: this.#logger,
      checkOpen: () => this.#runtime.checkOpen(),
      publish: (...message) => this.#publish(...message),
    })
    this.#topics.set(name, topic)
    return topic
  }

  /** Takes an event of the peer that concerns topics or presence. */
  take(event: PeerEvent): void {
    if (event.type === 'presence') this.presence.onState(event.peerId, event.value)
    else if (event.type === 'published') this.#left(event.number)
    else if (event.type === 'topic-messages') {
      for (const message of event.messages) this.receive(event.from, message)
    }
  }

  /** A message has come. Those of a guest's own have its subject. */
  receive(from: string, message: TopicMessage): void {
    const { subject, topic, value } = message
    const own = from === this.#runtime.peer.peerId && subject === undefined
    if (topic === GUESTS_TOPIC) {
      // Most grids have no guests, so what keeps their states is loaded with the first one.
      this.#guests ??= import('./guest-presences.ts').then((loaded) => new loaded.GuestPresences(this.presence))
      this.#guests.then(
        (guests) => guests.take(from, value),
        // Members say it again and again: it is loaded with the next message.
        () => (this.#guests = undefined),
      )
    }
    this.#topics.get(topic)?.onMessage(from, value, own, own ? this.route?.subject : subject)
    this.tap?.message(from, message)
  }

  /** Ends all loops. */
  close(): void {
    for (const topic of this.#topics.values()) topic.close()
    this.presence.close()
    this.#guests?.then(
      (guests) => guests.close(),
      () => undefined,
    )
  }

  /** Rejects the waiting messages. To be called once the runtime is closed. */
  closed(): void {
    for (const { left } of this.#pending.splice(0)) {
      left.reject(new GridError('CLOSED', 'the grid was closed before the message was sent'))
    }
  }

  #publish(topic: string, value: Uint8Array): Promise<void> {
    const routed = this.route?.publish(topic, value)
    const number = this.#runtime.peer.signals.topics.publish({ topic, value })
    const left = Promise.withResolvers<void>()
    // A caller that does not wait must not get an unhandled rejection.
    left.promise.catch(() => undefined)
    this.#pending.push({ number, left })
    // Messages of one turn of the event loop are sent together.
    this.#runtime.tickSoon()
    return routed ?? left.promise
  }

  #left(number: number): void {
    const rest = this.#pending.findIndex((each) => each.number > number)
    for (const { left } of this.#pending.splice(0, rest < 0 ? this.#pending.length : rest)) left.resolve()
  }
}
