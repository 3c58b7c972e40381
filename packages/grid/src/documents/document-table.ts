import { documentUpdate, readDocumentHeader, readDocumentKey, readYjsUpdate, splitKey } from '@gossipgrid/core'
import type { DocumentKey, Partition, YjsUpdate } from '@gossipgrid/core'
import type { DocumentHost } from './document-host.ts'

/** All documents of a grid live in one collection, which is the grid's own. */
export const DOCUMENTS = { name: 'documents', kind: 'document', mode: 'replicated', partitions: 1 } as const

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
  readonly sizeBytes: number
}

/** The rows of all documents, by document. */
export class DocumentTable {
  readonly partition: Partition
  readonly #peer: DocumentHost['peer']

  constructor(peer: DocumentHost['peer']) {
    this.#peer = peer
    this.partition = peer.collections.internal(DOCUMENTS)
  }

  generationOf(name: string): Generation {
    const { table } = this.partition.replica
    const slot = table.slotOf(name)
    if (slot === undefined) return { number: 0, deleted: false, settled: true }
    const header = table.value(slot)
    if (header === undefined) return { number: table.hlc(slot), deleted: true, settled: false }
    return { number: readDocumentHeader(header).generation, deleted: false, settled: true }
  }

  /** Whether there is such a document. */
  has(name: string): boolean {
    const { table } = this.partition.replica
    const { number, deleted } = this.generationOf(name)
    if (deleted) return false
    return table.slotOf(name) !== undefined || this.liveRowsOf(name, number).length > 0
  }

  /** The rows of a document, of all generations, that are not deleted. */
  rowsOf(name: string): DocumentRow[] {
    const { table } = this.partition.replica
    const { replicaId, collections } = this.#peer
    const own = collections.ids.indexOf(replicaId)
    return table.slotsOf(name).flatMap((slot) => {
      const key = table.key(slot)
      const parts = table.deleted(slot) ? undefined : readDocumentKey(key)
      if (parts === undefined) return []
      const sizeBytes = table.valueLength(slot)
      return [{ key, parts, hlc: table.hlc(slot), own: table.replica(slot) === own, sizeBytes }]
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
  read(key: string): { readonly parts: DocumentKey; readonly update: YjsUpdate } | undefined {
    const { table } = this.partition.replica
    const slot = table.slotOf(key)
    const bytes = slot === undefined ? undefined : table.value(slot)
    const parts = readDocumentKey(key)
    if (slot === undefined || bytes === undefined || parts === undefined) return undefined
    const { start, end } = documentUpdate(bytes, 0, bytes.length)
    return { parts, update: readYjsUpdate(bytes, start, end, parts.client) }
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
}
