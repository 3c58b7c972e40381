import { writeYjsUpdate } from '@gossipgrid/core'
import * as Y from 'yjs'
import { applyAll } from '../rows/apply-rows.ts'
import type { DocumentRow, DocumentTable, StartedGeneration } from '../rows/document-table.ts'
import { rangesOf, splitRange } from './id-ranges.ts'
import type { IdRange } from './id-ranges.ts'
import type { OpenStart } from './generation-map.ts'
import { RowIntegration } from '../rows/row-integration.ts'

/** Limit for the settled generations beside the line that are looked at. Honest peers make one for each part of a split grid. */
const SETTLED_SIBLINGS_MAX = 8

export function isOpen(start: StartedGeneration | undefined): start is StartedGeneration & OpenStart {
  return start?.copied !== undefined
}

/** The other generations that started from the same one as `start`. */
export function siblingsOf(table: DocumentTable, name: string, start: StartedGeneration): StartedGeneration[] {
  return table.startsOf(name).filter(({ from, number }) => from === start.from && number !== start.number)
}

/** What a generation began with that never reaches the current one. */
export interface LostContent {
  readonly start: StartedGeneration
  /** This peer has written it. */
  readonly own: boolean
  /** The lost content alone. */
  update(): Uint8Array
}

/**
 * Peers that did not know each other may each settle a generation of one document. One of these becomes current. The content that
 * only the other one began with is lost: the edits that it was made of were deleted when it was settled.
 */
export function lostContents(table: DocumentTable, name: string): LostContent[] {
  const line = table.lineOf(name)
  const losing = table
    .startsOf(name)
    .filter(isOpen)
    .filter((start) => start.settled && !line.includes(start))
  return losing.slice(-SETTLED_SIBLINGS_MAX).flatMap((sibling): LostContent[] => {
    const index = line.findIndex(({ from }) => from === sibling.from)
    const rows = baseOf(table, name, sibling)
    if (index < 0 || rows.length === 0) return []
    const covers = line.slice(index).map(coversOf)
    const endOf = hereOf(table, name)
    const runs = runsOf(sibling).map(({ from: { client, clock, length }, to }) => {
      const end = Math.max(endOf(client), ...covers.map((each) => each.get(client) ?? 0))
      return { clock: to, length, known: Math.min(Math.max(end - clock, 0), length) }
    })
    if (runs.every(({ length, known }) => known === length)) return []
    const deletes = runs.flatMap(({ clock, known }) => [sibling.client, clock, known])
    const own = rows.some((row) => row.own)
    return [{ start: sibling, own, update: () => updateWithout(table, rows, deletes) }]
  })
}

/**
 * Deletes that a settled sibling knew when it began: what the current generation copied, and the sibling had seen and did not copy.
 * The ids are those of the current generation.
 */
export function deletesOfSibling(start: OpenStart, sibling: OpenStart): number[] {
  const seen = coversOf(sibling)
  const copied = new Map<number, { clock: number; end: number }[]>()
  for (const { from } of runsOf(sibling)) {
    const runs = copied.get(from.client) ?? []
    copied.set(from.client, runs)
    runs.push({ clock: from.clock, end: from.clock + from.length })
  }
  for (const runs of copied.values()) runs.sort((a, b) => a.clock - b.clock)
  return runsOf(start).flatMap(({ from: { client, clock, length }, to }) => {
    const end = Math.min(clock + length, seen.get(client) ?? 0)
    const deletes: number[] = []
    let at = clock
    for (const part of splitRange(copied.get(client) ?? [], clock, end)) {
      if (part.clock > at) deletes.push(start.client, to + at - clock, part.clock - at)
      at = part.end
    }
    if (end > at) deletes.push(start.client, to + at - clock, end - at)
    return deletes
  })
}

/** The rows that a generation began with. */
export function baseOf(table: DocumentTable, name: string, { number, client }: StartedGeneration): DocumentRow[] {
  return table.liveRowsOf(name, number).filter(({ parts }) => parts.client === client)
}

/** The clock up to which rows have the edits of a client id, in any generation. */
export function hereOf(table: DocumentTable, name: string): (client: number) => number {
  const ends = new Map<number, number>()
  for (const { key, parts } of table.rowsOf(name)) {
    ends.set(parts.client, Math.max(ends.get(parts.client) ?? 0, table.read(key)!.update.to))
  }
  return (client) => ends.get(client) ?? 0
}

/** The copied ranges of a start, with the clocks of the copies. */
function runsOf({ copied }: OpenStart): { readonly from: IdRange; readonly to: number }[] {
  let to = 0
  return rangesOf(copied).map((from) => {
    const run = { from, to }
    to += from.length
    return run
  })
}

function coversOf({ covers }: { readonly covers: readonly number[] }): ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  for (let i = 0; i < covers.length; i += 2) ends.set(covers[i]!, covers[i + 1]!)
  return ends
}

function updateWithout(table: DocumentTable, rows: readonly DocumentRow[], deletes: readonly number[]): Uint8Array {
  const y = new Y.Doc()
  try {
    const integration = new RowIntegration((client) => Y.getState(y.store, client))
    for (const { key, parts } of rows) integration.offer(key, parts.client, table.read(key)!.update)
    applyAll(y, integration, undefined)
    Y.applyUpdate(y, writeYjsUpdate([], deletes))
    return Y.encodeStateAsUpdate(y)
  } finally {
    y.destroy()
  }
}
