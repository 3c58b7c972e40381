import * as Y from 'yjs'
import { textOfError } from '../../flow/application-calls.ts'
import type { DocumentTable } from './document-table.ts'
import { RowIntegration } from './row-integration.ts'

/** Thrown once all was applied: by an observer of the Y.Doc, or by Yjs itself. The `cause` is what was thrown. */
export class ThrownAfterwards extends Error {}

/** Applies what can be applied, in one transaction. Throws when Yjs or an observer does, or when Yjs holds anything back. */
export function applyAll(y: Y.Doc, integration: RowIntegration, origin: unknown): void {
  let isApplied = false
  const applied = (): void => {
    for (let update = integration.next(); update !== undefined; update = integration.next()) {
      Y.applyUpdate(y, update, origin)
    }
    isApplied = true
  }
  let afterwards: ThrownAfterwards | undefined
  forgetCleanups(y)
  try {
    Y.transact(y, applied, origin, false)
  } catch (cause) {
    forgetCleanups(y)
    if (!isApplied) throw cause
    afterwards = new ThrownAfterwards(textOfError(cause), { cause })
  }
  checkNothingIsHeldBack(y)
  if (afterwards !== undefined) throw afterwards
}

/** A listener of `update` that throws leaves these behind, and Yjs would clean up after no transaction, nor tell of one. */
function forgetCleanups(y: Y.Doc): void {
  if (y._transaction === null && y._transactionCleanups.length > 0) y._transactionCleanups = []
}

function checkNothingIsHeldBack({ store }: Y.Doc): void {
  if (store.pendingStructs === null && store.pendingDs === null) return
  store.pendingStructs = null
  store.pendingDs = null
  throw new Error('Yjs has kept structs or deletes back')
}

/** What the rows of a generation hold, with nothing that was deleted thrown away. */
export function readGeneration(table: DocumentTable, name: string, generation: number): Y.Doc {
  const y = new Y.Doc({ gc: false })
  fillFrom(table, name, generation, y, new Map())
  return y
}

/** Applies the rows of a generation to a Y.Doc, those left out that Yjs could not take. Throws when Yjs does. */
export function fillFrom(
  table: DocumentTable,
  name: string,
  generation: number,
  y: Y.Doc,
  poisoned: ReadonlyMap<string, number>,
): void {
  const integration = new RowIntegration((client) => Y.getState(y.store, client))
  for (const { key, hlc } of table.liveRowsOf(name, generation)) {
    if (poisoned.get(key) === hlc) continue
    const { parts, update } = table.read(key)!
    integration.offer(key, parts.client, update)
  }
  applyAll(y, integration, undefined)
}
