import { HLC_MAX } from '../../../../packages/core/src/clock/hlc.ts'
import { decodeMapRequest } from '../../../../packages/grid/src/guests/partitioned/map-request.ts'
import { ServedMap } from '../../../../packages/grid/src/guests/partitioned/served-map.ts'
import { ServedMaps } from '../../../../packages/grid/src/guests/partitioned/served-maps.ts'
import type { PassContent } from '../../../../packages/grid/src/guests/pass-text.ts'
import { replaceMethod } from '../../../../packages/testing/src/replacements.ts'
import { ORDERS } from './orders.ts'

/** Grants are not looked at in queries of a partitioned map. */
const unfilteredQuery = (): (() => void) => unfiltered('query')

/** Nor in counts. */
const unfilteredCount = (): (() => void) => unfiltered('groups')

/** Nor in walks through entries. */
const unfilteredWalk = (): (() => void) => unfiltered('walk')

function unfiltered(method: 'query' | 'groups' | 'walk'): () => void {
  return replaceMethod(ServedMap.prototype, method, (original) => {
    return function all(this: ServedMap, ...[asked, , timeoutMs]: Parameters<typeof original>) {
      return original.call(this, asked as never, [''], timeoutMs)
    } as typeof original
  })
}

/** Nor where keys are read. */
const unfilteredGet = (): (() => void) =>
  replaceMethod(ServedMaps.prototype, 'serve', (original) => {
    return async function serve(this: ServedMaps, ...[bytes, pass]: Parameters<typeof original>) {
      if (decodeMapRequest(bytes).op !== 'read') return original.call(this, bytes, pass)
      const served = await original.call(this, bytes, () => ({ ...pass(), grants: [{ map: ORDERS, may: 'read' }] }))
      return { ...served, isCovered: () => true }
    }
  })

/** The pass is looked at when a guest asks for the first time on a connection. */
const checkedFirst = (): (() => void) => {
  const first = new WeakMap<() => PassContent, PassContent>()
  return replaceMethod(ServedMaps.prototype, 'serve', (original) => {
    return function serve(this: ServedMaps, ...[bytes, pass]: Parameters<typeof original>) {
      const known = first.get(pass) ?? pass()
      first.set(pass, known)
      return original.call(this, bytes, () => known)
    }
  })
}

/** Each member dates what a guest writes to a partitioned map by its own clock: taken at two of them, a write has two dates. */
const orderTakenTwice = (): (() => void) =>
  replaceMethod(ServedMap.prototype, 'write', (original) => {
    return function write(this: ServedMap, ...[asked, judge, timeoutMs]: Parameters<typeof original>) {
      return original.call(this, { ...asked, dateHlc: HLC_MAX }, judge, timeoutMs)
    }
  })

/** A member writes what the application does not allow. */
const refusedOrderTaken = (): (() => void) =>
  replaceMethod(ServedMap.prototype, 'write', (original) => {
    return function write(this: ServedMap, ...[asked, judge, timeoutMs]: Parameters<typeof original>) {
      const lenient = { ...judge, judge: async () => undefined }
      return original.call(this, asked, lenient, timeoutMs)
    }
  })

export type OrderMutantName =
  | 'unfiltered-query'
  | 'unfiltered-count'
  | 'unfiltered-walk'
  | 'unfiltered-get'
  | 'checked-first'
  | 'order-taken-twice'
  | 'refused-order-taken'

/** Planted bugs in partitioned maps of guests. */
export const ORDER_MUTANTS: Readonly<Record<OrderMutantName, () => () => void>> = {
  'unfiltered-query': unfilteredQuery,
  'unfiltered-count': unfilteredCount,
  'unfiltered-walk': unfilteredWalk,
  'unfiltered-get': unfilteredGet,
  'checked-first': checkedFirst,
  'order-taken-twice': orderTakenTwice,
  'refused-order-taken': refusedOrderTaken,
}
