import { entryKeyOf, splitKey } from '@gossipgrid/core'
import { mainParts } from '../../keyed/key-elements.ts'
import type { RefusedWrite } from '../../lifecycle/event-reporter.ts'
import { decodeElement } from '../../sets/set-element.ts'
import { calledSo } from '../covering.ts'
import { KIND_CODES, MAP_KINDS } from '../map-kinds.ts'
import type { GuestWrite } from '../messages.ts'

/** A refused write in the words of the application. */
export function refusedWrite({ kind, map, rowKey }: Pick<GuestWrite, 'kind' | 'map' | 'rowKey'>): RefusedWrite {
  const { name: collection, what } = calledSo(map)
  const isSingle = KIND_CODES[what].indexOf(kind) === 0
  const main = entryKeyOf(kind, rowKey)
  if (what === 'doc') return { collection, key: main, field: undefined, doc: main }
  if (what === 'map') {
    const field = kind === MAP_KINDS[0] ? undefined : splitKey(rowKey).sub
    return { collection, key: main, field }
  }
  if (what === 'counter') return { collection, key: isSingle ? '' : main, field: undefined }
  const [key, text] = isSingle ? ['', main] : mainParts(main)
  return { collection, key, field: undefined, element: decodeElement(text) }
}
