import type { Row } from '../entries/entry-table.ts'
import type { Instant } from '../instant.ts'
import { READ_KEYS_MAX } from '../limits.ts'
import type { HybridClock } from '../clock/hlc.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Inbound } from '../replication/inbound.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { KeysOfPart, Message } from '../wire/messages.ts'
import { entryKeyOf } from '../kinds/kinds.ts'
import { Asking } from '../asking/asking.ts'
import type { AskOptions, AskingDeps, Item } from '../asking/asking.ts'
import type { Currency } from '../asking/currency.ts'
import type { LargestRows } from './largest-rows.ts'

export type FoundMessage = Extract<Message, { readonly type: 'found' }>

/** A key of a partition: of a kind with composite keys, the first part. */
export interface ReadKey extends Item {
  readonly key: string
}

/** What a read has found: the rows of a key, tombstones included. */
export interface KeyRead {
  readonly name: PartitionName
  readonly key: string
  /** Undefined if no peer that may answer was in reach. */
  readonly rows: readonly Readonly<Row>[] | undefined
}

export interface ReadsDeps extends Pick<
  AskingDeps<never, never>,
  'membership' | 'neighbours' | 'placement' | 'requests'
> {
  readonly clock: HybridClock
  readonly currency: Currency
  readonly inbound: Inbound
  readonly largest: LargestRows
  readonly outbox: Outbox
  readonly peerId: PeerId
}

/**
 * Reads keys, wherever their partitions are. An answer is the larger of what was found and what this peer knows of itself: its
 * own writes, and what it has read before. Without an answer the result says so: that is not "does not exist".
 */
export class Reads {
  readonly asking: Asking<ReadKey, readonly Readonly<Row>[]>
  readonly #deps: ReadsDeps

  constructor(deps: ReadsDeps) {
    this.#deps = deps
    this.asking = new Asking({
      ...deps,
      itemsMax: READ_KEYS_MAX,
      gathers: true,
      groupOf: () => '',
      ownAnswer: (asked, now) => this.#ownAnswer(asked, now),
      send: (peer, request, asked, manner) => {
        deps.outbox.send(peer, { type: 'read', request, parts: this.#partsOf(asked), ...manner })
      },
    })
  }

  /** Calls back with what was found, in the order of `keys`; at once where this peer has all of it. Throws `BACKLOG_FULL`. */
  read(
    keys: readonly ReadKey[],
    now: Instant,
    done: (read: readonly KeyRead[]) => void,
    options: AskOptions = {},
  ): void {
    const found = (answers: readonly (readonly Readonly<Row>[] | undefined)[]): void =>
      done(keys.map(({ name, key }, place) => ({ name, key, rows: answers[place] })))
    this.#deps.largest.forgetOld(now)
    this.asking.ask(keys, now, found, options)
  }

  /** A neighbour has answered. Throws `MESSAGE_MALFORMED`. */
  answered(from: PeerId, { request, outcomes, block }: FoundMessage, now: Instant): void {
    if (!this.asking.expects(from, request)) return
    const ahead = new Set<string>()
    const found = rowsIn(this.#deps, from, block, now, (partition, key) => void ahead.add(`${partition} ${key}`))
    this.asking.answered(request, outcomes, ({ name, key }) => {
      const partition = nameKey(name)
      // By the clock of this peer, what is there is not written yet: it does not know the entry.
      if (ahead.has(`${partition} ${key}`)) return undefined
      return this.#deps.largest.of({ name, key }, found.get(partition)?.get(key) ?? [])
    })
  }

  #partsOf(asked: readonly ReadKey[]): KeysOfPart[] {
    const parts: (KeysOfPart & { readonly keys: string[] })[] = []
    for (const { name, key } of asked) {
      const last = parts.at(-1)
      if (last !== undefined && nameKey(last) === nameKey(name)) last.keys.push(key)
      else parts.push({ ...name, ...originOf(this.#deps.placement, name), keys: [key] })
    }
    return parts
  }

  #ownAnswer(asked: ReadKey, now: Instant): readonly Readonly<Row>[] | undefined {
    return this.#deps.currency.mayRead(asked.name, now) ? this.#deps.largest.own(asked) : undefined
  }
}

/** The registration of its collection, for a question to another peer. */
export function originOf(placement: Rendezvous, name: PartitionName): { readonly origin?: string } {
  const origin = placement.registered(name)?.origin
  return origin === undefined ? {} : { origin }
}

/**
 * The rows of an answer by partition and key. The clock observes what was read, so that a later write of this peer is later than
 * it. Rows dated too far ahead of this peer's clock are left out, and `onAhead` is called for each. Throws `MESSAGE_MALFORMED`.
 */
export function rowsIn(
  { clock, inbound }: Pick<ReadsDeps, 'clock' | 'inbound'>,
  from: PeerId,
  block: Uint8Array,
  now: Instant,
  onAhead: (partition: string, key: string, row: Row) => void = () => undefined,
): Map<string, Map<string, Row[]>> {
  const found = new Map<string, Map<string, Row[]>>()
  for (const record of inbound.read(from, block, true, now)) {
    if (record.type !== 'rows') continue
    const partition = nameKey(record.partition)
    const ofPartition = found.get(partition) ?? new Map<string, Row[]>()
    found.set(partition, ofPartition)
    for (const row of record.rows) {
      const key = entryKeyOf(record.partition.kind, row.key)
      if (!inbound.isBelievable(row, now)) {
        onAhead(partition, key, row)
        continue
      }
      clock.observe(row.hlc)
      const rows = ofPartition.get(key)
      if (rows === undefined) ofPartition.set(key, [row])
      else rows.push(row)
    }
  }
  return found
}
