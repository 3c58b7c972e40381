import {
  QUERY_ANSWER_MAX_BYTES,
  QUESTION_MAX_BYTES,
  decodeValue,
  encodeValue,
  isPlainObject,
  scanCbor,
} from '@gossipgrid/core'
import type { GridError } from '@gossipgrid/core'
import { checkAggregate } from '../../queries/aggregate.ts'
import type { Aggregate, CheckedAggregate, Gathered, Group } from '../../queries/aggregate.ts'
import { checkQuery } from '../../queries/check-query.ts'
import type { PlainWhere } from '../../queries/checks/check-name.ts'
import type { CheckedQuery } from '../../queries/check-query.ts'
import { invalidQuery, queryTooLarge } from '../../queries/checks/invalid-query.ts'
import type { Excess } from '../../queries/checks/invalid-query.ts'
import type { Query } from '../../queries/query.ts'
import { checkSelect } from '../../queries/selection.ts'
import type { Selection } from '../../queries/selection.ts'
import { positionText, readPosition } from '../../queries/row-order.ts'
import type { Position } from '../../queries/row-order.ts'

/** Rows that one peer gives in one answer. More are asked for again, behind the last one. */
const ANSWER_ROWS_MAX = 1792

/** Of an answer, what cursors may take, and what each takes besides its bytes. */
const CURSORS_MAX_BYTES: number = QUERY_ANSWER_MAX_BYTES / 2
const CURSOR_COST_BYTES = 16

/** Beginnings of keys to which a question is bound. */
const WITHIN_MAX = 64

/** What one peer asks another: rows in order, or what they come to. */
export type Question =
  | {
      readonly type: 'rows'
      readonly query: CheckedQuery
      /** With where the changes of the partitions stand, to follow them from there. */
      readonly cursors: boolean
      /** Only these fields of each value. Undefined: the whole rows. */
      readonly fields: Selection | undefined
    }
  | { readonly type: 'groups'; readonly aggregate: CheckedAggregate }

/** Some fields of an entry, in place of its rows. */
export interface PickedFields {
  /** The number of its partition. */
  readonly partition: number
  readonly key: string
  /** Of its latest row. */
  readonly hlc: number
  /** A stored value. */
  readonly content: Uint8Array
}

/** Why a peer gives no answer. On the wire: never change a number. */
const REFUSALS: Readonly<Record<Excess | 'invalid', number>> = { invalid: 1, looked: 2, turns: 3, groups: 4, steps: 5 }

/** What a peer says to a question, besides the rows. */
export type Said =
  | { readonly type: 'refused'; readonly refusal: number }
  | {
      readonly type: 'rows'
      /** The rows end here, and others may follow. */
      readonly end: Position | undefined
      /** Entries that were looked at. */
      readonly looked: number
      /** The fields of the index that was used. */
      readonly index: readonly string[] | undefined
      readonly ordered: boolean
      /** Cursors, by the number of their partition. */
      readonly cursors: ReadonlyMap<number, Uint8Array>
      /** Of a question for some fields: those of the rows. */
      readonly picked: readonly PickedFields[]
    }
  | { readonly type: 'groups'; readonly groups: readonly Group[] }

export function rowsQuestion({ query, cursors, fields }: Extract<Question, { type: 'rows' }>): Uint8Array {
  const { where, order, after, limit, within } = query
  const rows = {
    where,
    orderBy: order.parts.map(({ name, descending }) => (descending ? `-${name}` : name)),
    limit: Math.min(limit, ANSWER_ROWS_MAX),
    ...(after === undefined ? {} : { after: positionText(order, after) }),
  }
  const asked = {
    rows,
    ...(cursors ? { cursors } : {}),
    ...(fields === undefined ? {} : { fields: fields.names }),
  }
  return encodedWithin(asked, within)
}

