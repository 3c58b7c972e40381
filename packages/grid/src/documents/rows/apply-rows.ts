import * as Y from 'yjs'
import { textOfError } from '../../flow/application-calls.ts'
import type { DocumentTable } from './document-table.ts'
import { RowIntegration } from './row-integration.ts'

/** An error of an observer of the Y.Doc, or of Yjs, after everything was applied. `cause` is the original error. */
export class ThrownAfterwards extends Error {}

/** Applies all rows that can be applied, in one transaction. Throws if Yjs or an observer does, or if Yjs keeps content pending. */
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
  checkNothingPending(y)
  if (afterwards !== undefined) throw afterwards
}

/** If a listener of `update` throws, these cleanups stay, and Yjs would clean up and report no transaction any more. */
function forgetCleanups(y: Y.Doc): void {
  if (y._transaction === null && y._transactionCleanups.length > 0) y._transactionCleanups = []
}

function checkNothingPending({ store }: Y.Doc): void {
  if (store.pendingStructs === null && store.pendingDs === null) return
  store.pendingStructs = null
  store.pendingDs = null
  throw new Error('Yjs has kept structs or deletes pending')
}

/** A Y.Doc with the rows of a generation, without garbage collection. */
export function readGeneration(table: DocumentTable, name: string, generation: number): Y.Doc {
  const y = new Y.Doc({ gc: false })
  fillFrom(table, name, generation, y, new Map())
  return y
}

/** Applies the rows of a generation to a Y.Doc, except for poisoned ones. Throws if Yjs does. */
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
