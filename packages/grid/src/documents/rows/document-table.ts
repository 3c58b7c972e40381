import {
  DOCUMENTS,
  GUEST_NONCES_MAX,
  documentUpdate,
  readDocumentHeader,
  readDocumentKey,
  hashHex,
  readYjsUpdate,
  splitKey,
} from '@gossipgrid/core'
import { readGenerationKey, readGenerationStart } from '@gossipgrid/core'
import type { DocumentKey, GenerationStart, Partition, Peer, YjsUpdate } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'

export { DOCUMENTS }

/** What the table needs of its peer. At a guest, `replicaId` is under whom it edits. */
export interface TablePeer extends Pick<Peer, 'collections' | 'replicaId'> {
  isOwn?(parts: DocumentKey): boolean
}

/** The current generation of a document. */
export interface Generation {
  /** Its number. If the document was deleted: the number for the next document of its name. */
  readonly number: number
  readonly deleted: boolean
  /** The header of the document names it. */
  readonly settled: boolean
}

/** A row of a document. */
export interface DocumentRow {
  readonly key: string
  readonly parts: DocumentKey
  readonly hlc: number
  /** This peer's current replica id wrote it, for itself. */
  readonly own: boolean
  readonly writer: string
  readonly sizeBytes: number
}

/** The content of a row. */
export interface DocumentRowContent {
  readonly parts: DocumentKey
  /** The replica id of the edits, if another one has written the row. */
  readonly author: string | undefined
  readonly update: YjsUpdate
  /** The update as Yjs reads it. */
  readonly bytes: Uint8Array
}

/** A generation that started from another one. */
export interface StartedGeneration extends GenerationStart {
  readonly number: number
  readonly key: string
}

/** What was read of one document. Valid while `mark` describes its rows. */
interface Glance {
  readonly name: string
  readonly mark: string
  rows: readonly DocumentRow[] | undefined
  starts: readonly StartedGeneration[] | undefined
  line: readonly StartedGeneration[] | undefined
}

/** Rows that are deleted in one piece. */
const DELETES_MAX = 1000
/** Number of generations remembered as complete. */
const WHOLE_MAX = 1000
/** Number of decoded starts of generations that are kept. Each has up to 85,000 ranges. */
const STARTS_MAX = 16

/** The rows of all documents, by document. */
export class DocumentTable {
  readonly partition: Partition
  readonly #peer: TablePeer
  readonly #whole = new Set<string>()
  #glance: Glance | undefined
  readonly #starts = new Map<string, { readonly hlc: number; readonly start: StartedGeneration }>()

  constructor(peer: TablePeer) {
    this.#peer = peer
    this.partition = peer.collections.internal(DOCUMENTS)
  }

  /** The current generation: the last one of `lineOf`. */
  generationOf(name: string): Generation {
    const root = this.#rootOf(name)
    const number = this.lineOf(name).at(-1)?.number ?? root.number
    return { ...root, number }
  }

