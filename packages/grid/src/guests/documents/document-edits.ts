import {
  GUEST_NONCES_MAX,
  documentClient,
  documentHeader,
  documentUpdate,
  hlcFromWall,
  readDocumentKey,
  readGenerationKey,
  readYjsUpdate,
  splitKey,
} from '@gossipgrid/core'
import type { DocumentKey, GridErrorCode, YjsUpdate } from '@gossipgrid/core'
import { DocumentTable } from '../../documents/rows/document-table.ts'
import { sameContent } from '../../maps/layout.ts'
import type { Pump } from '../../runtime/write-path.ts'
import { DOCUMENT_ROWS, coversDoc } from '../covering.ts'
import { GUEST_AHEAD_MAX_MS } from '../guest-limits.ts'
import type { GuestWrite } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import { KnownRows, haveAll } from './known-rows.ts'
import type { ClockRange } from './known-rows.ts'

/** What an edit is answered. '' if it may be made. */
interface Answer {
  readonly code: GridErrorCode | ''
  readonly text: string
}

const TAKEN: Answer = { code: '', text: '' }

/** An edit of a guest: one row of a document. */
export interface DocumentEdit {
  readonly document: string
  /** Undefined for the header of a document, and for a deleted row. */
  readonly update: Uint8Array | undefined
}

/** Checks edits of documents that guests have made. */
export class DocumentEdits {
  readonly #pump: Pump
  readonly #table: DocumentTable
  readonly #known: KnownRows

  constructor(pump: Pump) {
    this.#pump = pump
    this.#table = new DocumentTable(pump.peer)
    this.#known = new KnownRows(this.#table)
  }

  /** What an edit is. Its form is checked. */
  editOf({ bytes, rowKey }: GuestWrite): DocumentEdit {
    const { main: document, sub } = splitKey(rowKey)
    if (bytes === undefined || sub === undefined || readDocumentKey(rowKey) === undefined)
      return { document, update: undefined }
    const { end, start } = documentUpdate(bytes, 0, bytes.length)
    return { document, update: bytes.slice(start, end) }
  }

  /**
   * Whether an edit may be made; `behind` if it refers to what this member lacks. `authors` are those of the guest. `earlier` are the edits
   * before it that are to be taken together with it.
   */
  judge(pass: PassContent, authors: readonly string[], write: GuestWrite, earlier: EarlierEdits): Answer | 'behind' {
    const { main: name, sub } = splitKey(write.rowKey)
    if (!coversDoc(pass.grants, 'write', name))
      return refusal('FORBIDDEN', 'the pass does not allow to edit this document')
    const parts = readDocumentKey(write.rowKey)
    if (sub === undefined) return this.#judgeHeader(name, write)
    if (parts === undefined || readGenerationKey(write.rowKey) !== undefined)
      return refusal('FORBIDDEN', 'guests do not compact documents')
    if (!isOf(authors, parts, write.bytes)) return refusal('FORBIDDEN', 'the edit has the client id of another author')
    return earlier.refused(write) ?? this.#judgeGeneration(parts) ?? this.#judgeRow(parts, write, earlier) ?? TAKEN
  }

  /** The edit is to be taken, so later ones may build on it. */
  accept({ bytes, rowKey }: GuestWrite, earlier: EarlierEdits): void {
    const parts = readDocumentKey(rowKey)
    if (parts === undefined) return
    const update = bytes === undefined ? undefined : updateOf(bytes, parts)
    earlier.put(parts, rowKey, update)
  }

  /** The header that an opened document writes: only where one was deleted, or none is. */
  #judgeHeader(name: string, { bytes }: GuestWrite): Answer {
    const { deleted, number } = this.#table.generationOf(name)
    if (bytes === undefined) return refusal('FORBIDDEN', 'guests do not delete documents')
    const { replica } = this.#table.partition
    const slot = replica.table.slotOf(name)
    const here = slot === undefined ? undefined : replica.table.value(slot)
    if (here !== undefined && sameContent(here, bytes)) return TAKEN
    if (deleted && sameContent(documentHeader({ generation: number }), bytes)) return TAKEN
    if (!this.#table.has(name) && !deleted && this.#table.rowsOf(name).length === 0) return TAKEN
    return refusal('DOCUMENT_DELETED', `'${name}' was deleted meanwhile: open it again to begin a new one`)
  }

