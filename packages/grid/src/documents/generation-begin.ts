import { documentHeader, documentValue, generationKey, generationStart } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { RowWrite } from '../layout.ts'
import { copyDocument } from './copy-document.ts'
import { deletesOf } from './document-engine.ts'
import type { DocumentEngine } from './document-engine.ts'
import type { DocumentLease } from './document-lease.ts'
import type { DocumentTable } from './document-table.ts'
import { OwnRows } from './own-rows.ts'
import { OwnStructs } from './own-structs.ts'

/** What a document shows, written under one client id. */
export function copyOf(y: Y.Doc, client: number): Y.Doc {
  const base = new Y.Doc()
  base.clientID = client
  copyDocument(y, base)
  return base
}

/**
 * The rows that begin a document anew with what it shows, one piece; undefined when it cannot be said in one row what
 * they start from.
 */
export function begunAnew(
  { name, generation, y }: DocumentEngine,
  table: DocumentTable,
  lease: DocumentLease,
): RowWrite[] | undefined {
  const { partition } = table
  const base = copyOf(y, lease.client)
  try {
    const content = new OwnStructs(base, lease.client, undefined, () => undefined)
    const covers = [...y.store.clients.keys()].flatMap((client) => {
      return [client, 0, Y.getState(y.store, client)]
    })
    const { client, author } = lease
    const start = generationStart({
      from: generation,
      client,
      end: content.clock,
      covers,
      deletes: deletesOf(y),
    })
    if (start === undefined) return undefined
    // Later than all rows there are, and nobody else's: the client id is this peer's own.
    const number = table.rowsOf(name).reduce((latest, { hlc }) => Math.max(latest, hlc), generation) + 1 + client
    const rows = new OwnRows({ document: name, generation: number, ...lease }).append(content, deletesOf(base))
    return [
      {
        partition,
        key: generationKey(name, table.generationOf(name).root, 'n'),
        bytes: documentHeader({ generation: number }),
      },
      { partition, key: generationKey(name, number, 'h'), bytes: start },
      ...rows.map(({ key, update }) => ({ partition, key, bytes: documentValue(update!, author, author) })),
    ]
  } finally {
    base.destroy()
  }
}
