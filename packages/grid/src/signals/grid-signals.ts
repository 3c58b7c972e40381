import { GridError, checkName } from '@gossipgrid/core'
import type { PeerEvent } from '@gossipgrid/core'
import { GridPresence } from './grid-presence.ts'
import { GridTopic } from './grid-topic.ts'
import type { Logger } from '../logger.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** Opened topics stay in memory, so their number is bounded. */
const TOPICS_MAX = 4096

/** The topics and the presence of one grid. */
export class GridSignals {
  readonly presence: GridPresence<unknown>
  readonly #runtime: Runtime
  readonly #logger: Logger
  readonly #topics = new Map<string, GridTopic<unknown>>()
  /** Messages that the network does not have yet, by ascending number. */
  #pending: { readonly number: number; readonly left: PromiseWithResolvers<void> }[] = []

  constructor(runtime: Runtime, logger: Logger) {
    this.#runtime = runtime
    this.#logger = logger
    this.presence = new GridPresence(runtime, logger, () => this.#runtime.tickSoon())
  }

  /** Throws `INVALID_NAME`, `COLLECTION_LIMIT`, `CLOSED`. */
  topic(name: string): GridTopic<unknown> {
    this.#runtime.checkOpen()
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    checkName(name, 'topic')
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
      const own = event.from === this.#runtime.peer.peerId
      for (const { topic, value } of event.messages) this.#topics.get(topic)?.onMessage(event.from, value, own)
    }
  }

  /** Ends all loops. */
  close(): void {
    for (const topic of this.#topics.values()) topic.close()
    this.presence.close()
  }

  /** Rejects the waiting messages. To be called once the runtime is closed. */
  closed(): void {
    for (const { left } of this.#pending.splice(0)) {
      left.reject(new GridError('CLOSED', 'the grid was closed before the message was sent'))
    }
  }

  #publish(topic: string, value: Uint8Array): Promise<void> {
    const number = this.#runtime.peer.signals.topics.publish({ topic, value })
    const left = Promise.withResolvers<void>()
    // A caller that does not wait must not get an unhandled rejection.
    left.promise.catch(() => undefined)
    this.#pending.push({ number, left })
    // Messages of one turn of the event loop are sent together.
    this.#runtime.tickSoon()
    return left.promise
  }

  #left(number: number): void {
    const rest = this.#pending.findIndex((each) => each.number > number)
    for (const { left } of this.#pending.splice(0, rest < 0 ? this.#pending.length : rest)) left.resolve()
  }
}