export function groupsQuestion({ where, groupBy, counts, folds, within }: CheckedAggregate): Uint8Array {
  const groups = { where, groupBy: groupBy.map(({ name }) => name), count: counts, ...folds }
  return encodedWithin({ groups }, within)
}

/** A peer that does not know of `within` refuses the question: it must not answer more than is asked. */
function encodedWithin(asked: object, within: readonly string[] | undefined): Uint8Array {
  return encodeValue(within === undefined ? asked : { within, asked }, QUESTION_MAX_BYTES)
}

/** Reads a question of another peer, who may be hostile: it is checked as a user's is. Throws `INVALID_QUERY`. */
export function readQuestion(bytes: Uint8Array): Question {
  const whole = plain(bytes)
  const isWithin = isPlainObject(whole) && 'within' in whole
  const asked = isWithin ? (whole as PlainWhere)['asked'] : whole
  const within = isWithin ? readWithin(whole['within']) : undefined
  if (isPlainObject(asked) && 'rows' in asked) {
    const query = checkQuery(asked['rows'] as Query<unknown>)
    const { cursors, fields } = asked as { readonly cursors?: unknown; readonly fields?: unknown }
    return {
      type: 'rows',
      query: { ...query, limit: Math.min(query.limit, ANSWER_ROWS_MAX), within },
      cursors: cursors === true,
      fields: checkSelect(fields),
    }
  }
  if (isPlainObject(asked) && 'groups' in asked)
    return { type: 'groups', aggregate: { ...checkAggregate(asked['groups'] as Aggregate<unknown>), within } }
  throw invalidQuery('the query', 'this version knows no such question')
}

/** Throws `INVALID_QUERY`. */
function readWithin(within: unknown): readonly string[] {
  if (Array.isArray(within) && within.length <= WITHIN_MAX && within.every((prefix) => typeof prefix === 'string'))
    return within as string[]
  throw invalidQuery('the query', 'the beginnings of keys are no texts')
}

/** The answer that there is none. */
export function refusal(why: Excess | 'invalid'): Uint8Array {
  return encodeValue({ refused: REFUSALS[why] }, QUERY_ANSWER_MAX_BYTES)
}

/** The error for a refusal of another peer. */
export function refused(code: number): GridError {
  switch (code) {
    case REFUSALS.looked:
      return queryTooLarge(
        'looked',
        'an owner would look at too many entries for it: add an index on a field of where, or of orderBy',
      )
    case REFUSALS.turns:
      return queryTooLarge('turns', 'it takes an owner too long: add an index on a field of where, or of orderBy')
    case REFUSALS.groups:
      return queryTooLarge(
        'groups',
        'it has too many groups, or their values are too large: group by a field of fewer values',
      )
    case REFUSALS.steps:
      return queryTooLarge('steps', 'testing one entry takes an owner too long: ask with fewer conditions, or use $in')
    default:
      return invalidQuery('the query', 'an owner does not take it, perhaps because it runs an older version')
  }
}

export function rowsAnswer(
  query: CheckedQuery,
  { end, looked, index, ordered, cursors, picked }: Extract<Said, { type: 'rows' }>,
): Uint8Array {
  const answer = {
    looked,
    ordered,
    ...(end === undefined ? {} : { end: positionText(query.order, end) }),
    ...(index === undefined ? {} : { index }),
    ...(cursors.size === 0 ? {} : { cursors: fitting(cursors) }),
    ...(picked.length === 0
      ? {}
      : { picked: picked.map(({ partition, key, hlc, content }) => [partition, key, hlc, content]) }),
  }
  return encodeValue(answer, QUERY_ANSWER_MAX_BYTES)
}

/** Without a cursor, the reader fetches the partition. */
function fitting(cursors: ReadonlyMap<number, Uint8Array>): (readonly [number, Uint8Array])[] {
  let bytes = 0
  return [...cursors].filter(([, cursor]) => (bytes += cursor.length + CURSOR_COST_BYTES) <= CURSORS_MAX_BYTES)
}

