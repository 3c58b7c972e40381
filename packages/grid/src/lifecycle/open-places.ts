import { GridError } from '@gossipgrid/core'
import { settlesWithin } from '../runtime/waiting.ts'
import type { Teardown } from './teardown.ts'

/** More than opening usually takes, and than closing may take. */
const WAIT_MAX_MS = 30_000
const FREE_MAX_MS = 1000

/** A grid that stores at a place, from the beginning of its opening to the end of its closing. */
interface Claim {
  readonly teardown: Teardown
  /** It is open, or could not be opened. */
  readonly opened: PromiseWithResolvers<void>
  readonly freed: PromiseWithResolvers<void>
}

/** By place. Shared by all copies of this module in a page or process, as hot reload makes them. */
const KEY: unique symbol = Symbol.for('gossipgrid places') as never
const shared = globalThis as { [KEY]?: Map<string, Claim> }
const claims: Map<string, Claim> = (shared[KEY] ??= new Map<string, Claim>())

/**
 * Claims the place where a grid stores its data, until `teardown` has closed it. If a grid there is about to close, this waits for
 * that. Call the returned function once opening is over. Rejects with `STORAGE_IN_USE` if this page or process has it
 * open, and with `ABORTED`.
 */
export async function claimPlace(
  place: string,
  teardown: Teardown,
  signal: AbortSignal | undefined,
): Promise<() => void> {
  for (let other = claims.get(place); other !== undefined; other = claims.get(place)) {
    await settlesWithin(other.opened.promise, WAIT_MAX_MS, { signal })
    // Its caller may close it at once, as where an effect runs twice.
    await new Promise((resolve) => setTimeout(resolve, 0))
    if (!other.teardown.isClosing || !(await settlesWithin(other.freed.promise, WAIT_MAX_MS, { signal })))
      throw inUse(place)
  }
  const claim = { teardown, opened: Promise.withResolvers<void>(), freed: Promise.withResolvers<void>() }
  claims.set(place, claim)
  const free = (): void => {
    claims.delete(place)
    claim.freed.resolve()
  }
  teardown.add({ what: 'the place of its data', limitMs: FREE_MAX_MS, close: free })
  return () => claim.opened.resolve()
}

function inUse(place: string): GridError {
  return new GridError(
    'STORAGE_IN_USE',
    `'${place}' is already open here: use that grid, or close it first; with hot reload, close it in import.meta.hot.dispose. A second peer takes another directory, or persist: false`,
  )
}
