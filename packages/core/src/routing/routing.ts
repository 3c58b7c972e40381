import type { Timekeeping } from '../clock/timekeeping.ts'
import type { Hints } from '../hints/hints.ts'
import type { Row } from '../entries/entry-table.ts'
import type { Instant } from '../instant.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { Inbound } from '../replication/inbound.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { PartitionName } from '../wire/block.ts'
import type { RoutingMessage } from '../wire/read-messages.ts'
import { Answering } from '../asking/answering.ts'
import type { Asking } from '../asking/asking.ts'
import { Counts } from './counts.ts'
import { Currency } from '../asking/currency.ts'
import type { CurrencyDeps } from '../asking/currency.ts'
import type { KnownVersions } from './known-versions.ts'
import { LargestRows } from './largest-rows.ts'
import { PageAnswers } from './page-answers.ts'
import { Pages } from './pages.ts'
import { PartQueries } from './part-queries.ts'
import { ReadAnswers } from './read-answers.ts'
import { Reads } from './reads.ts'
import type { ReadsDeps } from './reads.ts'
import { rowsOfKey } from './rows-of-key.ts'

export interface RoutingDeps extends Pick<CurrencyDeps, 'antiEntropy'> {
  readonly collections: Collections
  readonly hints: Hints
  readonly ids: ReplicaIds
  readonly inbound: Inbound
  readonly known: KnownVersions
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly requests: RequestNumbers
  readonly peerId: PeerId
  readonly placement: Rendezvous
  readonly time: Timekeeping
}

/** Reads of partitions, wherever they are: of keys, page by page, of their numbers of keys, and by queries. */
export class Routing {
  readonly currency: Currency
  readonly reads: Reads
  readonly pages: Pages
  readonly counts: Counts
  /** What reads are made of. */
  readonly reading: ReadsDeps
  readonly queries: PartQueries
  readonly #all: readonly {
    readonly asking: Pick<Asking<never, never>, 'wakeAtMs' | 'neighboursChanged' | 'disconnected' | 'tick'>
  }[]
  readonly answering: Answering
  readonly #collections: Collections
  readonly #known: KnownVersions
  readonly #readAnswers: ReadAnswers
  readonly #pageAnswers: PageAnswers

  constructor(deps: RoutingDeps, now: Instant) {
    this.#known = deps.known
    deps.known.forgetOld(now)
    this.currency = new Currency(deps, now)
    this.#collections = deps.collections
    const reading = { ...deps, clock: deps.time.hybridClock, currency: this.currency, largest: new LargestRows(deps) }
    this.reading = reading
    this.answering = new Answering(reading)
    const answering = { ...reading, answering: this.answering }
    this.reads = new Reads(reading)
    this.pages = new Pages(reading)
    this.counts = new Counts(answering)
    this.queries = new PartQueries(answering)
    this.#all = [this.reads, this.pages, this.counts, this.queries]
    this.#readAnswers = new ReadAnswers({ ...answering, reads: this.reads })
    this.#pageAnswers = new PageAnswers({ ...answering, pages: this.pages })
  }

  get wakeAtMs(): number {
    return this.#all.reduce((atMs, { asking }) => Math.min(atMs, asking.wakeAtMs), Infinity)
  }

  /** Throws `MESSAGE_MALFORMED`. */
  receive(from: PeerId, message: RoutingMessage, now: Instant): void {
    switch (message.type) {
      case 'read':
        this.#readAnswers.asked(from, message, now)
        break
      case 'found':
        this.reads.answered(from, message, now)
        break
      case 'scan':
        this.#pageAnswers.asked(from, message, now)
        break
      case 'page':
        this.pages.answered(from, message, now)
        break
      case 'count':
        this.counts.asked(from, message, now)
        break
      case 'counted':
        this.counts.answered(from, message)
        break
      case 'query':
        this.queries.asked(from, message, now)
        break
      case 'result':
        this.queries.answered(from, message, now)
    }
  }

  /** The rows of a key in the copy of this peer. */
  rowsInCopy(name: PartitionName, key: string): readonly Readonly<Row>[] {
    return rowsOfKey(this.#collections, name, key)
  }

  /** Other peers may be worth asking now. */
  neighboursChanged(): void {
    for (const { asking } of this.#all) asking.neighboursChanged()
  }

  disconnected(neighbour: PeerId): void {
    this.currency.disconnected(neighbour)
    this.answering.disconnected(neighbour)
    this.queries.disconnected(neighbour)
    for (const { asking } of this.#all) asking.disconnected(neighbour)
  }

  tick(now: Instant): void {
    this.#known.forgetOld(now)
    for (const { asking } of this.#all) asking.tick(now)
  }
}
