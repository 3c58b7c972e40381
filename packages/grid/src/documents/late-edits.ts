import { documentValue } from '@gossipgrid/core'
import type { GenerationStart, Partition } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { RowWrite } from '../layout.ts'
import { readGeneration } from './apply-rows.ts'
import type { DocumentRow, DocumentTable } from './document-table.ts'
import { GenerationMap } from './generation-map.ts'
import type { Placement } from './generation-map.ts'
import { IdRanges } from './id-ranges.ts'
import { LateStructs } from './late-structs.ts'
import { OwnRows } from './own-rows.ts'
import { SiblingMap } from './sibling-map.ts'

/** One step from a generation to the one that started from it. */
export interface GenerationStep {
  readonly name: string
  readonly start: GenerationStart
  readonly to: number
  /** Where the old one lost against the new one: how they started, both from the same. */
  readonly lost?: { readonly start: GenerationStart; readonly against: GenerationStart }
}

/** The rows of the old generation that say what the new one started without, and that nobody has carried over yet. */
export function lateRows(table: DocumentTable, { name, start, to }: GenerationStep): DocumentRow[] {
  const rows = table.rowsOf(name)
  const carried = new Map<number, number>()
  for (const { key, parts } of rows) {
    if (parts.generation !== to) continue
    carried.set(parts.client, Math.max(carried.get(parts.client) ?? 0, table.read(key)!.update.to))
  }
  const covers = new IdRanges(start.covers)
  const deletes = new IdRanges(start.deletes)
  return rows.filter(({ key, parts }) => {
    if (parts.generation !== start.from) return false
    const { update } = table.read(key)!
    const there = carried.get(parts.client)
    if (update.to > Math.max(there ?? 0, covers.endOf(parts.client))) return true
    if (there !== undefined) return false
    for (let i = 0; i < update.deletes.length; i += 3) {
      const [client, clock, length] = update.deletes.slice(i, i + 3) as [number, number, number]
      if (!deletes.without(client, clock, clock + length).next().done) return true
    }
    return false
  })
}

/**
 * The rows that carry late edits over: one piece. They hold the same structs under the same ids, so that a peer
 * that does it twice has done it once. Undefined while rows are missing here. Throws where the generations do not match.
 */
export function carriedRows(
  table: DocumentTable,
  step: GenerationStep,
  late: readonly DocumentRow[],
  replicaId: string,
): RowWrite[] | undefined {
  const { name, start, to } = step
  const old = readGeneration(table, name, start.from)
  const fresh = readGeneration(table, name, to)
  try {
    const covers = new IdRanges(start.covers)
    for (const client of covers.clients()) if (Y.getState(old.store, client) < covers.endOf(client)) return undefined
    if (step.lost === undefined && Y.getState(fresh.store, start.client) < start.end) return undefined
    for (const { key, parts } of late) {
      if (Y.getState(old.store, parts.client) < table.read(key)!.update.to) return undefined
    }
    const map = placementOf(table, step, old, fresh)
    if (map === undefined) return undefined
    return rowsBy(table, step, late, (client) => new LateStructs(old, client, map), {
      deletes: (deletes) => map.translate(deletes),
      replicaId,
    })
  } finally {
    old.destroy()
    fresh.destroy()
  }
}

/** Undefined while rows are missing here. */
function placementOf(
  table: DocumentTable,
  { name, start, lost }: GenerationStep,
  old: Y.Doc,
  fresh: Y.Doc,
): Placement | undefined {
  if (lost === undefined) return new GenerationMap(start, old, fresh)
  const before = readGeneration(table, name, lost.start.from)
  try {
    for (const { covers } of [lost.start, lost.against]) {
      const ranges = new IdRanges(covers)
      for (const client of ranges.clients()) {
        if (Y.getState(before.store, client) < ranges.endOf(client)) return undefined
      }
    }
    if (Y.getState(fresh.store, lost.against.client) < lost.against.end) return undefined
    const back = new GenerationMap(lost.start, before, old)
    return new SiblingMap(lost.start, back, new GenerationMap(lost.against, before, fresh))
  } finally {
    before.destroy()
  }
}

function rowsBy(
  table: DocumentTable,
  { name, start, to }: GenerationStep,
  late: readonly DocumentRow[],
  structsOf: (client: number) => LateStructs,
  into: { readonly deletes: (deletes: readonly number[]) => number[]; readonly replicaId: string },
): RowWrite[] {
  const { replicaId } = into
  const { partition }: { readonly partition: Partition } = table
  const writes: RowWrite[] = []
  const authors = new Map(late.map((row) => [row.parts.client, row.parts]))
  for (const [client, { nonce }] of authors) {
    const rows = table.liveRowsOf(name, start.from).filter((row) => row.parts.client === client)
    const contents = rows.map(({ key }) => table.read(key)!)
    const author = contents[0]!.author ?? rows[0]!.writer
    const deletes = into.deletes(contents.flatMap(({ update }) => update.deletes))
    const own = new OwnRows({ document: name, generation: to, nonce, client })
    for (const { key, update } of own.append(structsOf(client), deletes)) {
      const bytes = update === undefined ? undefined : documentValue(update, author, replicaId)
      writes.push({ partition, key, bytes })
    }
  }
  return writes
}
