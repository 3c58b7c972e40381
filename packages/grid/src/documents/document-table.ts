import { documentUpdate, generationKey, readDocumentHeader, readDocumentKey } from '@gossipgrid/core'
import { readGenerationStart, readYjsUpdate, splitKey } from '@gossipgrid/core'
import type { DocumentKey, GenerationStart, Partition, YjsUpdate } from '@gossipgrid/core'
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
  /** The one that the document began with, which is another one once it was begun anew with the same content. */
  readonly root: number
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

interface DocumentRowContent {
  readonly parts: DocumentKey
  readonly author: string | undefined
  readonly update: YjsUpdate
  /** The update as Yjs reads it. */
  readonly bytes: Uint8Array
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
    const root = this.#rootOf(name)
    const next = root.deleted ? undefined : this.#valueOf(generationKey(name, root.number, 'n'))
    return next === undefined ? root : { ...root, number: readDocumentHeader(next).generation }
  }

  /** How a generation started; undefined where it began empty, or where that does not matter any more. */
  startOf(name: string, generation: number): GenerationStart | undefined {
    const start = this.#valueOf(generationKey(name, generation, 'h'))
    return start === undefined ? undefined : readGenerationStart(start)
  }

  /** The generations that started from another one. */
  startsOf(name: string): (readonly [number: number, start: GenerationStart])[] {
    return this.keysOf(name).flatMap((key) => {
      const [number, row] = splitKey(key).sub?.split('.') ?? []
      const generation = row === 'h' ? Number.parseInt(number!, 36) : undefined
      const start = generation === undefined ? undefined : this.startOf(name, generation)
      return start === undefined ? [] : [[generation!, start] as const]
    })
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
      const replica = table.replica(slot)
      const writer = collections.ids.id(replica)
      return [{ key, parts, hlc: table.hlc(slot), own: replica === own, writer, sizeBytes }]
    })
  }

  /** The keys of all that there is of a document. */
  keysOf(name: string): string[] {
    const { table } = this.partition.replica
    return table.slotsOf(name).flatMap((slot) => (table.deleted(slot) ? [] : [table.key(slot)]))
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

  /** What a row says, and whose it is if not its writer's; undefined when it is gone. */
  read(key: string): DocumentRowContent | undefined {
    const bytes = this.#valueOf(key)
    const parts = readDocumentKey(key)
    if (bytes === undefined || parts === undefined) return undefined
    const { start, end, author } = documentUpdate(bytes, 0, bytes.length)
    const update = readYjsUpdate(bytes, start, end, parts.client)
    return { parts, author, update, bytes: bytes.subarray(start, end) }
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

  #rootOf(name: string): Generation {
    const { table } = this.partition.replica
    const slot = table.slotOf(name)
    if (slot === undefined) return { number: 0, root: 0, deleted: false, settled: true }
    const header = table.value(slot)
    const number = header === undefined ? table.hlc(slot) : readDocumentHeader(header).generation
    return { number, root: number, deleted: header === undefined, settled: header !== undefined }
  }

  #valueOf(key: string): Uint8Array | undefined {
    const { table } = this.partition.replica
    const slot = table.slotOf(key)
    return slot === undefined ? undefined : table.value(slot)
  }
}
