import {
  DOCUMENTS,
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

/** What the table needs of its peer. */
export type TablePeer = Pick<Peer, 'collections' | 'replicaId'>

/** Which of a document's rows count. */
export interface Generation {
  /** Only rows of this one. Where the document was deleted: that of the next document of its name. */
  readonly number: number
  readonly deleted: boolean
  /** A header says so already. */
  readonly settled: boolean
}

/** A row of a document that is there. */
export interface DocumentRow {
  readonly key: string
  readonly parts: DocumentKey
  readonly hlc: number
  /** The replica id that wrote it is this peer's own today. */
  readonly own: boolean
  readonly writer: string
  readonly sizeBytes: number
}

/** What a row holds. */
export interface DocumentRowContent {
  readonly parts: DocumentKey
  /** The replica id whose edits it has, where another one has written it. */
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

/** What was read of one document, as long as its rows are those of `mark`. */
interface Glance {
  readonly name: string
  readonly mark: string
  rows: readonly DocumentRow[] | undefined
  starts: readonly StartedGeneration[] | undefined
  line: readonly StartedGeneration[] | undefined
}

/** Rows that are deleted in one piece. */
const DELETES_MAX = 1000
/** Generations of which is remembered that all of their first content is here. */
const WHOLE_MAX = 1000
/** Starts of generations that are kept as they were read; each holds up to 85,000 ranges. */
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

  /** Of the generations that started from one and the same, the last one counts. */
  generationOf(name: string): Generation {
    const root = this.#rootOf(name)
    const number = this.lineOf(name).at(-1)?.number ?? root.number
    return { ...root, number }
  }

  /** The generations that count or counted, from the one on that started from that which the document began with. */
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

  /** All generations that started from another one, whether they count or not. */
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

  /** Whether the current generation goes back to another one, or to one that began with the same as it. */
  goesBackTo(name: string, generation: number): boolean {
    const { number: root, deleted } = this.#rootOf(name)
    return !deleted && (generation === root || this.startsOf(name).some(({ number }) => number === generation))
  }

  /** Whether there is such a document. */
  has(name: string): boolean {
    const { table } = this.partition.replica
    const { number, deleted } = this.generationOf(name)
    if (deleted) return false
    return number > 0 || table.slotOf(name) !== undefined || this.liveRowsOf(name, 0).length > 0
  }

  /** The rows of a document, of all generations, that are not deleted. */
  rowsOf(name: string): readonly DocumentRow[] {
    return (this.#glanceAt(name).rows ??= this.#findRows(name))
  }

  #findRows(name: string): DocumentRow[] {
    const { table } = this.partition.replica
    const { replicaId, collections } = this.#peer
    const own = collections.ids.indexOf(replicaId)
    return table.slotsOf(name).flatMap((slot) => {
      const key = table.key(slot)
      const parts = table.deleted(slot) ? undefined : readDocumentKey(key)
      if (parts === undefined) return []
      const sizeBytes = table.valueLength(slot)
      const index = table.writer(slot)
      const writer = collections.ids.id(index)
      return [{ key, parts, hlc: table.hlc(slot), own: index === own, writer, sizeBytes }]
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

  /** The keys of all that there is of a document, except for its header. */
  keysOf(name: string): string[] {
    const { table } = this.partition.replica
    return table.slotsOf(name).flatMap((slot) => {
      const key = table.key(slot)
      return table.deleted(slot) || key === name ? [] : [key]
    })
  }

  /** The rows that count. */
  liveRowsOf(name: string, generation: number): DocumentRow[] {
    return this.rowsOf(name).filter(({ parts }) => parts.generation === generation)
  }

  /** The version of a row. */
  hlcOf(key: string): number | undefined {
    const { table } = this.partition.replica
    const slot = table.slotOf(key)
    return slot === undefined ? undefined : table.hlc(slot)
  }

  /** What a row says; undefined when it is gone. */
  read(key: string): DocumentRowContent | undefined {
    const { table } = this.partition.replica
    const slot = table.slotOf(key)
    const bytes = slot === undefined ? undefined : table.value(slot)
    const parts = readDocumentKey(key)
    if (slot === undefined || bytes === undefined || parts === undefined) return undefined
    const { start, end, author } = documentUpdate(bytes, 0, bytes.length)
    return { parts, author, update: readYjsUpdate(bytes, start, end, parts.client), bytes: bytes.subarray(start, end) }
  }

  /** Names of the documents that are there, in order. */
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

  /** The generation that a document began with, before it was ever begun anew with the same content. */
  #rootOf(name: string): Generation {
    const { table } = this.partition.replica
    const slot = table.slotOf(name)
    if (slot === undefined) return { number: 0, deleted: false, settled: true }
    const header = table.value(slot)
    if (header === undefined) return { number: table.hlc(slot), deleted: true, settled: false }
    return { number: readDocumentHeader(header).generation, deleted: false, settled: true }
  }

  /**
   * What was read of a document in this turn of the event loop, while no row changes: the same is asked for again for each of
   * its generations, of which a hostile member can make up thousands.
   */
  #glanceAt(name: string): Glance {
    const mark = `${hashHex(this.partition.replica.fingerprint)} ${this.#peer.replicaId}`
    if (this.#glance?.name === name && this.#glance.mark === mark) return this.#glance
    if (this.#glance === undefined) queueMicrotask(() => (this.#glance = undefined))
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

  /** Whether all is here that a generation started with, so that nobody sees it half. */
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

/** Of two generations that started from the same one, the one that all members had counts, else the later. */
function isAfter(a: StartedGeneration, b: StartedGeneration): boolean {
  return a.settled === b.settled ? a.number > b.number : a.settled
}
