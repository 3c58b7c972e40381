import type { Answering } from '../asking/answering.ts'
import { Asking } from '../asking/asking.ts'
import type { AskOptions, Item } from '../asking/asking.ts'
import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import { PARTITIONS_MAX, QUERIES_EACH_MAX, QUERIES_MAX, QUERY_PATIENCE_MS } from '../limits.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter, nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Message } from '../wire/messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import { ReadOutcome } from '../wire/read-messages.ts'
import type { AskedQuery } from '../wire/read-messages.ts'
import { originOf, rowsIn } from './reads.ts'
import type { ReadsDeps } from './reads.ts'

export type QueryMessage = Extract<Message, { readonly type: 'query' }>
export type ResultMessage = Extract<Message, { readonly type: 'result' }>

/** What one peer says to a query, of some partitions taken together. */
export interface PartAnswer {
  /** Undefined: this peer may answer from its own copies, and is to do so now. */
  readonly peer: PeerId | undefined
  readonly answer: Uint8Array
  /** The rows, by key; of each row the later one of what was found and what this peer knows itself. */
  readonly keys: readonly {
    readonly name: PartitionName
    readonly key: string
    readonly rows: readonly Readonly<Row>[]
  }[]
}

/** The answer to it. */
export interface QueryReply {
  readonly answered: Iterable<PartitionName>
  readonly answer: Uint8Array
  readonly rows: Iterable<{ readonly name: PartitionName; readonly rows: readonly Readonly<Row>[] }>
}

interface PartQuery extends Item {
  readonly question: Uint8Array
  /** Numbers the queries of this peer. */
  readonly number: number
}

export interface PartQueriesDeps extends ReadsDeps {
  readonly answering: Answering
  readonly ids: ReplicaIds
}

/** Marks what this peer answers itself. */
const OWN: PartAnswer = { peer: undefined, answer: new Uint8Array(0), keys: [] }

/**
 * Takes queries to the peers that may answer for partitions, and theirs to the layer above. What a query says, only that layer
 * knows: core sees to whom it goes, who may answer, and that the rows of answers are sound.
 */
export class PartQueries {
  readonly asking: Asking<PartQuery, PartAnswer>
  readonly #deps: PartQueriesDeps
  /** Queries of other peers that are under way: how many partitions each names, and has passed on. */
  readonly #asked = new Map<
    string,
    { readonly from: PeerId; readonly partitions: readonly PartitionName[]; readonly passed: number }
  >()
  #count = 0

  constructor(deps: PartQueriesDeps) {
    this.#deps = deps
    this.asking = new Asking({
      ...deps,
      itemsMax: PARTITIONS_MAX,
      joint: true,
      patienceMs: QUERY_PATIENCE_MS,
      groupOf: ({ number }) => String(number),
      ownAnswer: ({ name }, now) => (deps.currency.mayRead(name, now) ? OWN : undefined),
      send: (peer, request, asked, manner) => {
        const { name, question } = asked[0]!
        const { collection, kind } = name
        const partitions = asked.map((each) => each.name.partition)
        const origin = originOf(deps.placement, name)
        deps.outbox.send(peer, { type: 'query', request, collection, kind, ...origin, partitions, question, ...manner })
      },
    })
  }

  /**
   * Calls back with what was said of each of these partitions, in order: several may have the same answer, which is about all of
   * them. Undefined where no peer that may answer was in reach. Throws `BACKLOG_FULL`.
   */
  ask(
    names: readonly PartitionName[],
    question: Uint8Array,
    now: Instant,
    done: (answers: readonly (PartAnswer | undefined)[]) => void,
    options: AskOptions = {},
  ): void {
    const number = this.#count++
    this.asking.ask(
      names.map((name) => ({ name, question, number })),
      now,
      done,
      options,
    )
  }

  /** A neighbour asks: an event passes it on to the layer above. Throws `MESSAGE_MALFORMED`. */
  asked(from: PeerId, message: QueryMessage, now: Instant): void {
    const { request, collection, kind, origin, partitions, question } = message
    const items = partitions.map((partition) => ({ name: { collection, kind, partition }, origin }))
    if (items.length === 0 || items.some(({ name }) => isReplicated(name)))
      throw new GridError('MESSAGE_MALFORMED', 'a query of a partition that every peer holds, or of none')
    if (partitions.length > PARTITIONS_MAX || new Set(partitions).size < partitions.length)
      throw new GridError('MESSAGE_MALFORMED', 'a query that names a partition twice, or too many')
    const names = items.map(({ name }) => name)
    const id = `${from} ${request}`
    const ofPeer = [...this.#asked.values()].filter((each) => each.from === from).length
    if (this.#asked.has(id) || ofPeer >= QUERIES_EACH_MAX || this.#asked.size >= QUERIES_MAX) {
      this.#send(from, request, names)
      return
    }
    const { mayAnswer, passesOn } = this.#deps.answering.split(from, items, message, this.asking.full, now)
    const own = names.filter((_, place) => mayAnswer[place] === true)
    const onward = names.filter((_, place) => passesOn[place] === true)
    if (own.length + onward.length === 0) {
      this.#send(from, request, names)
      return
    }
    this.#asked.set(id, { from, partitions: names, passed: onward.length })
    this.#deps.outbox.event({ type: 'query', query: { from, request, question, own, onward } })
  }

  /** Whether a query still waits for its answer: not if the peer that asked is gone. */
  isAsked({ from, request }: AskedQuery): boolean {
    return this.#asked.has(`${from} ${request}`)
  }

  /** Answers a query; without a reply this peer knows nothing of it. */
  reply({ from, request }: AskedQuery, reply?: QueryReply): void {
    const id = `${from} ${request}`
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    this.#asked.delete(id)
    this.#deps.answering.passed(from, asked.passed)
    this.#send(from, request, asked.partitions, reply)
  }

  /** A neighbour has answered. Throws `MESSAGE_MALFORMED`. */
  answered(from: PeerId, { request, outcomes, answer, block }: ResultMessage, now: Instant): void {
    if (!this.asking.expects(from, request)) return
    const ahead = new Set<string>()
    const found = rowsIn(this.#deps, from, block, now, (partition) => void ahead.add(partition))
    const keys: { name: PartitionName; key: string; rows: readonly Readonly<Row>[] }[] = []
    const said: PartAnswer = { peer: from, answer, keys }
    this.asking.answered(request, outcomes, ({ name }) => {
      if (ahead.has(nameKey(name))) return undefined
      for (const [key, rows] of found.get(nameKey(name)) ?? [])
        keys.push({ name, key, rows: this.#deps.largest.of({ name, key }, rows) })
      return said
    })
  }

  disconnected(neighbour: PeerId): void {
    for (const [id, { from }] of this.#asked) if (from === neighbour) this.#asked.delete(id)
  }

  #send(to: PeerId, request: number, partitions: readonly PartitionName[], reply?: QueryReply): void {
    const block = new BlockWriter(this.#deps.ids)
    for (const { name, rows } of reply?.rows ?? []) for (const row of rows) block.row(name, row)
    const answered = new Set(Array.from(reply?.answered ?? [], nameKey))
    const outcomes = partitions.map((name) =>
      answered.has(nameKey(name)) ? ReadOutcome.ANSWERED : ReadOutcome.UNKNOWN,
    )
    this.#deps.outbox.send(to, {
      type: 'result',
      request,
      outcomes: Uint8Array.from(outcomes),
      answer: reply?.answer ?? new Uint8Array(0),
      block: block.take(),
    })
  }
}