/** Throws `VALUE_TOO_LARGE`. */
export function groupsAnswer(groups: Iterable<Group>): Uint8Array {
  const list = Array.from(groups, ({ values, count, fields }) => [
    values,
    count,
    fields.map(({ sum, numbers, min, max }) => [sum, numbers, min, max]),
  ])
  return encodeValue({ groups: list }, QUERY_ANSWER_MAX_BYTES)
}

/** Reads what another peer says, who may be hostile. Undefined if it makes no sense. */
export function readSaid(question: Question, bytes: Uint8Array): Said | undefined {
  try {
    const said = plain(bytes)
    if (!isPlainObject(said)) return undefined
    const answer = said as PlainWhere
    if (isCount(answer['refused'])) return { type: 'refused', refusal: answer['refused'] }
    if (question.type === 'groups') return readGroups(question.aggregate, answer['groups'])
    const { end, looked, index, ordered } = answer
    const isIndex = index === undefined || (Array.isArray(index) && index.every((name) => typeof name === 'string'))
    if (!isCount(looked) || typeof ordered !== 'boolean' || !isIndex) return undefined
    const position = end === undefined ? undefined : readPosition(end, question.query.order)
    const cursors = readCursors(answer['cursors'])
    const picked = readPicked(answer['picked'])
    if (cursors === undefined || picked === undefined) return undefined
    const names = index as readonly string[] | undefined
    return { type: 'rows', end: position, looked, index: names, ordered, cursors, picked }
  } catch {
    return undefined
  }
}

function readCursors(list: unknown): ReadonlyMap<number, Uint8Array> | undefined {
  const cursors = new Map<number, Uint8Array>()
  if (list === undefined) return cursors
  if (!Array.isArray(list)) return undefined
  for (const each of list as unknown[]) {
    const [partition, cursor]: readonly unknown[] = Array.isArray(each) ? each : []
    if (!isCount(partition) || !(cursor instanceof Uint8Array)) return undefined
    cursors.set(partition, cursor.slice())
  }
  return cursors
}

/** Throws for content that is no value. */
function readPicked(list: unknown): readonly PickedFields[] | undefined {
  if (list === undefined) return []
  if (!Array.isArray(list)) return undefined
  const picked: PickedFields[] = []
  for (const each of list as unknown[]) {
    const [partition, key, hlc, content]: readonly unknown[] = Array.isArray(each) ? each : []
    if (!isCount(partition) || typeof key !== 'string' || !isCount(hlc) || !(content instanceof Uint8Array))
      return undefined
    scanCbor(content)
    picked.push({ partition, key, hlc, content: content.slice() })
  }
  return picked
}

function readGroups({ groupBy, fields }: CheckedAggregate, list: unknown): Said | undefined {
  if (!Array.isArray(list)) return undefined
  const groups: Group[] = []
  for (const each of list as unknown[]) {
    const [values, count, gathered] = Array.isArray(each) ? (each as unknown[]) : []
    if (!Array.isArray(values) || values.length !== groupBy.length || !isCount(count)) return undefined
    if (!Array.isArray(gathered) || gathered.length !== fields.length) return undefined
    const ofFields: Gathered[] = []
    for (const field of gathered as unknown[]) {
      const [sum, numbers, min, max] = Array.isArray(field) ? (field as unknown[]) : []
      if (typeof sum !== 'number' || !isCount(numbers)) return undefined
      ofFields.push({ sum, numbers, min, max })
    }
    groups.push({ values, sort: [], count, fields: ofFields })
  }
  return { type: 'groups', groups }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Throws `INVALID_QUERY` for bytes that are no plain value. */
function plain(bytes: Uint8Array): unknown {
  try {
    scanCbor(bytes)
    return decodeValue(bytes)
  } catch (error) {
    throw invalidQuery('the query', 'not a plain value', error)
  }
}
