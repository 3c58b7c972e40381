import { encodeValue, shown } from '@gossipgrid/core'
import { pathOf, reachedBy } from '../ordering/paths.ts'
import type { Path } from '../ordering/paths.ts'
import {
  MISSING,
  NULL,
  NUMBER,
  compareSortKeys,
  payloadOf,
  rankOf,
  sortKeyOf,
  textOfBytes,
} from '../ordering/value-order.ts'
import type { SortKey } from '../ordering/value-order.ts'
import { checkBareName } from './checks/check-name.ts'
import { partsOf } from './check-query.ts'
import { checkWhere } from './checks/check-where.ts'
import type { PlainWhere } from './checks/check-name.ts'
import { invalidQuery, queryTooLarge } from './checks/invalid-query.ts'
import type { FieldName, TextWhere, Where } from './query.ts'
import { eachMatch, valueOf } from './run-query.ts'
import type { FoundRow } from './found-rows.ts'
import type { QueryDeps } from './run-query.ts'

const GROUPS_MAX = 10_000
const GROUP_MAX_BYTES: number = 64 * 1024
const FIELDS_MAX = 32
const PARTS = ['where', 'groupBy', 'count', 'sum', 'min', 'max', 'avg']
const FOLDS = ['sum', 'min', 'max', 'avg'] as const

type Fields<Value> = FieldName<Value> | readonly FieldName<Value>[] | undefined

/** What to compute of the rows that match, for each group. */
export interface Aggregate<Value> {
  /** Which rows to count. Default: all. */
  readonly where?: Where<Value> | undefined
  /** One group for each value of this field, or of these fields together. Default: one group of all rows. */
  readonly groupBy?: Fields<Value>
  /** The number of rows. */
  readonly count?: boolean | undefined
  /** The sum of the numbers in a field. */
  readonly sum?: Fields<Value>
  /** The least value of a field, in the order of queries. Null and missing values do not count. */
  readonly min?: Fields<Value>
  /** The greatest value of a field, in the order of queries. */
  readonly max?: Fields<Value>
  /** The mean of the numbers in a field. Undefined without one. */
  readonly avg?: Fields<Value>
}

/** What to compute of the rows of a replicated map that match. */
export interface TextAggregate<Value> extends Omit<Aggregate<Value>, 'where'> {
  /** Which rows to count. Default: all. */
  readonly where?: TextWhere<Value> | undefined
}

/** One group. All but `group` has only what was asked for, by the names of the fields. */
export interface AggregateRow {
  /** The fields of `groupBy`, with the values of this group. */
  readonly group: Readonly<Record<string, unknown>>
  /** The number of rows, if the aggregate asks for it. */
  readonly count?: number
  /** The sum of each field of `sum`. */
  readonly sum?: Readonly<Record<string, number>>
  /** The least value of each field of `min`. */
  readonly min?: Readonly<Record<string, unknown>>
  /** The greatest value of each field of `max`. */
  readonly max?: Readonly<Record<string, unknown>>
  /** The mean of each field of `avg`. Undefined for a field without numbers. */
  readonly avg?: Readonly<Record<string, number | undefined>>
}

/** The groups, ordered by their values. `complete` as in `QueryResult`. */
export interface AggregateResult {
  /** A row for each group. */
  readonly rows: readonly AggregateRow[]
  /** As in `QueryResult`. */
  readonly complete: boolean
}

interface Named {
  readonly name: string
  readonly path: Path
}

/** What has been gathered of one field in one group. Two of them can be merged, so that parts of a map can be computed apart. */
export interface Gathered {
  sum: number
  numbers: number
  min: unknown
  max: unknown
}

export interface Group {
  readonly values: readonly unknown[]
  readonly sort: readonly SortKey[]
  count: number
  readonly fields: readonly Gathered[]
}

export interface CheckedAggregate {
  readonly where: PlainWhere
  readonly groupBy: readonly Named[]
  readonly counts: boolean
  readonly folds: Readonly<Record<(typeof FOLDS)[number], readonly string[]>>
  readonly fields: readonly Named[]
  /** As in `CheckedQuery`. */
  readonly within?: readonly string[] | undefined
}

/** Throws `INVALID_QUERY`. */
export function checkAggregate(aggregate: unknown): CheckedAggregate {
  const parts = partsOf(aggregate, PARTS)
  if (parts['count'] !== undefined && typeof parts['count'] !== 'boolean')
    throw invalidQuery('count', `true or false, not ${shown(parts['count'])}`)
  const folds = Object.fromEntries(FOLDS.map((fold) => [fold, namesOf(parts[fold], fold)])) as CheckedAggregate['folds']
  const fields = [...new Set(FOLDS.flatMap((fold) => folds[fold]))]
  if (parts['count'] !== true && fields.length === 0)
    throw invalidQuery('the query', 'says nothing to compute: pass count, sum, min, max or avg')
  const named = (names: readonly string[]): Named[] => names.map((name) => ({ name, path: pathOf(name) }))
  const groupBy = named(namesOf(parts['groupBy'], 'groupBy'))
  return { where: checkWhere(parts['where']), groupBy, counts: parts['count'] === true, folds, fields: named(fields) }
}

function namesOf(given: unknown, place: string): readonly string[] {
  if (given === undefined) return []
  const names: unknown[] = Array.isArray(given) ? given : [given]
  if (names.length > FIELDS_MAX) throw invalidQuery(place, `at most ${FIELDS_MAX} fields`)
  for (const name of names) checkBareName(name, place)
  return names as string[]
}

