import { TOPIC_MESSAGE_MAX_BYTES, checkKnown, decodeValue, encodeValue } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { ChangeFeed, FEED_OPTIONS, checkFeedOptions } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import type { Logger } from '../logger.ts'
import { compact, putDecoded } from '../changes/unread-change.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A message of a topic: a plain object, the reader's own. */
export interface TopicMessage<Message> {
  readonly type: 'message'
  readonly topic: string
  readonly value: Message
  /** The peer that published it; nobody can publish in the name of another. */
  readonly from: string
  readonly missed: 0
}

/** The reader was too slow, and so many messages were left out. */
export interface TopicLag {
  readonly type: 'lagged'
  readonly topic: string
  readonly value: undefined
  readonly from: ''
  readonly missed: number
}

/** How to listen to a topic. */
export interface ListenOptions {
  /** False leaves out what this peer publishes itself. Default true. */
  readonly own?: boolean
  /** Ends the loop with `ABORTED`, or the listener's calls. */
  readonly signal?: AbortSignal
}

/** How to loop over a topic. */
export interface MessagesOptions extends ListenOptions, FeedOptions {}

const LISTEN_OPTIONS: Known<ListenOptions> = { own: true, signal: true }
const MESSAGES_OPTIONS: Known<MessagesOptions> = { ...LISTEN_OPTIONS, ...FEED_OPTIONS }

/** What a topic needs of its grid. @internal */
export interface TopicOwner {
  readonly logger: Logger
  checkOpen(): void
  publish(topic: string, value: Uint8Array): Promise<void>
}

/**
 * Messages to every peer of the grid that listens at this moment: fast, and kept nowhere. Each arrives at most once, in
 * any order where several peers publish, and not at all at peers that are not connected just then. What must not be lost
 * belongs into a map. From `grid.topic(name)`.
 */
export class GridTopic<Message> {
  readonly name: string
  readonly #owner: TopicOwner
  readonly #all: ChangeFeed<TopicMessage<Message> | TopicLag>
  readonly #others: ChangeFeed<TopicMessage<Message> | TopicLag>

  /** @internal */
  constructor(name: string, owner: TopicOwner) {
    this.name = name
    this.#owner = owner
    this.#all = feedOf(name, owner.logger)
    this.#others = feedOf(name, owner.logger)
  }

  /**
   * Sends a message to all peers, this one included; a plain value of up to 64 KiB once encoded. The promise resolves when
   * it has been handed to the network, which says nothing of anybody having it; with nobody connected that is at once. Who
   * awaits it never publishes faster than the network takes it, 1 MiB a second for each peer.
   *
   * Rejects with `INVALID_VALUE`, `VALUE_TOO_LARGE`, `CLOSED`, or `BACKLOG_FULL` when 1 MiB waits, with nothing sent.
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
      this.#owner.checkOpen()
      return this.#owner.publish(this.name, encodeValue(value, TOPIC_MESSAGE_MAX_BYTES))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Every message from now on. A reader that falls behind by more than `bufferMax` messages, or by 16 MiB, gets a `lagged`
   * mark instead of those left out. The loop ends when it is left, when the grid closes, or with `ABORTED` by its signal.
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
    this.#owner.checkOpen()
    return this.#feed(options).changes(options)
  }

  /** Calls `listener` for every message; the function returned ends that. */
  on(type: 'message', listener: (message: TopicMessage<Message>) => unknown, options: ListenOptions = {}): () => void {
    checkKnown(options, LISTEN_OPTIONS)
    const { signal } = options
    // Only loops lag.
    const heard = listener as (message: TopicMessage<Message> | TopicLag) => unknown
    return this.#feed(options).on(type, heard, signal === undefined ? undefined : { signal })
  }

  /** A message has come. @internal */
  heard(from: string, bytes: Uint8Array, own: boolean): void {
    const feeds = own ? [this.#all] : [this.#all, this.#others]
    const message = new EncodedMessage<Message>(this.name, from, bytes)
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

/** A message with its value as it came. */
class EncodedMessage<Message> implements UnreadChange<TopicMessage<Message>> {
  readonly key = ''
  readonly #topic: string
  readonly #from: string
  readonly #bytes: Uint8Array

  constructor(topic: string, from: string, bytes: Uint8Array) {
    this.#topic = topic
    this.#from = from
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  kept(): EncodedMessage<Message> {
    const bytes = compact(this.#bytes)
    return bytes === this.#bytes ? this : new EncodedMessage(this.#topic, this.#from, bytes)
  }

  read(): TopicMessage<Message> {
    const message: TopicMessage<Message> = {
      type: 'message',
      topic: this.#topic,
      value: undefined as Message,
      from: this.#from,
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
