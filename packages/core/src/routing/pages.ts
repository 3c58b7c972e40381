import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import { nameKey } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'
import { Asking } from '../asking/asking.ts'
import type { AskOptions, Item } from '../asking/asking.ts'
import { firstKeys, firstOfCopy, isInRange } from './key-ranges.ts'
import type { KeyRange, KeysInOrder } from './key-ranges.ts'
import { ReadOutcome } from '../wire/read-messages.ts'
import { originOf, rowsIn } from './reads.ts'
import type { ReadsDeps } from './reads.ts'

export type PageMessage = Extract<Message, { readonly type: 'page' }>

/** Asks for the first keys of a range of a partition. */
export interface PageQuery extends Item, KeyRange {
  /** At most 1,024. */
  readonly keysMax: number
}

export interface PagesDeps extends ReadsDeps {
  readonly collections: Collections
}

/**
 * Reads a partition page by page, in the order of its keys, wherever it is. As with a read of one key, the answer is the larger of
 * what was found and what this peer knows of itself.
 */
export class Pages {
  readonly asking: Asking<PageQuery, KeysInOrder>
  readonly #deps: PagesDeps

  constructor(deps: PagesDeps) {
    this.#deps = deps
    this.asking = new Asking({
      ...deps,
      itemsMax: 1,
      groupOf: () => '',
      ownAnswer: (query, now) => this.#ownAnswer(query, now),
      send: (peer, request, [asked], manner) => {
        const { name, after, prefix, keysMax } = asked!
        const range = { ...name, ...originOf(deps.placement, name), after, prefix, keysMax }
        deps.outbox.send(peer, { type: 'scan', request, ...range, ...manner })
      },
    })
  }

  /** Calls back with the page; undefined if no peer that may answer was in reach. Throws `BACKLOG_FULL`. */
  read(query: PageQuery, now: Instant, done: (page: KeysInOrder | undefined) => void, options: AskOptions = {}): void {
    this.#deps.largest.forgetOld(now)
    this.asking.ask([query], now, ([page]) => done(page), options)
  }

  /** A neighbour has answered. Throws `MESSAGE_MALFORMED`. */
  answered(from: PeerId, { request, answered, end, block }: PageMessage, now: Instant): void {
    if (!this.asking.expects(from, request)) return
    const ahead = new Set<string>()
    const found = rowsIn(this.#deps, from, block, now, (partition) => void ahead.add(partition))
    const outcome = answered ? ReadOutcome.ANSWERED : ReadOutcome.UNKNOWN
    this.asking.answered(request, Uint8Array.of(outcome), (query) => {
      // A page without what is dated too far ahead of this peer's clock would claim that it is not there.
      if (ahead.has(nameKey(query.name))) return undefined
      const rows = found.get(nameKey(query.name)) ?? new Map<string, never[]>()
      if (end !== undefined && !isInRange(end, query)) {
        throw new GridError('MESSAGE_MALFORMED', 'a page that does not go on')
      }
      const keys = [...rows].map(([key, ofKey]) => ({ key, rows: ofKey }))
      return this.#larger(query, { keys, end })
    })
  }

  #ownAnswer(query: PageQuery, now: Instant): KeysInOrder | undefined {
    const { collections, currency } = this.#deps
    if (!currency.mayRead(query.name, now)) return undefined
    return this.#larger(query, firstOfCopy(collections, query.name, query, query.keysMax))
  }

  #larger(query: PageQuery, { keys, end }: KeysInOrder): KeysInOrder {
    const { largest } = this.#deps
    const { name } = query
    const found = new Map(keys.map(({ key, rows }) => [key, rows]))
    const all = [...found.keys(), ...largest.keys(name)].filter((key) => isInRange(key, query, end))
    const inOrder = firstKeys(all, query, Infinity)
    return { keys: inOrder.map((key) => ({ key, rows: largest.of({ name, key }, found.get(key) ?? []) })), end }
  }
}