/** The groups of an aggregate, by what their values are. */
export type Groups = Map<string, Group>

/** Computes an aggregate of the entries of one peer. Rejects with `QUERY_TOO_LARGE` for more than 10,000 groups. */
export async function aggregated(deps: QueryDeps, query: CheckedAggregate): Promise<AggregateRow[]> {
  return rowsOfGroups(await gatherGroups(deps, query), query)
}

/** What the entries of one peer come to. Rejects with `QUERY_TOO_LARGE` for more than 10,000 groups. */
export async function gatherGroups(deps: QueryDeps, query: CheckedAggregate): Promise<Groups> {
  const groups: Groups = new Map()
  const visit = (row: FoundRow): void => {
    const value = valueOf(row)
    const group = groupOf(
      groups,
      query,
      query.groupBy.map(({ path }) => plainOf(reachedBy(value, path))),
    )
    group.count += 1
    for (const [i, { path }] of query.fields.entries())
      for (const each of reachedBy(value, path)) take(group.fields[i]!, each)
  }
  await eachMatch(deps, query.where, visit, query.within)
  return groups
}

/** Adds what other entries come to. Throws `QUERY_TOO_LARGE`. */
export function addGroups(groups: Groups, others: Iterable<Group>, query: CheckedAggregate): void {
  for (const { values, count, fields } of others) {
    const group = groupOf(groups, query, values)
    group.count += count
    for (const [i, { sum, numbers, min, max }] of fields.entries()) {
      const gathered = group.fields[i]!
      gathered.sum += sum
      gathered.numbers += numbers
      takeLimit(gathered, min)
      takeLimit(gathered, max)
    }
  }
}

/** The rows of an aggregate, in order. Without `groupBy` there is always one. */
export function rowsOfGroups(groups: Groups, query: CheckedAggregate): AggregateRow[] {
  if (query.groupBy.length === 0) groupOf(groups, query, [])
  return [...groups.values()].sort(compareGroups).map((group) => rowOf(group, query))
}

function groupOf(groups: Groups, query: CheckedAggregate, values: readonly unknown[]): Group {
  const id = query.groupBy.length === 0 ? '' : idOf(values)
  const known = groups.get(id)
  if (known !== undefined) return known
  if (groups.size === GROUPS_MAX)
    throw queryTooLarge('groups', `more than ${GROUPS_MAX} groups: group by a field of fewer values`)
  const group = newGroup(values, query)
  groups.set(id, group)
  return group
}

function newGroup(values: readonly unknown[], { fields }: CheckedAggregate): Group {
  const none = (): Gathered => ({ sum: 0, numbers: 0, min: undefined, max: undefined })
  return { values, sort: values.map(sortKeyOf), count: 0, fields: fields.map(none) }
}

function take(gathered: Gathered, value: unknown): void {
  const rank = rankOf(value)
  if (rank === MISSING || rank === NULL) return
  if (rank === NUMBER) {
    gathered.sum += Number(value)
    gathered.numbers += 1
  }
  takeLimit(gathered, value)
}

function takeLimit(gathered: Gathered, value: unknown): void {
  if (value === undefined) return
  const key = sortKeyOf(value)
  if (gathered.min === undefined || compareSortKeys(key, sortKeyOf(gathered.min)) < 0) gathered.min = value
  if (gathered.max === undefined || compareSortKeys(key, sortKeyOf(gathered.max)) > 0) gathered.max = value
}

function rowOf(group: Group, { groupBy, counts, folds, fields }: CheckedAggregate): AggregateRow {
  const of = <Result>(names: readonly string[], result: (gathered: Gathered) => Result): Record<string, Result> =>
    Object.fromEntries(
      names.map((name) => [name, result(group.fields[fields.findIndex((each) => each.name === name)]!)]),
    )
  const { sum, min, max, avg } = folds
  return {
    group: Object.fromEntries(groupBy.map(({ name }, i) => [name, group.values[i]])),
    ...(counts ? { count: group.count } : {}),
    ...(sum.length > 0 ? { sum: of(sum, (each) => each.sum) } : {}),
    ...(min.length > 0 ? { min: of(min, (each) => each.min) } : {}),
    ...(max.length > 0 ? { max: of(max, (each) => each.max) } : {}),
    ...(avg.length > 0 ? { avg: of(avg, (each) => (each.numbers > 0 ? each.sum / each.numbers : undefined)) } : {}),
  }
}

/** The value to group by: of a path through an array, the array of what it leads to. */
function plainOf(reached: readonly unknown[]): unknown {
  return reached.length === 1 ? reached[0] : reached
}

/** Equal values have equal ids. */
function idOf(values: readonly unknown[]): string {
  try {
    return textOfBytes(encodeValue(values.map(canonical), GROUP_MAX_BYTES))
  } catch {
    throw queryTooLarge('groups', `a value to group by of more than ${GROUP_MAX_BYTES / 1024} KiB`)
  }
}

function canonical(value: unknown): unknown {
  if (typeof value === 'bigint') return payloadOf(value, NUMBER)
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, canonical(each)]),
  )
}

function compareGroups(one: Group, other: Group): number {
  for (const [i, key] of one.sort.entries()) {
    const order = compareSortKeys(key, other.sort[i]!)
    if (order !== 0) return order
  }
  return 0
}
