import type { Coverage } from '../changes/partition-changes.ts'
import { GridError, INDEXES_DEFINED_MAX, IndexRows, READ_TIMEOUT_MS, kindCode } from '@gossipgrid/core'
import type { Collection, IndexedCollection, PartitionName, Written } from '@gossipgrid/core'
import { TimeSlices } from '../../flow/time-slices.ts'
import { addGroups, checkAggregate, rowsOfGroups } from '../../queries/aggregate.ts'
import type { Aggregate, Groups } from '../../queries/aggregate.ts'
import { checkQuery, checkCounted } from '../../queries/check-query.ts'
import type { CheckedQuery } from '../../queries/check-query.ts'
import { checkIndexNames } from '../../queries/checks/check-index.ts'
import type { Query, QueryRow, Where } from '../../queries/query.ts'
import { positionText } from '../../queries/row-order.ts'
import type { Position } from '../../queries/row-order.ts'
import { valueOf } from '../../queries/run-query.ts'
import { SELECTED_FIELDS_MAX, neededFields, selected } from '../../queries/selection.ts'
import type { Selection } from '../../queries/selection.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type {
  OwnerReadOptions,
  PartitionAggregateResult,
  PartitionCount,
  PartitionIndexHandle,
  PartitionQueries,
  PartitionQueryPlan,
  PartitionQueryResult,
  PeerQueryPlan,
} from '../partition-options.ts'
import type { RoutedEntries } from '../routed-entries.ts'
import { definedIndexes } from './copied-map.ts'
import type { CopiedMaps } from './copied-maps.ts'
import type { Bounds } from './bounds.ts'
import { PartAsking } from './part-asking.ts'
import type { Asked } from './part-asking.ts'
import { groupsQuestion, rowsQuestion } from './part-question.ts'
import type { Question } from './part-question.ts'
import { PartRows } from './part-rows.ts'
import { isRegistered } from './registration.ts'
import { settled } from './settled.ts'

export interface RoutedQueriesDeps {
  readonly writes: WritePath
  readonly collection: Collection
  readonly entries: RoutedEntries
  readonly copies: CopiedMaps
  /** Asks only for entries whose keys begin with one of these texts, before anything else: for a guest. */
  readonly within?: readonly string[] | undefined
  /** Bytes of the rows of one page, about: rows behind them are on the next one. */
  readonly pageMaxBytes?: number | undefined
}

/** Queries of a partitioned map, asked of the owners of its partitions. */
export class RoutedQueries<Value> implements PartitionQueries<Value> {
  readonly #deps: RoutedQueriesDeps
  readonly #asking: PartAsking

  constructor(deps: RoutedQueriesDeps) {
    this.#deps = deps
    this.#asking = new PartAsking({ pump: deps.writes.pump, copies: deps.copies })
  }

