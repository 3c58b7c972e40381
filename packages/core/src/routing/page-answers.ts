import { GridError } from '../errors.ts'
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
import { firstOfCopy } from './key-ranges.ts'
import type { KeysInOrder } from './key-ranges.ts'
import type { PageQuery, Pages } from './pages.ts'
import { rowBytesOf } from './rows-of-key.ts'

export type ScanMessage = Extract<Message, { readonly type: 'scan' }>

export interface PageAnswersDeps {
  readonly answering: Answering
  readonly collections: Collections
  readonly ids: ReplicaIds
  readonly outbox: Outbox
  readonly pages: Pages
}

/** Answers other peers that read partitions page by page. */
export class PageAnswers {
  readonly #deps: PageAnswersDeps

  constructor(deps: PageAnswersDeps) {
    this.#deps = deps
  }

  /** Throws `MESSAGE_MALFORMED`. */
  asked(from: PeerId, message: ScanMessage, now: Instant): void {
    const { request, collection, kind, partition, origin, after, prefix } = message
    const name = { collection, kind, partition }
    const keysMax = Math.min(message.keysMax, READ_KEYS_MAX)
    if (isReplicated(name) || keysMax === 0) throw new GridError('MESSAGE_MALFORMED', 'a question about no partition')
    const { answering, collections, pages } = this.#deps
    const query: PageQuery = { name, origin, after, prefix, keysMax }
    const answerOf = (): KeysInOrder => firstOfCopy(collections, name, query, keysMax)
    const answer = ([page]: readonly (KeysInOrder | undefined)[]): void => this.#answer(from, request, query, page)
    answering.asked(from, { items: [query], manner: message, answerOf, answer }, pages.asking, now)
  }

  #answer(to: PeerId, request: number, { name }: PageQuery, page: KeysInOrder | undefined): void {
    const block = new BlockWriter(this.#deps.ids)
    let end = page?.end
    let last: string | undefined
    for (const { key, rows } of page?.keys ?? []) {
      // A page that was passed on has what the peer in between knows as well.
      if (last !== undefined && block.length + rowBytesOf(rows) > READ_ANSWER_MAX_BYTES) {
        end = last
        break
      }
      for (const row of rows) block.row(name, row)
      if (rows.length > 0) last = key
    }
    const rest = end === undefined ? {} : { end }
    const answered = page !== undefined
    this.#deps.outbox.send(to, { type: 'page', request, answered, ...rest, block: block.take() })
  }
}
