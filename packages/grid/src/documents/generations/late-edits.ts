import { GUEST_NONCES_MAX, documentKey, documentValue, mergeDeletes, writeYjsUpdate } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { RowWrite } from '../../runtime/row-write.ts'
import { readGeneration } from '../rows/apply-rows.ts'
import type { DocumentRow, DocumentTable, StartedGeneration } from '../rows/document-table.ts'
import { RANGES_PER_ROW_MAX } from '../rows/own-rows.ts'
import { GenerationMap, SiblingMap } from './generation-map.ts'
import type { OpenStart, Placement } from './generation-map.ts'
import { rangesOf } from './id-ranges.ts'
import { LateIds } from './late-ids.ts'
import { LateStructs } from './late-structs.ts'
import { baseOf, deletesOfSibling, hereOf, isOpen, siblingsOf } from './siblings.ts'

/** A generation from which edits are rebased to the current one. */
interface Source {
  readonly generation: number
  readonly placement: Placement
  /** The clocks that must be here before the order of structs is known: client id and clock, alternating. */
  readonly needs: readonly number[]
  readonly rows: readonly DocumentRow[]
  /** What a settled sibling had seen deleted when it began, with the ids of the current generation, and a row that it began with. */
  readonly deleted: { readonly base: DocumentRow; readonly ids: readonly number[] } | undefined
}

/** The edits of one author in a source. */
export interface LateAuthor {
  readonly client: number
  readonly nonce: number
  readonly replicaId: string
  readonly own: boolean
  /** The clock after its last struct. */
  readonly end: number
  /** All its edits there. */
  readonly update: Uint8Array
  /** Its deletes, with the ids of the current generation. */
  readonly deletes: readonly number[]
}

/** A source, and some of its authors. */
interface Written {
  readonly source: Source
  readonly authors: readonly LateAuthor[]
}

/** Edits of an author that the current generation does not have. */
export interface LateEdit {
  readonly author: LateAuthor
  /** The rows that rebase them. */
  readonly writes: readonly RowWrite[]
  /** Some of them are left out, because no peer knows their surroundings any more. */
  readonly unplaced: boolean
}

export interface LateEdits {
  readonly edits: readonly LateEdit[]
  /** There are more late edits, which refer to rows that are not here yet. */
  readonly waiting: boolean
}

interface Into {
  readonly name: string
  readonly generation: number
  readonly replicaId: string
}

/** The edits that were made in older generations, and that are not rebased to the current one yet. */
export function lateEdits(
  table: DocumentTable,
  name: string,
  start: StartedGeneration & OpenStart,
  { replicaId, isWanted }: { readonly replicaId: string; readonly isWanted: (author: LateAuthor) => boolean },
): LateEdits {
  const sources = sourcesOf(table, name, start).filter(({ rows, deleted }) => rows.length > 0 || deleted !== undefined)
  const rebased = sources.length === 0 ? (new Map() as Rebased) : rebasedOf(table, name, start.number)
  const written = sources.map((source): Written => ({ source, authors: authorsOf(table, source, replicaId) }))
  const late = written.flatMap(({ source, authors }): Written[] => {
    const found = authors.filter((author) => isLate(author, source, rebased))
    return found.length === 0 ? [] : [{ source, authors: found }]
  })
  const ids = start.settled && late.length > 0 ? idsOf(written, late, rebased) : new LateIds(undefined)
  const edits: LateEdit[] = []
  let waiting = false
  const into = { name, generation: start.number, replicaId }
  for (const { source, authors } of late) {
    let y: Y.Doc | undefined
    // Once the generation is settled, the older ones are deleted.
    const surroundings = (): Y.Doc | undefined => {
      if (start.settled) return undefined
      y ??= readGeneration(table, name, source.generation)
      return y
    }
    for (const author of authors.filter(isWanted)) {
      const structs = new LateStructs(author, source.placement, ids, surroundings)
      const writes = rowsOf(table, into, author, structs)
      const { client, end } = author
      if (writes === undefined || (y !== undefined && !hasAll(y, [...source.needs, client, end]))) waiting = true
      else edits.push({ author, writes, unplaced: structs.unplaced })
    }
    y?.destroy()
  }
  return { edits, waiting }
}

function sourcesOf(table: DocumentTable, name: string, start: StartedGeneration & OpenStart): Source[] {
  const placement = new GenerationMap(start)
  const { from: generation, covers: needs } = start
  const rows = table.liveRowsOf(name, generation)
  const sources: Source[] = [{ generation, placement, needs, rows, deleted: undefined }]
  const clients = new Set(rows.map(({ parts }) => parts.client))
  for (const sibling of siblingsOf(table, name, start).filter(isOpen)) {
    const { number, client, end, settled } = sibling
    // Edits that were rebased to the sibling are rebased from where they were made, unless that was deleted when the sibling was
    // settled. Its first content is a copy, not an edit.
    const isEdit = ({ parts }: DocumentRow): boolean =>
      parts.client !== client && (parts.level !== 'd' || (settled && !clients.has(parts.client)))
    const map = new SiblingMap(sibling, placement, settled ? hereOf(table, name) : () => Infinity)
    const [base] = settled ? baseOf(table, name, sibling) : []
    const deleted = base && { base, ids: deletesOfSibling(start, sibling) }
    const edits = table.liveRowsOf(name, number).filter(isEdit)
    sources.push({ generation: number, placement: map, needs: [client, end], rows: edits, deleted })
  }
  return sources
}