  #judgeGeneration({ document, generation }: DocumentKey): Answer | 'behind' | undefined {
    const { deleted, number } = this.#table.generationOf(document)
    if (generation === number || this.#table.goesBackTo(document, generation)) return undefined
    if (generation > number) {
      const isAhead = generation > hlcFromWall(this.#pump.wallMs + GUEST_AHEAD_MAX_MS)
      return isAhead ? refusal('FORBIDDEN', 'the edit is of a time to come') : 'behind'
    }
    if (deleted || !this.#table.startsOf(document).some(({ number: started }) => started > generation))
      return refusal('DOCUMENT_DELETED', `'${document}' was deleted meanwhile: open it again to begin a new one`)
    return refusal('DOCUMENT_GENERATION', `'${document}' was compacted twice meanwhile: make the edit again`)
  }

  /** What goes with a row has to be in others; what an edit refers to has to be here. */
  #judgeRow(parts: DocumentKey, { bytes, rowKey }: GuestWrite, earlier: EarlierEdits): 'behind' | undefined {
    const rows = new Map([...this.#known.rowsOf(parts), ...earlier.rowsOf(parts)])
    const before = rows.get(rowKey)
    const update = bytes === undefined ? undefined : updateOf(bytes, parts)
    rows.set(rowKey, update)
    if (before !== undefined && !haveAll(rows.values(), before)) return 'behind'
    return update === undefined || this.#hasNeeds(parts, update) ? undefined : 'behind'
  }

  #hasNeeds({ client: own, document, generation }: DocumentKey, { deletes, needs }: YjsUpdate): boolean {
    const ends = new Map<number, number>()
    for (let i = 0; i < needs.length; i += 3)
      ends.set(needs[i + 1]!, Math.max(ends.get(needs[i + 1]!) ?? 0, needs[i + 2]! + 1))
    for (let i = 0; i < deletes.length; i += 3)
      ends.set(deletes[i]!, Math.max(ends.get(deletes[i]!) ?? 0, deletes[i + 1]! + deletes[i + 2]!))
    // Its own ids are its own affair.
    ends.delete(own)
    return [...ends].every(([client, end]) => this.#known.endOf(document, generation, client) >= end)
  }
}

/** The edits of one message that come before another one. */
export class EarlierEdits {
  readonly #rows = new Map<string, Map<string, ClockRange | undefined>>()
  /** By document. */
  readonly #refused = new Map<string, Answer>()

  /** Why an edit is refused: it may build on one that was. */
  refused({ map, rowKey }: GuestWrite): Answer | undefined {
    if (this.#refused.size === 0 || map !== DOCUMENT_ROWS) return undefined
    return this.#refused.get(splitKey(rowKey).main)
  }

  /** Edits of the same document after a refused one may build on it. */
  refuse({ map, rowKey }: GuestWrite, { code, text }: Answer): void {
    if (map === DOCUMENT_ROWS) this.#refused.set(splitKey(rowKey).main, { code, text })
  }

  rowsOf(parts: DocumentKey): ReadonlyMap<string, ClockRange | undefined> {
    return this.#rows.get(authorOf(parts)) ?? new Map()
  }

  put(parts: DocumentKey, key: string, range: ClockRange | undefined): void {
    const rows = this.#rows.get(authorOf(parts)) ?? new Map<string, ClockRange | undefined>()
    rows.set(key, range && { from: range.from, to: range.to })
    this.#rows.set(authorOf(parts), rows)
  }
}

function authorOf({ client, document, generation }: DocumentKey): string {
  return `${generation} ${client} ${document}`
}

function updateOf(bytes: Uint8Array, { client }: DocumentKey): YjsUpdate {
  const { end, start } = documentUpdate(bytes, 0, bytes.length)
  return readYjsUpdate(bytes, start, end, client)
}

/** Whether a row is under a client id of one of these authors, and says so. */
function isOf(authors: readonly string[], { client, nonce }: DocumentKey, bytes: Uint8Array | undefined): boolean {
  if (nonce >= GUEST_NONCES_MAX) return false
  const author = bytes === undefined ? undefined : (documentUpdate(bytes, 0, bytes.length).author ?? '')
  return authors.some((own) => (author ?? own) === own && client === documentClient(own, nonce))
}

function refusal(code: GridErrorCode, text: string): Answer {
  return { code, text }
}
