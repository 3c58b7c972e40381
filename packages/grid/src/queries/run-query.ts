import { decodeValue } from '@gossipgrid/core'
import type { TimeSlices } from '../flow/time-slices.ts'
import { noContent } from '../indexes/entry-source.ts'
import type { EntrySource } from '../indexes/entry-source.ts'
import type { IndexPlace, MapIndex } from '../indexes/map-index.ts'
import type { TextIndex } from '../indexes/text-index.ts'
import { FieldReader } from '../ordering/field-reader.ts'
import { sortKeyAt } from '../ordering/paths.ts'
import type { PlainWhere } from './checks/check-name.ts'
import type { CheckedQuery } from './check-query.ts'
import { Effort } from './effort.ts'
import { FirstLook, constraintsOf } from './constraints.ts'
import type { Constraints } from './constraints.ts'
import { FoundRows } from './found-rows.ts'
import type { FoundRow } from './found-rows.ts'
import { excessOf, invalidQuery, queryTooLarge } from './checks/invalid-query.ts'
import { matcherOf } from './matcher.ts'
import type { Matcher } from './matcher.ts'
import { planOf } from './plan.ts'
import type { IndexPlan } from './plan.ts'
import { comparePositions } from './row-order.ts'
import type { Position, RowOrder } from './row-order.ts'

/** Entries that changed while a query ran and are looked at again in one piece. */
const CHANGED_MAX = 2048

/** What a query needs. */
export interface QueryDeps {
  readonly source: EntrySource
  readonly indexes: readonly MapIndex[]
  readonly slices: TimeSlices
  /** The words that entries must have one of, and the index that has them. */
  readonly text?: { readonly index: TextIndex; readonly words: string } | undefined
  /** How many entries it may look at. Beyond that it rejects with `QUERY_TOO_LARGE`. */
  readonly lookedMax?: number | undefined
}

/** The rows of one moment, and where to go on. */
export interface Found {
  readonly rows: readonly FoundRow[]
  readonly next: Position | undefined
  readonly plan: IndexPlan | undefined
  readonly looked: number
}

/**
 * Runs a query on the entries of one peer. Long ones take many turns of the event loop. All rows are of one moment: entries that
 * change meanwhile are looked at again in the end.
 */
export async function runQuery(deps: QueryDeps, query: CheckedQuery): Promise<Found> {
  const run = new QueryRun(deps, query)
  try {
    await run.walk()
    await run.catchUp()
  } finally {
    run.end()
  }
  return run.found()
}

/** Visits every entry that matches, once and without order, each as it is when it is visited. */
export async function eachMatch(
  deps: QueryDeps,
  where: PlainWhere,
  visit: (row: FoundRow) => void,
  within?: readonly string[],
): Promise<void> {
  const order = { parts: [], keysDescend: false }
  const run = new QueryRun(deps, { where, order, limit: Infinity, after: undefined, select: undefined, within }, visit)
  try {
    await run.walk()
    await run.catchUp()
  } finally {
    run.end()
  }
}

/** Whether the rows that match the words best come first. */
export function isByRelevance({ text }: QueryDeps, { order }: CheckedQuery): boolean {
  return text !== undefined && order.parts.length === 0
}

/** Tests entries, and makes rows of those that match. */
export class RowTest {
  readonly constraints: Constraints
  readonly #source: EntrySource
  readonly #order: RowOrder
  readonly #firstLook: FirstLook
  readonly #matches: Matcher | undefined
  readonly #readers: readonly FieldReader[]
  readonly #content = noContent()
  readonly #effort = new Effort()
  readonly #within: readonly string[] | undefined
  /** Entries that were there when they were looked at. */
  looked = 0

  constructor(source: EntrySource, { where, order, within }: Pick<CheckedQuery, 'where' | 'order' | 'within'>) {
    this.#source = source
    this.#order = order
    this.#within = within
    this.constraints = constraintsOf(where)
    this.#firstLook = new FirstLook(this.constraints)
    this.#matches = Object.keys(where).length === 0 ? undefined : matcherOf(where, this.#effort.spend)
    this.#readers = order.parts.map(({ path }) => new FieldReader(path))
  }

  /** What the last entry took: its bytes, and the steps of its test. */
  get work(): number {
    return this.#content.end - this.#content.start + this.#effort.steps
  }