  async query<Shown>(query: unknown, options: OwnerReadOptions): Promise<PartitionQueryResult<Shown>> {
    const checked = { ...checkQuery(query), within: this.#deps.within }
    const { rows, next, coverage } = await this.#rows(checked, options, () => undefined)
    const nextText = next === undefined ? undefined : positionText(checked.order, next)
    return { rows: rows as readonly QueryRow<Shown>[], next: nextText, ...coverage }
  }

  async count(where: Where<Value> | undefined, options: OwnerReadOptions): Promise<PartitionCount> {
    checkCounted(where)
    const { rows, ...coverage } = await this.aggregate({ where, count: true }, options)
    return { count: rows[0]!.count!, ...coverage }
  }

  async aggregate(aggregate: Aggregate<Value>, options: OwnerReadOptions): Promise<PartitionAggregateResult> {
    const checked = { ...checkAggregate(aggregate), within: this.#deps.within }
    const asked = await this.#ask(this.#names, { type: 'groups', aggregate: checked }, groupsQuestion(checked), options)
    const groups: Groups = new Map()
    for (const { groups: found } of asked.parts) addGroups(groups, found, checked)
    return { rows: rowsOfGroups(groups, checked), ...this.#coverage(asked.unanswered) }
  }

  async explain(query: Query<Value>, options: OwnerReadOptions): Promise<PartitionQueryPlan> {
    const peers = new Map<string, PeerQueryPlan>()
    const own = this.#deps.writes.pump.peer.peerId
    const { rows, coverage } = await this.#rows(checkQuery(query), options, ({ parts }) => {
      for (const { peer = own, names, index, ordered, looked } of parts) {
        const before = peers.get(peer)
        const all = {
          looked: looked + (before?.looked ?? 0),
          partitions: Math.max(names.length, before?.partitions ?? 0),
        }
        peers.set(peer, { peerId: peer, index, ordered, ...all })
      }
    })
    const plans = [...peers.values()]
    const [first] = plans
    const isSame = plans.every(({ index }) => index?.join('\0') === first?.index?.join('\0'))
    return {
      index: isSame ? first?.index : undefined,
      ordered: plans.length > 0 && plans.every(({ ordered }) => ordered),
      looked: plans.reduce((sum, { looked }) => sum + looked, 0),
      given: rows.length,
      peers: plans,
      ...coverage,
    }
  }

  async index(names: unknown, options: OwnerReadOptions): Promise<PartitionIndexHandle> {
    const fields = checkIndexNames(names)
    const { entries, copies, writes } = this.#deps
    // This peer may not have met one that knows the map.
    if (!(await isRegistered(writes.pump, entries.places.all[0]!, options)))
      throw entries.reads.unreachable('the indexes', options)
    const known = definedIndexes(writes.pump, this.#deps.collection)
    if (!known.some((each) => isSameNames(each, fields))) {
      if (known.length >= INDEXES_DEFINED_MAX)
        throw new GridError(
          'INVALID_OPTION',
          `a map has at most ${INDEXES_DEFINED_MAX} indexes: drop one that no query needs`,
        )
      await this.#write((rows, collection) => rows.define(collection, fields))
    }
    const [name] = entries.places.all
    await copies.of(name!)?.readIndexes()
    return this.#handle(fields)
  }

  indexes(): readonly PartitionIndexHandle[] {
    this.#deps.entries.reads.check()
    return definedIndexes(this.#deps.writes.pump, this.#deps.collection).map((names) => this.#handle(names))
  }

  #handle(names: readonly string[]): PartitionIndexHandle {
    return { names, drop: () => this.#write((rows, collection) => rows.remove(collection, names)) }
  }

  /** Writes to the registry. Resolves when that is durable here; to false if there was nothing to write. */
  async #write(change: (rows: IndexRows, collection: IndexedCollection) => Written | undefined): Promise<boolean> {
    const { collection, entries, writes } = this.#deps
    const { pump } = writes
    entries.reads.check()
    const { name } = collection.descriptor
    const origin = pump.peer.partitions.origin(entries.places.all[0]!)
    if (origin === undefined) throw entries.reads.unreachable('the indexes', {})
    const { rows } = pump.peer.housekeeping
    const registration = { name, kind: kindCode(collection.descriptor), origin }
    const written = pump.undisturbed(() => change(new IndexRows(rows), registration))
    if (written === undefined) return false
    await writes.follow(rows.partition, written)
    return true
  }

  /** The rows of a query. Where one answer of each peer does not do, it asks again behind the rows that it has. */
  async #rows(
    query: CheckedQuery,
    options: OwnerReadOptions,
    asked: (asked: Asked) => void,
  ): Promise<{ rows: readonly QueryRow<unknown>[]; next: Position | undefined; coverage: Coverage }> {
    const endMs = performance.now() + (options.timeoutMs ?? READ_TIMEOUT_MS)
    const slices = this.#slices()
    const rows = new Map<string, QueryRow<unknown>>()
    const unanswered = new Set<PartitionName>()
    let { after } = query
    let leftBytes = this.#deps.pageMaxBytes ?? Infinity
    for (;;) {
      const left = { ...query, after, limit: query.limit - rows.size }
      const names = this.#names.filter((name) => !unanswered.has(name))
      const timeoutMs = Math.max(1, endMs - performance.now())
      const question = { type: 'rows', query: left, cursors: false, fields: this.#fieldsFor(query) } as const
      const found = await this.#ask(names, question, rowsQuestion(question), { ...options, timeoutMs })
      asked(found)
      for (const name of found.unanswered) unanswered.add(name)
      slices.begin()
      const page = new PartRows(left, (key, rowsOfKey) => this.#deps.entries.entry(key, rowsOfKey))
      const more = await settled(this.#deps, page, found.parts, { ...options, timeoutMs })
      const { rows: ready, end } = await page.page(found.parts, more, slices)
      for (const { row } of ready) {
        leftBytes -= row.end - row.start + row.key.length
        if (leftBytes < 0 && rows.size > 0) break
        after = row
        // A row that has moved on since it was given is not given twice.
        if (!rows.has(row.key)) rows.set(row.key, { key: row.key, value: selected(valueOf(row), query.select) })
        if (slices.isOver(rows.size)) await slices.next()
      }
      if (leftBytes < 0) break
      after = end
      if (end === undefined || rows.size >= query.limit) break
      if (performance.now() < endMs) continue
      // What follows was not answered for in time.
      for (const name of names) unanswered.add(name)
      break
    }
    return { rows: [...rows.values()], next: after, coverage: this.#coverage([...unanswered]) }
  }

  /** What of each value owners are to give. A schema tests whole values. */
  #fieldsFor({ select, where, order }: CheckedQuery): Selection | undefined {
    if (select === undefined || this.#deps.entries.schema !== undefined) return undefined
    const fields = neededFields(select, where, order)
    return fields.names.length > SELECTED_FIELDS_MAX ? undefined : fields
  }

  #ask(
    names: readonly PartitionName[],
    question: Question,
    bytes: Uint8Array,
    options: OwnerReadOptions,
  ): Promise<Asked> {
    const { places, reads } = this.#deps.entries
    reads.check()
    const bounds = (): Bounds => ({ slices: this.#slices() })
    return this.#asking.ask(names, { places, reads, question, bytes, bounds }, options)
  }

  /** The partitions that may have rows. */
  get #names(): readonly PartitionName[] {
    const { entries, within } = this.#deps
    const { places } = entries
    return within === undefined ? places.all : places.withPrefixes(within)
  }

  #slices(): TimeSlices {
    return new TimeSlices(() => this.#deps.writes.pump.checkOpen())
  }

  #coverage(unanswered: readonly PartitionName[]): Coverage {
    const { places } = this.#deps.entries
    const numbers = unanswered.map((name) => places.indexOf(name)).toSorted((one, other) => one - other)
    return { complete: numbers.length === 0, unanswered: numbers }
  }
}

function isSameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, i) => name === other[i])
}
