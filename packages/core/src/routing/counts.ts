import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import { PARTITIONS_MAX } from '../limits.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'
import type { Manner } from '../wire/read-messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { Answering } from '../asking/answering.ts'
import { Asking } from '../asking/asking.ts'
import type { AskOptions, Item } from '../asking/asking.ts'
import { countOfCopy } from './counted-keys.ts'
import { ReadOutcome } from '../wire/read-messages.ts'
import { originOf } from './reads.ts'
import type { ReadsDeps } from './reads.ts'

export type CountMessage = Extract<Message, { readonly type: 'count' }>
export type CountedMessage = Extract<Message, { readonly type: 'counted' }>

export interface CountsDeps extends Pick<
  ReadsDeps,
  'currency' | 'membership' | 'neighbours' | 'outbox' | 'placement' | 'requests'
> {
  readonly answering: Answering
  readonly collections: Collections
  readonly time: Timekeeping
}

/** Counts the keys of partitions, wherever they are, and counts those of this peer's copies for others. */
export class Counts {
  readonly asking: Asking<Item, number>
  readonly #deps: CountsDeps
  readonly #outbox: Outbox

  constructor(deps: CountsDeps) {
    this.#deps = deps
    this.#outbox = deps.outbox
    this.asking = new Asking({
      ...deps,
      itemsMax: PARTITIONS_MAX,
      groupOf: ({ name: { collection, kind } }) => `${kind} ${collection}`,
      ownAnswer: ({ name }, now) => (deps.currency.mayRead(name, now) ? this.#countOf(name, now) : undefined),
      send: (peer, request, asked, manner) => this.#ask(peer, request, asked, manner),
    })
  }

  /**
   * Calls back with the number of keys in each partition of one collection, in order; undefined where no peer that may answer was in
   * reach. Hints are not counted. Throws `BACKLOG_FULL`.
   */
  count(
    names: readonly PartitionName[],
    now: Instant,
    done: (counts: readonly (number | undefined)[]) => void,
    options: AskOptions = {},
  ): void {
    this.asking.ask(
      names.map((name) => ({ name })),
      now,
      done,
      options,
    )
  }

  /** A neighbour asks. Throws `MESSAGE_MALFORMED`. */
  asked(from: PeerId, message: CountMessage, now: Instant): void {
    const { request, collection, kind, origin, partitions } = message
    const items = partitions.map((partition) => ({ name: { collection, kind, partition }, origin }))
    if (items.some(({ name }) => isReplicated(name))) {
      throw new GridError('MESSAGE_MALFORMED', 'a question about a partition that every peer holds')
    }
    // Each is counted row by row.
    if (partitions.length > PARTITIONS_MAX || new Set(partitions).size < partitions.length) {
      throw new GridError('MESSAGE_MALFORMED', 'a question that names a partition twice, or too many')
    }
    const answerOf = ({ name }: Item): number => this.#countOf(name, now)
    const answer = (counts: readonly (number | undefined)[]): void => {
      const outcomes = counts.map((count) => (count === undefined ? ReadOutcome.UNKNOWN : ReadOutcome.ANSWERED))
      const known = counts.map((count) => count ?? 0)
      this.#outbox.send(from, { type: 'counted', request, outcomes: Uint8Array.from(outcomes), counts: known })
    }
    this.#deps.answering.asked(from, { items, manner: message, answerOf, answer }, this.asking, now)
  }

  /** A neighbour has answered. */
  answered(from: PeerId, { request, outcomes, counts }: CountedMessage): void {
    if (this.asking.expects(from, request)) this.asking.answered(request, outcomes, (_, place) => counts[place])
  }

  #ask(peer: PeerId, request: number, asked: readonly Item[], manner: Manner): void {
    const { collection, kind } = asked[0]!.name
    const partitions = asked.map(({ name }) => name.partition)
    this.#outbox.send(peer, {
      type: 'count',
      request,
      collection,
      kind,
      ...originOf(this.#deps.placement, asked[0]!.name),
      partitions,
      ...manner,
    })
  }

  #countOf(name: PartitionName, now: Instant): number {
    const { collections, time } = this.#deps
    return countOfCopy(collections, name, time.wallMs(now))
  }
}
