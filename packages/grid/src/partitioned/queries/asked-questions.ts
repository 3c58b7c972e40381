import {
  GridError,
  QUERY_ANSWER_MAX_BYTES,
  READ_ANSWER_MAX_BYTES,
  VALUE_MAX_BYTES,
  encodeValue,
} from '@gossipgrid/core'
import type { AskedQuery, Collection, CollectionDescriptor, QueryReply } from '@gossipgrid/core'
import { addGroups } from '../../queries/aggregate.ts'
import type { Groups } from '../../queries/aggregate.ts'
import { excessOf, queryTooLarge } from '../../queries/checks/invalid-query.ts'
import type { Position } from '../../queries/row-order.ts'
import { valueOf } from '../../queries/run-query.ts'
import { selected } from '../../queries/selection.ts'
import type { Selection } from '../../queries/selection.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { RoutedEntries } from '../routed-entries.ts'
import type { CopiedMaps } from './copied-maps.ts'
import { boundsOf } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import { PartAsking } from './part-asking.ts'
import type { Asked } from './part-asking.ts'
import { groupsAnswer, readQuestion, refusal, rowsAnswer } from './part-question.ts'
import type { PickedFields, Question } from './part-question.ts'
import { PartRows } from './part-rows.ts'
import type { PartPage, PartRow } from './part-rows.ts'

/** What picked fields may take of an answer. */
const PICKED_MAX_BYTES: number = QUERY_ANSWER_MAX_BYTES / 4
/** How long others have to answer what is passed on to them: the peer that asks waits no longer. */
const ONWARD_TIMEOUT_MS = 5000

/** Answers the queries of other peers, within bounds. */
export class AskedQuestions {
  readonly #writes: WritePath
  readonly #copies: CopiedMaps
  readonly #asking: PartAsking
  /** Entries of maps that others ask about. */
  readonly #entries = new Map<string, RoutedEntries>()

  constructor(writes: WritePath, copies: CopiedMaps) {
    this.#writes = writes
    this.#copies = copies
    this.#asking = new PartAsking({ pump: writes.pump, copies })
  }

  async answer(asked: AskedQuery): Promise<void> {
    const { pump } = this.#writes
    let reply: QueryReply | undefined
    try {
      reply = await this.#replyTo(asked)
    } catch (error) {
      const isInvalid = error instanceof GridError && error.code === 'INVALID_QUERY'
      const why = excessOf(error) ?? (isInvalid ? 'invalid' : undefined)
      // For any other reason it knows nothing: another peer is asked.
      if (why !== undefined) reply = { answered: [...asked.own, ...asked.onward], answer: refusal(why), rows: [] }
    }
    if (pump.closed) return
    pump.undisturbed(() => pump.peer.partitions.reply(asked, reply))
    pump.tickSoon()
  }

