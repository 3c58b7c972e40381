import * as Y from 'yjs'
import type { DocumentTable } from './document-table.ts'
import { RowIntegration } from './row-integration.ts'

/** Applies what can be applied, in one transaction. Throws when Yjs does, or holds anything back. */
export function applyAll(y: Y.Doc, integration: RowIntegration, origin: unknown): void {
  Y.transact(
    y,
    () => {
      for (let update = integration.next(); update !== undefined; update = integration.next()) {
        Y.applyUpdate(y, update, origin)
      }
    },
    origin,
    false,
  )
  const { store } = y
  if (store.pendingStructs === null && store.pendingDs === null) return
  store.pendingStructs = null
  store.pendingDs = null
  throw new Error('Yjs has kept structs or deletes back')
}

/** What the rows of a generation hold, with nothing that was deleted thrown away. */
export function readGeneration(table: DocumentTable, name: string, generation: number): Y.Doc {
  const y = new Y.Doc({ gc: false })
  const integration = new RowIntegration((client) => Y.getState(y.store, client))
  for (const { key } of table.liveRowsOf(name, generation)) {
    const { parts, update } = table.read(key)!
    integration.offer(key, parts.client, update)
  }
  applyAll(y, integration, undefined)
  return y
}
