import { documentValue, generationKey, generationStart } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { RowWrite } from '../../runtime/row-write.ts'
import { copyStructs } from './copy-document.ts'
import type { DocumentEngine } from '../engine/document-engine.ts'
import type { DocumentLease } from '../engine/document-lease.ts'
import type { DocumentTable } from '../rows/document-table.ts'
import { OwnRows } from '../rows/own-rows.ts'
import { OwnStructs } from '../rows/own-structs.ts'

/**
 * The rows of a compaction: a new generation that starts with the visible content of a document. To be written in one piece.
 * Undefined if the start of the generation does not fit into one row.
 */
export function compactionRows(
  { name, generation, y }: DocumentEngine,
  table: DocumentTable,
  lease: DocumentLease,
): RowWrite[] | undefined {
  const { partition } = table
  const { client, author } = lease
  const { update, copied } = copyStructs(y, client, 0)
  const base = new Y.Doc()
  try {
    if (update !== undefined) Y.applyUpdate(base, update)
    const content = new OwnStructs(base, client, undefined, () => undefined)
    const covers = [...y.store.clients.keys()].flatMap((known) => [known, Y.getState(y.store, known)])
    const start = generationStart({ from: generation, client, end: content.clock, settled: false, covers, copied })
    if (start === undefined) return undefined
    // Larger than all HLC timestamps of the document, and unique: the client id is this peer's own.
    const number = table.rowsOf(name).reduce((latest, { hlc }) => Math.max(latest, hlc), generation) + 1 + client
    const rows = new OwnRows({ document: name, generation: number, ...lease })
    const written = content.clock === 0 ? [] : rows.append(content, [])
    return [
      ...written.map(({ key, update: bytes }) => ({ partition, key, bytes: documentValue(bytes!, author, author) })),
      { partition, key: generationKey(name, number), bytes: start },
    ]
  } finally {
    base.destroy()
  }
}

/** Bytes of the visible content of a document. */
export function shownBytes(y: Y.Doc): number {
  return copyStructs(y, 0, 0).update?.length ?? 0
}
