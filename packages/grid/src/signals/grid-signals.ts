import { GridError, checkName } from '@gossipgrid/core'
import type { PeerEvent } from '@gossipgrid/core'
import { GridPresence } from './grid-presence.ts'
import { GridTopic } from './grid-topic.ts'
import type { Logger } from '../logger.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** Topics that this peer has opened are never forgotten, so their number is bounded. */
const TOPICS_MAX = 4096

/** The topics and the presence of one grid. */
export class GridSignals {
  readonly presence: GridPresence<unknown>
  readonly #runtime: Runtime
  readonly #logger: Logger
  readonly #topics = new Map<string, GridTopic<unknown>>()
  /** Messages that are not yet with the network, by ascending number. */
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
      throw new GridError('COLLECTION_LIMIT', `${TOPICS_MAX} topics are open: put what differs into the messages`)
    }
    const topic = new GridTopic<unknown>(name, {
      logger: this.#logger,
      checkOpen: () => this.#runtime.checkOpen(),
      publish: (...message) => this.#publish(...message),
    })
    this.#topics.set(name, topic)
    return topic
  }

  /** Takes what core tells of topics and presence. */
  take(event: PeerEvent): void {
    if (event.type === 'presence') this.presence.told(event.peerId, event.value)
    else if (event.type === 'published') this.#left(event.number)
    else if (event.type === 'topic-messages') {
      const own = event.from === this.#runtime.peer.peerId
      for (const { topic, value } of event.messages) this.#topics.get(topic)?.heard(event.from, value, own)
    }
  }

  /** Ends all loops. */
  close(): void {
    for (const topic of this.#topics.values()) topic.close()
    this.presence.close()
  }

  /** Once the runtime is closed: nothing leaves any more. */
  closed(): void {
    for (const { left } of this.#pending.splice(0)) {
      left.reject(new GridError('CLOSED', 'the grid was closed before the message had left'))
    }
  }

  #publish(topic: string, value: Uint8Array): Promise<void> {
    const number = this.#runtime.peer.signals.topics.publish({ topic, value })
    const left = Promise.withResolvers<void>()
    // Whoever does not wait for what may be lost anyway is not to be ended by it.
    left.promise.catch(() => undefined)
    this.#pending.push({ number, left })
    // What is said in one turn of the event loop leaves together.
    this.#runtime.tickSoon()
    return left.promise
  }

  #left(number: number): void {
    const rest = this.#pending.findIndex((each) => each.number > number)
    for (const { left } of this.#pending.splice(0, rest < 0 ? this.#pending.length : rest)) left.resolve()
  }
}