  /** The row of an entry, if it matches. Throws `QUERY_TOO_LARGE` if that takes too long to find out. */
  rowOf(entry: number): FoundRow | undefined {
    const content = this.#content
    if (!this.#source.read(entry, content)) return undefined
    if (this.#within !== undefined) {
      const key = this.#source.key(entry)
      if (!this.#within.some((prefix) => key.startsWith(prefix))) return undefined
    }
    this.looked += 1
    const { bytes, start, end } = content
    this.#effort.begin(end - start)
    if (!this.#firstLook.canMatch(bytes, start)) return undefined
    let value: unknown
    if (this.#matches !== undefined) {
      value = decodeValue(bytes.subarray(start, end))
      if (!this.#matches(value)) return undefined
    }
    if (this.#source.isHidden(entry)) return undefined
    const sort = this.#readers.map((reader, i) => {
      if (reader.read(bytes, start)) return { rank: reader.rank, payload: reader.payload }
      value ??= decodeValue(bytes.subarray(start, end))
      return sortKeyAt(value, this.#order.parts[i]!.path)
    })
    return { entry, key: this.#source.key(entry), sort, bytes, start, end, value }
  }
}

/** The same for rows that are followed, which no error may end: an entry that takes too long to test is no row, and `tooLong` is called. */
export function followedRowOf(test: RowTest, entry: number, tooLong: () => void): FoundRow | undefined {
  try {
    return test.rowOf(entry)
  } catch (error) {
    if (excessOf(error) === undefined) throw error
    tooLong()
    return undefined
  }
}

class QueryRun {
  readonly #deps: QueryDeps
  readonly #query: CheckedQuery
  readonly #test: RowTest
  readonly #rows: FoundRows
  readonly #plan: IndexPlan | undefined
  readonly #visit: ((row: FoundRow) => void) | undefined
  readonly #byRelevance: boolean
  /** The entries with the words, and how well they match. */
  #scores: ReadonlyMap<number, number> | undefined
  readonly #changed = new Set<number>()
  /** Entries that must not be looked at twice. */
  readonly #seen = new Set<number>()
  #scanned = -1
  #last: FoundRow | undefined
  #unobserve: (() => void) | undefined

  constructor(deps: QueryDeps, query: CheckedQuery, visit?: (row: FoundRow) => void) {
    this.#deps = deps
    this.#query = query
    this.#visit = visit
    const { source, indexes } = deps
    source.refresh()
    this.#test = new RowTest(source, query)
    this.#byRelevance = isByRelevance(deps, query)
    if (this.#byRelevance && query.after !== undefined)
      throw invalidQuery('after', 'rows by relevance have no pages: order them, or ask for more with limit')
    this.#rows = new FoundRows(query.order, this.#byRelevance ? Infinity : query.limit)
    const { constraints } = this.#test
    const hasOthers = Object.keys(query.where).some((name) => !constraints.has(name))
    const { order, limit } = query
    const wanted = { constraints, hasOthers, order, limit, span: source.span }
    this.#plan = deps.text === undefined ? planOf(indexes, wanted) : undefined
  }

  async walk(): Promise<void> {
    this.#deps.slices.begin()
    if (this.#deps.text !== undefined) await this.#walkFound(this.#deps.text)
    else if (this.#plan === undefined) await this.#scan()
    else for (const within of this.#plan.stretches) await this.#walkStretch(this.#plan, within)
  }

  /** Looks again at what has changed since the query began, until nothing has. */
  async catchUp(): Promise<void> {
    const { source, slices, text } = this.#deps
    if (this.#unobserve === undefined) return
    for (;;) {
      await text?.index.catchUp(slices)
      source.refresh()
      if (this.#changed.size === 0) return
      if (text !== undefined) this.#scores = text.index.find(text.words)
      const changed = new Set([...this.#changed].slice(0, CHANGED_MAX))
      for (const entry of changed) this.#changed.delete(entry)
      this.#rows.forget(changed)
      for (const entry of changed) if (!this.#isVisited(entry)) this.#look(entry)
      if (this.#changed.size > 0) await slices.next()
    }
  }

  end(): void {
    this.#unobserve?.()
  }

  async found(): Promise<Found> {
    const { order, limit } = this.#query
    const sorted = await this.#rows.sorted(this.#deps.slices)
    if (this.#byRelevance) return this.#best(sorted)
    const { end } = this.#rows
    const valid = end === undefined ? sorted : sorted.filter((row) => comparePositions(order, row, end) <= 0)
    const rows = valid.slice(0, limit)
    const last = rows.at(-1)
    const next = valid.length > limit ? last : end
    return { rows, next, plan: this.#plan, looked: this.#test.looked }
  }

  /** The rows that match best. Of equal ones, those come first whose keys do. */
  #best(sorted: readonly FoundRow[]): Found {
    const score = ({ entry }: FoundRow): number => this.#scores?.get(entry) ?? 0
    const rows = sorted.toSorted((one, other) => score(other) - score(one)).slice(0, this.#query.limit)
    return { rows, next: undefined, plan: undefined, looked: this.#test.looked }
  }

  async #walkFound({ index, words }: NonNullable<QueryDeps['text']>): Promise<void> {
    await index.catchUp(this.#deps.slices)
    const found = index.find(words)
    this.#scores = found
    let step = 0
    for (const entry of found.keys()) {
      // One that has changed meanwhile may have lost the words: it is looked at in the end.
      if (!this.#changed.has(entry)) {
        this.#look(entry)
        this.#seen.add(entry)
      }
      if (this.#deps.slices.isOver(step++, this.#test.work)) await this.#pause()
    }
  }

  async #scan(): Promise<void> {
    const { source } = this.#deps
    const { span } = source
    for (let entry = 0; entry < span; entry++) {
      this.#look(entry)
      this.#scanned = entry
      if (this.#deps.slices.isOver(entry, this.#test.work)) await this.#pause()
    }
  }

  async #walkStretch(plan: IndexPlan, within: IndexPlan['stretches'][number]): Promise<void> {
    const { index, backwards, ordered } = plan
    const { slices } = this.#deps
    let after = ordered ? this.#startOf(plan) : undefined
    const isEnough = (): boolean => ordered && this.#rows.count > this.#query.limit
    // An entry with an array may be in a stretch twice, or in two of them.
    const seen = this.#visit !== undefined || (!ordered && index.hasArrays(0)) ? this.#seen : undefined
    for (let step = 0, isDone = false; !isDone;) {
      isDone = true
      index.walk({ within, backwards, after, once: ordered }, (entry, number) => {
        if (seen === undefined || !seen.has(entry)) this.#look(entry)
        seen?.add(entry)
        if (isEnough()) return false
        isDone = !slices.isOver(step++, this.#test.work)
        if (!isDone) after = index.placeOf(number)
        return isDone
      })
      if (!isDone) await this.#pause()
    }
    if (isEnough()) this.#rows.endAt(this.#last!)
  }

  /** Whether an entry was visited that is to be visited once. */
  #isVisited(entry: number): boolean {
    return this.#visit !== undefined && (entry <= this.#scanned || this.#seen.has(entry))
  }

  /** Where an ordered walk begins: after the last page. */
  #startOf({ index, fixed }: IndexPlan): IndexPlace | undefined {
    const { after, order } = this.#query
    if (after === undefined) return undefined
    const isFixed = new Set(index.names.slice(0, fixed))
    return { part: fixed, key: after.key, sort: after.sort.filter((_, i) => !isFixed.has(order.parts[i]!.name)) }
  }

  #look(entry: number): void {
    const { lookedMax = Infinity } = this.#deps
    if (this.#scores?.has(entry) === false) return
    const row = this.#test.rowOf(entry)
    if (this.#test.looked > lookedMax)
      throw queryTooLarge(
        'looked',
        `it looks at more than ${lookedMax} entries: add an index on a field of where, or of orderBy`,
      )
    if (row === undefined) return
    const { after, order } = this.#query
    if (after !== undefined && comparePositions(order, row, after) <= 0) return
    this.#last = row
    if (this.#visit === undefined) this.#rows.add(row)
    else this.#visit(row)
  }

  async #pause(): Promise<void> {
    this.#unobserve ??= this.#deps.source.observe((entry) => this.#changed.add(entry))
    await this.#deps.slices.next()
  }
}

/** The value of a row. */
export function valueOf(row: FoundRow): unknown {
  return row.value ?? decodeValue(row.bytes.subarray(row.start, row.end))
}