function authorsOf(table: DocumentTable, { rows, placement, deleted }: Source, replicaId: string): LateAuthor[] {
  const byClient = new Map<number, DocumentRow[]>()
  for (const row of rows) {
    const others = byClient.get(row.parts.client)
    if (others === undefined) byClient.set(row.parts.client, [row])
    else others.push(row)
  }
  const authors = [...byClient].map(([client, written]) => {
    const contents = written.map(({ key }) => table.read(key)!)
    const deletes = contents
      .flatMap(({ update }) => rangesOf(update.deletes))
      .flatMap((range) => placement.translate(range))
    const author = contents[0]!.author ?? written[0]!.writer
    return {
      client,
      nonce: written[0]!.parts.nonce,
      replicaId: author,
      own: written.some(({ own, parts: { level, nonce } }) => {
        return level === 'd' && nonce >= GUEST_NONCES_MAX ? author === replicaId : own
      }),
      end: contents.reduce((latest, { update }) => Math.max(latest, update.to), 0),
      update: Y.mergeUpdates(contents.map(({ bytes }) => bytes)),
      deletes: mergeDeletes(deletes.flatMap((range) => [range.client, range.clock, range.length])),
    }
  })
  return deleted === undefined ? authors : [...authors, deletingAuthor(table, deleted)]
}

/** The peer that began a settled sibling, as the author of deletes alone. */
function deletingAuthor(table: DocumentTable, { base, ids }: NonNullable<Source['deleted']>): LateAuthor {
  const { key, parts, own, writer } = base
  const replicaId = table.read(key)!.author ?? writer
  return { ...parts, replicaId, own, end: 0, update: writeYjsUpdate([], []), deletes: mergeDeletes([...ids]) }
}

/** By client id: the clock up to which its edits are rebased, their deletes, and the updates with the rebased edits. */
type Rebased = ReadonlyMap<
  number,
  { readonly end: number; readonly deletes: readonly number[]; readonly updates: readonly Uint8Array[] }
>

function rebasedOf(table: DocumentTable, name: string, generation: number): Rebased {
  const rebased = new Map<number, { end: number; deletes: number[]; updates: Uint8Array[] }>()
  for (const { key, parts } of table.liveRowsOf(name, generation)) {
    if (parts.level !== 'd') continue
    const { update, bytes } = table.read(key)!
    const of = rebased.get(parts.client) ?? { end: 0, deletes: [], updates: [] }
    rebased.set(parts.client, of)
    of.end = Math.max(of.end, update.to)
    // One by one, since the number of arguments of a call is limited.
    for (const part of update.deletes) of.deletes.push(part)
    of.updates.push(bytes)
  }
  return rebased
}

/**
 * The ids of the late edits that are here, and of those that have no place in a settled generation. Edits that are only beside
 * such edits have no place either. Edits of authors may be beside each other, so this repeats until it finds no more.
 */
function idsOf(written: readonly Written[], late: readonly Written[], rebased: Rebased): LateIds {
  const ends = new Map(Array.from(rebased, ([client, { end }]) => [client, end]))
  for (const { client, end } of written.flatMap(({ authors }) => authors)) {
    ends.set(client, Math.max(ends.get(client) ?? 0, end))
  }
  const ids = new LateIds(ends)
  const structs = Array.from(rebased.values()).flatMap(
    ({ updates }) => Y.decodeUpdate(Y.mergeUpdates([...updates])).structs,
  )
  for (const { id, length, constructor } of structs) if (constructor === Y.GC) ids.leaveOut(id, length)
  for (let before = -1; before < ids.leftOutCount;) {
    before = ids.leftOutCount
    for (const { source, authors } of late) {
      for (const author of authors) new LateStructs(author, source.placement, ids, () => undefined).runs()
    }
  }
  return ids
}

function isLate({ client, end, deletes }: LateAuthor, { placement }: Source, rebased: Rebased): boolean {
  const there = rebased.get(client)
  if (end > placement.lateFrom(client) && end > (there?.end ?? 0)) return true
  if (deletes.length === 0) return false
  const known = mergeDeletes(there?.deletes ?? [])
  // The deletes are late if adding them changes the known ones.
  return mergeDeletes([...known, ...deletes]).join() !== known.join()
}

/** Undefined while rows are missing. */
function rowsOf(table: DocumentTable, into: Into, author: LateAuthor, structs: LateStructs): RowWrite[] | undefined {
  const { partition } = table
  const { client, nonce, deletes } = author
  const runs = structs.runs()
  const rows: RowWrite[] = []
  for (let index = 0; index < (runs?.length ?? 0) || index * RANGES_PER_ROW_MAX * 3 < deletes.length; index++) {
    const run = runs?.[index]
    const section = run === undefined ? [] : [{ client, clock: run.clock, count: run.count, pieces: [run.bytes] }]
    const part = deletes.slice(index * RANGES_PER_ROW_MAX * 3, (index + 1) * RANGES_PER_ROW_MAX * 3)
    const { name: document, generation } = into
    const key = documentKey({ document, generation, nonce, client, level: 'd', index })
    const bytes = documentValue(writeYjsUpdate(section, part), author.replicaId, into.replicaId)
    rows.push({ partition, key, bytes })
  }
  return runs === undefined ? undefined : rows
}

function hasAll(y: Y.Doc, clocks: readonly number[]): boolean {
  for (let i = 0; i < clocks.length; i += 2) if (Y.getState(y.store, clocks[i]!) < clocks[i + 1]!) return false
  return true
}