  async #replyTo(asked: AskedQuery): Promise<QueryReply | undefined> {
    const question = readQuestion(asked.question)
    const entries = this.#entriesOf(asked)
    if (entries === undefined) return undefined
    const { places, reads } = entries
    const bounds = this.#bounds(asked)
    const asking = { places, reads, question, bytes: asked.question, bounds: () => bounds }
    const options = { timeoutMs: ONWARD_TIMEOUT_MS, passedFor: asked.from }
    const found = await this.#asking.askSome(asked.own, asked.onward, asking, options)
    const answered = found.parts.flatMap(({ names }) => names)
    if (question.type === 'groups') return { answered, ...groupsReply(question, found) }
    const { slices } = bounds
    slices.begin()
    const rows = new PartRows(question.query, (key, rowsOfKey) => entries.entry(key, rowsOfKey))
    const page = await rows.page(found.parts, [], slices)
    const { fitting, end } = cutToFit(page)
    const looked = found.parts.reduce((sum, part) => sum + part.looked, 0)
    const [first] = found.parts
    const index = found.parts.every((part) => part.index?.join() === first!.index?.join()) ? first?.index : undefined
    const ordered = found.parts.every((part) => part.ordered)
    const given = found.parts.flatMap((part) => [...part.cursors])
    const cursors = new Map(given.map(([name, cursor]) => [name.partition, cursor]))
    const { picked, whole } = pickedFrom(fitting, question.fields)
    const answer = rowsAnswer(question.query, { type: 'rows', end, looked, index, ordered, cursors, picked })
    return { answered, answer, rows: whole.map(({ from }) => from) }
  }

  #bounds(asked: AskedQuery): Bounds {
    const { pump } = this.#writes
    const isWanted = (): boolean => !pump.closed && pump.peer.partitions.isAsked(asked)
    return boundsOf({ isWanted, turn: this.#copies.turns.next })
  }

  #entriesOf({ own, onward }: AskedQuery): RoutedEntries | undefined {
    const { collection, kind } = (own[0] ?? onward[0])!
    const id = `${kind} ${collection}`
    const descriptor = this.#writes.pump.peer.partitions.registered(collection)
    if (descriptor === undefined) return undefined
    const known = this.#entries.get(id)
    if (known !== undefined && known.descriptor.partitions === descriptor.partitions) return known
    // One that was dropped.
    for (const [each, { descriptor: old }] of this.#entries)
      if (this.#writes.pump.peer.partitions.registered(old.name) === undefined) this.#entries.delete(each)
    const entries = new RoutedEntries({
      writes: this.#writes,
      collection: asCollection(descriptor),
      valueSizeMaxBytes: Infinity,
      schema: undefined,
    })
    this.#entries.set(id, entries)
    return entries
  }
}

/** As many rows as fit in an answer: those of several peers may be too many. */
function cutToFit({ rows, end }: PartPage): {
  readonly fitting: readonly PartRow[]
  readonly end: Position | undefined
} {
  let bytes = 0
  let pickedBytes = 0
  for (const [i, { from }] of rows.entries()) {
    bytes += from.rows.reduce((sum, row) => sum + row.key.length + row.end - row.start, 0)
    if (from.picked !== undefined) pickedBytes += from.picked.content.length + 2 * from.key.length
    const isOver = bytes > READ_ANSWER_MAX_BYTES || pickedBytes > PICKED_MAX_BYTES
    if (i > 0 && isOver) return { fitting: rows.slice(0, i), end: rows[i - 1]!.row }
  }
  return { fitting: rows, end }
}

/** Rows of which some fields are given, as many as fit in an answer, and those that are given whole. */
function pickedFrom(
  rows: readonly PartRow[],
  fields: Selection | undefined,
): { readonly picked: readonly PickedFields[]; readonly whole: readonly PartRow[] } {
  const picked: PickedFields[] = []
  const whole: PartRow[] = []
  let bytes = 0
  for (const each of rows) {
    const { from, row } = each
    if (fields === undefined && from.picked === undefined) {
      whole.push(each)
      continue
    }
    const content = from.picked?.content ?? encodeValue(selected(valueOf(row), fields), VALUE_MAX_BYTES)
    bytes += content.length + 2 * from.key.length
    const hlc = from.picked?.hlc ?? from.rows.reduce((latest, { hlc: at }) => Math.max(latest, at), 0)
    if (bytes <= PICKED_MAX_BYTES) picked.push({ partition: from.name.partition, key: from.key, hlc, content })
    else whole.push(each)
  }
  return { picked, whole }
}

/** Throws `QUERY_TOO_LARGE`. */
function groupsReply(question: Extract<Question, { type: 'groups' }>, { parts }: Asked): Omit<QueryReply, 'answered'> {
  const groups: Groups = new Map()
  for (const part of parts) addGroups(groups, part.groups, question.aggregate)
  try {
    return { answer: groupsAnswer(groups.values()), rows: [] }
  } catch (error) {
    if (error instanceof GridError && error.code === 'VALUE_TOO_LARGE')
      throw queryTooLarge('groups', 'its groups are too large')
    throw error
  }
}

function asCollection(descriptor: CollectionDescriptor): Collection {
  return { descriptor, title: descriptor.name, partitions: [], mismatch: undefined }
}
