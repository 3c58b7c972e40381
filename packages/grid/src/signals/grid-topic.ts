import { TOPIC_MESSAGE_MAX_BYTES, checkKnown, decodeValue, encodeValue } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { ChangeFeed, FEED_OPTIONS, checkFeedOptions } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import { checkKind } from '../batches/checks.ts'
import type { Logger } from '../logger.ts'
import { compact, putDecoded } from '../changes/unread-change.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A message of a topic. A plain object that only this reader has. */
export interface TopicMessage<Message> {
  /** Tells a message from a lag. */
  readonly type: 'message'
  /** The name of the topic. */
  readonly topic: string
  /** What was published. */
  readonly value: Message
  /** The peer that published it. No peer can publish in the name of another one. */
  readonly from: string
  /** The guest that published it through the peer `from`, which vouches for it. Undefined for a message of a peer. */
  readonly subject: string | undefined
  /** Never there. */
  readonly missed: 0
}

/** The reader was too slow, and `missed` messages were left out. */
export interface TopicLag {
  /** Tells a lag from a message. */
  readonly type: 'lagged'
  /** The name of the topic. */
  readonly topic: string
  /** Never there. */
  readonly value: undefined
  /** Never there. */
  readonly from: ''
  /** Never there. */
  readonly subject?: undefined
  /** Messages that were left out. */
  readonly missed: number
}

/** How to listen to a topic. */
export interface ListenOptions {
  /** False leaves out the messages that this peer publishes. Default true. */
  readonly own?: boolean
  /** Ends the loop with `ABORTED`, or removes the listener. */
  readonly signal?: AbortSignal
}

/** How to loop over a topic. */
export interface MessagesOptions extends ListenOptions, FeedOptions {}

const LISTEN_OPTIONS: Known<ListenOptions> = { own: true, signal: true }
const MESSAGES_OPTIONS: Known<MessagesOptions> = { ...LISTEN_OPTIONS, ...FEED_OPTIONS }

/** What a topic needs of its grid. @internal */
export interface TopicDeps {
  readonly logger: Logger
  checkOpen(): void
  publish(topic: string, value: Uint8Array): Promise<void>
}

/**
 * Messages to all peers of the grid that listen at this moment. They are fast, and not stored. A message arrives at most
 * once; messages of different peers arrive in any order; peers that are not connected do not get it. Put what must not be
 * lost into a map. From `grid.topic(name)`.
 */
export class GridTopic<Message> {
  /** The name of the topic. */
  readonly name: string
  readonly #deps: TopicDeps
  readonly #all: ChangeFeed<TopicMessage<Message> | TopicLag>
  readonly #others: ChangeFeed<TopicMessage<Message> | TopicLag>

  /** @internal */
  constructor(name: string, deps: TopicDeps) {
    this.name = name
    this.#deps = deps
    this.#all = feedOf(name, deps.logger)
    this.#others = feedOf(name, deps.logger)
  }

  /**
   * Sends a message to all peers, this one included: a plain value of up to 64 KiB once encoded. The promise resolves when
   * the network has taken the message, at once if no peer is connected. It does not mean that another peer has it. Await it
   * to publish no faster than the network can send: 1 MiB a second for each peer.
   *
   * Nothing is sent if it rejects: with `INVALID_VALUE`, `VALUE_TOO_LARGE`, `CLOSED`, or `BACKLOG_FULL` when 1 MiB waits.
   *
   * @example
   * ```ts
   * const chat = grid.topic<{ text: string }>('chat')
   * chat.on('message', ({ from, value }) => console.log(from, value.text))
   * await chat.publish({ text: 'hello' })
   * ```
   */
  publish(value: Message): Promise<void> {
    try {
      this.#deps.checkOpen()
      return this.#deps.publish(this.name, encodeValue(value, TOPIC_MESSAGE_MAX_BYTES))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Every message from now on. If a reader falls behind by more than `bufferMax` messages or 16 MiB, messages are left out
   * and a `lagged` mark takes their place. The loop ends when you leave it and when the grid closes, and throws `ABORTED` when
   * its signal is aborted.
   *
   * @example
   * ```ts
   * const chat = grid.topic<{ text: string }>('chat')
   * for await (const message of chat.messages({ own: false })) {
   *   if (message.type === 'message') console.log(message.from, message.value.text)
   * }
   * ```
   */
  messages(options: MessagesOptions = {}): AsyncIterableIterator<TopicMessage<Message> | TopicLag> {
    checkFeedOptions(options, MESSAGES_OPTIONS)
    checkKind('own', options.own, 'boolean')
    this.#deps.checkOpen()
    return this.#feed(options).changes(options)
  }

  /** Calls `listener` for every message. The returned function ends that. */
  on(type: 'message', listener: (message: TopicMessage<Message>) => unknown, options: ListenOptions = {}): () => void {
    checkKnown(options, LISTEN_OPTIONS)
    checkKind('own', options.own, 'boolean')
    const { signal } = options
    // Only loops lag.
    const onAny = listener as (message: TopicMessage<Message> | TopicLag) => unknown
    return this.#feed(options).on(type, onAny, signal === undefined ? undefined : { signal })
  }

  /** A message has arrived. @internal */
  onMessage(from: string, bytes: Uint8Array, own: boolean, subject: string | undefined): void {
    const feeds = own ? [this.#all] : [this.#all, this.#others]
    const message = new EncodedMessage<Message>(this.name, from, bytes, subject)
    for (const feed of feeds) if (feed.wanted) feed.pushAndEmit(message)
  }

  /** Ends all loops. @internal */
  close(): void {
    this.#all.close()
    this.#others.close()
  }

  #feed({ own = true }: ListenOptions): ChangeFeed<TopicMessage<Message> | TopicLag> {
    return own ? this.#all : this.#others
  }
}

/** A message with its encoded value. */
class EncodedMessage<Message> implements UnreadChange<TopicMessage<Message>> {
  readonly key = ''
  readonly #topic: string
  readonly #from: string
  readonly #bytes: Uint8Array
  readonly #subject: string | undefined

  constructor(topic: string, from: string, bytes: Uint8Array, subject: string | undefined) {
    this.#topic = topic
    this.#from = from
    this.#bytes = bytes
    this.#subject = subject
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  kept(): EncodedMessage<Message> {
    const bytes = compact(this.#bytes)
    return bytes === this.#bytes ? this : new EncodedMessage(this.#topic, this.#from, bytes, this.#subject)
  }

  read(): TopicMessage<Message> {
    const message: TopicMessage<Message> = {
      type: 'message',
      topic: this.#topic,
      value: undefined as Message,
      from: this.#from,
      subject: this.#subject,
      missed: 0,
    }
    putDecoded(message, 'value', this.#bytes, decodeValue)
    return message
  }
}

function feedOf<Message>(topic: string, logger: Logger): ChangeFeed<TopicMessage<Message> | TopicLag> {
  return new ChangeFeed<TopicMessage<Message> | TopicLag>({
    logger,
    event: 'message',
    lagged: (missed) => ({ type: 'lagged', topic, value: undefined, from: '', missed }),
  })
}
