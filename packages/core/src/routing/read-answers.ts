import { GridError } from '../errors.ts'
import type { Row } from '../entries/entry-table.ts'
import type { Instant } from '../instant.ts'
import { READ_ANSWER_MAX_BYTES, READ_KEYS_MAX } from '../limits.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { Answering } from '../asking/answering.ts'
import { rowBytesOf, rowsOfKey } from './rows-of-key.ts'
import { ReadOutcome } from '../wire/read-messages.ts'
import type { ReadKey, Reads } from './reads.ts'

export type ReadMessage = Extract<Message, { readonly type: 'read' }>

export interface ReadAnswersDeps {
  readonly answering: Answering
  readonly collections: Collections
  readonly ids: ReplicaIds
  readonly outbox: Outbox
  readonly reads: Reads
}

/** Answers other peers that read keys. */
export class ReadAnswers {
  readonly #deps: ReadAnswersDeps

  constructor(deps: ReadAnswersDeps) {
    this.#deps = deps
  }

  /** Throws `MESSAGE_MALFORMED`. */
  asked(from: PeerId, message: ReadMessage, now: Instant): void {
    const { request, parts } = message
    const items = parts.flatMap(({ keys, collection, kind, partition, origin }) => {
      const name = { collection, kind, partition }
      return keys.map((key): ReadKey => ({ name, key, origin }))
    })
    if (items.length > READ_KEYS_MAX) throw new GridError('MESSAGE_MALFORMED', `a question about ${items.length} keys`)
    if (parts.some((part) => isReplicated(part))) {
      throw new GridError('MESSAGE_MALFORMED', 'a question about a partition that every peer holds')
    }
    const { answering, collections, reads } = this.#deps
    const answerOf = ({ name, key }: ReadKey): readonly Readonly<Row>[] => rowsOfKey(collections, name, key)
    if (message.own === true) {
      this.#answer(
        from,
        request,
        items,
        items.map((item) => this.#ofOwnCopy(item)),
        (item) => (answering.mayAnswer(item.name, message, now) ? ReadOutcome.ANSWERED : ReadOutcome.PARTIAL),
      )
      return
    }
    const answer = (found: readonly (readonly Readonly<Row>[] | undefined)[]): void =>
      this.#answer(from, request, items, found, () => ReadOutcome.ANSWERED)
    answering.asked(from, { items, manner: message, answerOf, answer }, reads.asking, now)
  }

  /** The rows of a key in the copy of this peer, whole or not; undefined if it has none. */
  #ofOwnCopy({ name, key, origin }: ReadKey): readonly Readonly<Row>[] | undefined {
    const { answering, collections } = this.#deps
    const { placement } = collections
    return placement.holds(name) && answering.isShared({ name, origin }) ? rowsOfKey(collections, name, key) : undefined
  }

  #answer(
    to: PeerId,
    request: number,
    keys: readonly ReadKey[],
    found: readonly (readonly Readonly<Row>[] | undefined)[],
    outcomeOf: (key: ReadKey) => ReadOutcome,
  ): void {
    const block = new BlockWriter(this.#deps.ids)
    const outcomes = keys.map((key, place): ReadOutcome => {
      const rows = found[place]
      if (rows === undefined) return ReadOutcome.UNKNOWN
      const bytes = rowBytesOf(rows)
      if (block.length > 0 && block.length + bytes > READ_ANSWER_MAX_BYTES) return ReadOutcome.LEFT_OUT
      for (const row of rows) block.row(key.name, row)
      return outcomeOf(key)
    })
    this.#deps.outbox.send(to, { type: 'found', request, outcomes: Uint8Array.from(outcomes), block: block.take() })
  }
}