  /** The generations from the first compaction to the current generation, each the successor of the one before. */
  lineOf(name: string): readonly StartedGeneration[] {
    return (this.#glanceAt(name).line ??= this.#findLine(name))
  }

  #findLine(name: string): StartedGeneration[] {
    const { number: root, deleted } = this.#rootOf(name)
    const nexts = Map.groupBy(deleted ? [] : this.startsOf(name), ({ from }) => from)
    const line: StartedGeneration[] = []
    for (let number = root; ; number = line.at(-1)!.number) {
      const whole = (nexts.get(number) ?? []).filter((start) => this.#isWhole(name, start))
      if (whole.length === 0) return line
      line.push(whole.reduce((best, next) => (isAfter(next, best) ? next : best)))
    }
  }

  /** The starts of all generations, including those that did not become current. */
  startsOf(name: string): readonly StartedGeneration[] {
    return (this.#glanceAt(name).starts ??= this.#findStarts(name))
  }

  #findStarts(name: string): StartedGeneration[] {
    const { table } = this.partition.replica
    return table.slotsOf(name).flatMap((slot) => {
      const key = table.key(slot)
      const number = readGenerationKey(key)
      const bytes = number === undefined ? undefined : table.value(slot)
      return bytes === undefined ? [] : [this.#readStart(key, table.hlc(slot), number!, bytes)]
    })
  }

  /** True if `generation` is an earlier generation of this document, or one that was started from an earlier one. */
  goesBackTo(name: string, generation: number): boolean {
    const { number: root, deleted } = this.#rootOf(name)
    return !deleted && (generation === root || this.startsOf(name).some(({ number }) => number === generation))
  }

  /** True if the document exists. */
  has(name: string): boolean {
    const { table } = this.partition.replica
    const { number, deleted } = this.generationOf(name)
    if (deleted) return false
    return number > 0 || table.slotOf(name) !== undefined || this.liveRowsOf(name, 0).length > 0
  }

  /** The rows of all generations of a document. */
  rowsOf(name: string): readonly DocumentRow[] {
    return (this.#glanceAt(name).rows ??= this.#findRows(name))
  }

  #findRows(name: string): DocumentRow[] {
    const { table } = this.partition.replica
    const { collections, replicaId } = this.#peer
    const own = collections.ids.indexOf(replicaId)
    return table.slotsOf(name).flatMap((slot) => {
      const key = table.key(slot)
      const parts = table.deleted(slot) ? undefined : readDocumentKey(key)
      if (parts === undefined) return []
      const sizeBytes = table.valueLength(slot)
      const index = table.writer(slot)
      const writer = collections.ids.id(index)
      // Members issue the rows of guests, which are not theirs.
      const isOwn = this.#peer.isOwn?.(parts) ?? (index === own && parts.nonce >= GUEST_NONCES_MAX)
      return [{ key, parts, hlc: table.hlc(slot), own: isOwn, writer, sizeBytes }]
    })
  }

  /** The writes that delete rows, in pieces of up to 1,000. */
  deletes(keys: readonly string[]): RowWrite[][] {
    const pieces: RowWrite[][] = []
    for (let i = 0; i < keys.length; i += DELETES_MAX) {
      const piece = keys.slice(i, i + DELETES_MAX)
      pieces.push(piece.map((key) => ({ partition: this.partition, key, bytes: undefined })))
    }
    return pieces
  }

  /** The keys of all rows of a document, except for its header. */
  keysOf(name: string): string[] {
    const { table } = this.partition.replica
    return table.slotsOf(name).flatMap((slot) => {
      const key = table.key(slot)
      return table.deleted(slot) || key === name ? [] : [key]
    })
  }

  /** The rows of one generation. */
  liveRowsOf(name: string, generation: number): DocumentRow[] {
    return this.rowsOf(name).filter(({ parts }) => parts.generation === generation)
  }

  /** The HLC timestamp of a row. */
  hlcOf(key: string): number | undefined {
    const { table } = this.partition.replica
    const slot = table.slotOf(key)
    return slot === undefined ? undefined : table.hlc(slot)
  }

  /** The content of a row. Undefined if it is gone. */
  read(key: string): DocumentRowContent | undefined {
    const { table } = this.partition.replica
    const slot = table.slotOf(key)
    const bytes = slot === undefined ? undefined : table.value(slot)
    const parts = readDocumentKey(key)
    if (slot === undefined || bytes === undefined || parts === undefined) return undefined
    const { start, end, author } = documentUpdate(bytes, 0, bytes.length)
    return { parts, author, update: readYjsUpdate(bytes, start, end, parts.client), bytes: bytes.subarray(start, end) }
  }

  /** The names of the documents, sorted. */
  names(prefix: string): string[] {
    const { table } = this.partition.replica
    const names = new Set<string>()
    const generations = new Map<string, Generation>()
    for (const slot of table.slots()) {
      if (table.deleted(slot)) continue
      const { main: name, sub } = splitKey(table.key(slot))
      if (names.has(name) || !name.startsWith(prefix)) continue
      const generation = generations.get(name) ?? this.generationOf(name)
      generations.set(name, generation)
      const { number, deleted } = generation
      if (!deleted && (sub === undefined || sub.startsWith(`${number.toString(36)}.`))) names.add(name)
    }
    return [...names].toSorted()
  }

  /** The first generation of a document, before any compaction. */
  #rootOf(name: string): Generation {
    const { table } = this.partition.replica
    const slot = table.slotOf(name)
    if (slot === undefined) return { number: 0, deleted: false, settled: true }
    const header = table.value(slot)
    if (header === undefined) return { number: table.hlc(slot), deleted: true, settled: false }
    const { deleted, generation } = readDocumentHeader(header)
    return { number: generation, deleted, settled: !deleted }
  }

  /**
   * What was read of a document, until a row changes or another document is asked for: the same is asked for again for each
   * of its generations, of which a hostile member can make up thousands.
   */
  #glanceAt(name: string): Glance {
    const mark = `${hashHex(this.partition.replica.fingerprint)} ${this.#peer.replicaId}`
    if (this.#glance?.name === name && this.#glance.mark === mark) return this.#glance
    this.#glance = { name, mark, rows: undefined, starts: undefined, line: undefined }
    return this.#glance
  }

  #readStart(key: string, hlc: number, number: number, bytes: Uint8Array): StartedGeneration {
    const known = this.#starts.get(key)
    if (known?.hlc === hlc) return known.start
    const start = { ...readGenerationStart(bytes, number), number, key }
    if (this.#starts.size >= STARTS_MAX) this.#starts.clear()
    this.#starts.set(key, { hlc, start })
    return start
  }

  /** True if all content that a generation started with is here, so that users never see a part of it. */
  #isWhole(name: string, { number, client, end, settled, key }: StartedGeneration): boolean {
    if (settled || end === 0) return true
    const { table } = this.partition.replica
    const mark = `${key} ${table.hlc(table.slotOf(key)!)}`
    if (this.#whole.has(mark)) return true
    const rows = this.liveRowsOf(name, number).filter(({ parts }) => parts.client === client)
    const updates = rows.map((row) => this.read(row.key)!.update).toSorted((a, b) => a.from - b.from)
    if (updates.reduce((clock, { from, to }) => (from <= clock ? Math.max(clock, to) : clock), 0) < end) return false
    if (this.#whole.size >= WHOLE_MAX) this.#whole.clear()
    this.#whole.add(mark)
    return true
  }
}

/** Of two generations with the same predecessor, a settled one wins, else the one with the larger number. */
function isAfter(a: StartedGeneration, b: StartedGeneration): boolean {
  return a.settled === b.settled ? a.number > b.number : a.settled
}
