import { readDocumentKey } from '@gossipgrid/core'
import type { DocumentKey } from '@gossipgrid/core'
import type { DocumentTable } from '../../documents/rows/document-table.ts'
import { KNOWN_DOCUMENTS_MAX } from '../guest-limits.ts'

/** The structs of a row: clocks `[from, to)` of its client id. */
export interface ClockRange {
  readonly from: number
  readonly to: number
}

/** What the rows of one author in one generation are: by key. Undefined: the row goes. */
export type RowRanges = ReadonlyMap<string, ClockRange | undefined>

const NONE: RowRanges = new Map()

/** The clocks that rows of documents have, of the documents that guests edit. They are read once, and then follow the changes. */
export class KnownRows {
  readonly #table: DocumentTable
  /** By name, then by generation and client id. The one that was used last is at the end. */
  readonly #documents = new Map<string, Map<string, Map<string, ClockRange>>>()

  constructor(table: DocumentTable) {
    this.#table = table
    const { replica } = table.partition
    replica.observe({ changedSlot: (slot) => this.#changed(replica.table.key(slot)) })
  }

  /** The rows of an author in a generation of a document. */
  rowsOf({ client, document, generation }: Pick<DocumentKey, 'client' | 'document' | 'generation'>): RowRanges {
    return this.#document(document).get(`${generation} ${client}`) ?? NONE
  }

  /** The clock after the last struct of a client in a generation, also of what a later generation has a copy of. */
  endOf(name: string, generation: number, client: number): number {
    let end = 0
    for (const range of this.rowsOf({ document: name, generation, client }).values()) end = Math.max(end, range!.to)
    for (const { covers, from } of this.#table.startsOf(name)) {
      if (from !== generation) continue
      for (let i = 0; i < covers.length; i += 2) if (covers[i] === client) end = Math.max(end, covers[i + 1]!)
    }
    return end
  }

  #document(name: string): Map<string, Map<string, ClockRange>> {
    const known = this.#documents.get(name) ?? this.#read(name)
    this.#documents.delete(name)
    this.#documents.set(name, known)
    if (this.#documents.size > KNOWN_DOCUMENTS_MAX) this.#documents.delete(this.#documents.keys().next().value!)
    return known
  }

  #read(name: string): Map<string, Map<string, ClockRange>> {
    const authors = new Map<string, Map<string, ClockRange>>()
    for (const { key } of this.#table.rowsOf(name)) this.#put(authors, key)
    return authors
  }

  #changed(key: string): void {
    const parts = readDocumentKey(key)
    const authors = parts && this.#documents.get(parts.document)
    if (authors !== undefined) this.#put(authors, key)
  }

  #put(authors: Map<string, Map<string, ClockRange>>, key: string): void {
    const { client, generation } = readDocumentKey(key)!
    const author = `${generation} ${client}`
    const rows = authors.get(author) ?? new Map<string, ClockRange>()
    authors.set(author, rows)
    const update = this.#table.read(key)?.update
    if (update !== undefined) rows.set(key, { from: update.from, to: update.to })
    else if (rows.delete(key) && rows.size === 0) authors.delete(author)
  }
}

/** Whether rows have all of these clocks. */
export function haveAll(rows: Iterable<ClockRange | undefined>, { from, to }: ClockRange): boolean {
  const ranges = [...rows].filter((range) => range !== undefined).toSorted((one, other) => one.from - other.from)
  let reached = from
  for (const range of ranges) if (range.from <= reached) reached = Math.max(reached, range.to)
  return reached >= to
}
