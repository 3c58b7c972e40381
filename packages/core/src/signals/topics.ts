import { Allowances } from '../members/allowances.ts'
import type { Broadcaster } from '../replication/broadcaster.ts'
import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import {
  TOPIC_BACKLOG_MAX_BYTES,
  TOPIC_BURST_BYTES,
  TOPIC_BYTES_PER_SECOND,
  TOPIC_MESSAGES_MAX,
  TOPIC_MESSAGE_COST_BYTES,
  TOPIC_MESSAGE_MAX_BYTES,
} from '../limits.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import type { TopicMessage } from '../wire/topic-message.ts'

export interface TopicsDeps {
  readonly broadcaster: Broadcaster
  readonly outbox: Outbox
  readonly peerId: PeerId
}

/**
 * Messages that are broadcast and not kept. Like writes, the first one leaves at once and a stream of them in batches; they
 * leave one place of the broadcast free, so that no write waits behind them.
 */
export class Topics {
  readonly #deps: TopicsDeps
  readonly #own = new Allowances(TOPIC_BURST_BYTES, TOPIC_BYTES_PER_SECOND)
  readonly #others = new Allowances(2 * TOPIC_BURST_BYTES, 2 * TOPIC_BYTES_PER_SECOND)
  #queue: TopicMessage[] = []
  #queuedBytes = 0
  #notBeforeMs = -Infinity
  #published = 0
  #received = 0
  #dropped = 0
  #refused = 0

  constructor(deps: TopicsDeps) {
    this.#deps = deps
  }

  /** Since opening: published here, taken from others, dropped because their peer sent too many, refused here. */
  get counts(): {
    readonly published: number
    readonly received: number
    readonly dropped: number
    readonly refused: number
  } {
    return { published: this.#published, received: this.#received, dropped: this.#dropped, refused: this.#refused }
  }

  /** What waits to be broadcast, with what each message counts besides its value. */
  get backlogBytes(): number {
    return this.#queuedBytes
  }

  get wakeAtMs(): number {
    return this.#queue.length > 0 && this.#deps.broadcaster.spare ? this.#notBeforeMs : Infinity
  }

  /**
   * Takes a message to be broadcast and returns its number, which a `published` event names once it has left. The peer hears
   * it itself. Throws `BACKLOG_FULL` when 1 MiB waits.
   */
  publish(message: TopicMessage): number {
    const cost = costOf(message)
    if (this.#queuedBytes + cost > TOPIC_BACKLOG_MAX_BYTES) {
      this.#refused += 1
      throw new GridError(
        'BACKLOG_FULL',
        `${TOPIC_BACKLOG_MAX_BYTES} bytes of messages wait to be published: await some first`,
      )
    }
    this.#queue.push(message)
    this.#queuedBytes += cost
    this.#published += 1
    this.#deps.outbox.event({ type: 'topic-messages', from: this.#deps.peerId, messages: [message] })
    return this.#published
  }

  /** Takes what another peer has published, as far as it has not published too much of late. */
  receive(from: PeerId, messages: readonly TopicMessage[], now: Instant): void {
    const taken = messages.filter((message) => this.#others.take(from, costOf(message), now.monotonicMs))
    this.#received += taken.length
    this.#dropped += messages.length - taken.length
    if (taken.length > 0) this.#deps.outbox.event({ type: 'topic-messages', from, messages: taken })
  }

  /** What waits need not wait any longer: the peer is about to close. */
  hurry(): void {
    this.#notBeforeMs = -Infinity
  }

  /** Sends what is due. Without a neighbour it is dropped. */
  pump(connected: boolean, nowMs: number): void {
    if (!connected && this.#queue.length > 0) this.#take(this.#queue.length)
    while (this.#queue.length > 0 && this.#deps.broadcaster.spare) {
      if (this.#queuedBytes < TOPIC_MESSAGE_MAX_BYTES && nowMs < this.#notBeforeMs) return
      this.#notBeforeMs = nowMs + this.#deps.broadcaster.gapMs
      const count = this.#due(nowMs)
      if (count === 0) return
      this.#deps.broadcaster.send({ type: 'publish', messages: this.#take(count) })
    }
  }

  /** How many of those that wait may leave in one message now. */
  #due(nowMs: number): number {
    let bytes = 0
    let count = 0
    for (const message of this.#queue) {
      const cost = costOf(message)
      if (count > 0 && (bytes + cost > TOPIC_MESSAGE_MAX_BYTES || count >= TOPIC_MESSAGES_MAX)) break
      if (!this.#own.take(this.#deps.peerId, cost, nowMs)) break
      bytes += cost
      count += 1
    }
    return count
  }

  #take(count: number): TopicMessage[] {
    const messages = this.#queue.splice(0, count)
    for (const message of messages) this.#queuedBytes -= costOf(message)
    this.#deps.outbox.event({ type: 'published', number: this.#published - this.#queue.length })
    return messages
  }
}

function costOf({ subject = '', topic, value }: TopicMessage): number {
  return value.length + topic.length + subject.length + TOPIC_MESSAGE_COST_BYTES
}
