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
    const answer = (found: readonly (readonly Readonly<Row>[] | undefined)[]): void =>
      this.#answer(from, request, items, found)
    answering.asked(from, { items, manner: message, answerOf, answer }, reads.asking, now)
  }

  #answer(
    to: PeerId,
    request: number,
    keys: readonly ReadKey[],
    found: readonly (readonly Readonly<Row>[] | undefined)[],
  ): void {
    const block = new BlockWriter(this.#deps.ids)
    const outcomes = keys.map(({ name }, place): ReadOutcome => {
      const rows = found[place]
      if (rows === undefined) return ReadOutcome.UNKNOWN
      const bytes = rowBytesOf(rows)
      if (block.length > 0 && block.length + bytes > READ_ANSWER_MAX_BYTES) return ReadOutcome.LEFT_OUT
      for (const row of rows) block.row(name, row)
      return ReadOutcome.ANSWERED
    })
    this.#deps.outbox.send(to, { type: 'found', request, outcomes: Uint8Array.from(outcomes), block: block.take() })
  }
}
