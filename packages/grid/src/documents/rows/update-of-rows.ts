import { documentUpdate } from '@gossipgrid/core'
import * as Y from 'yjs'

/** What rows of a document have, as one Yjs update. Undefined if there are none. */
export function updateOfRows(values: readonly Uint8Array[]): Uint8Array | undefined {
  const updates = values.map((bytes) => {
    const { end, start } = documentUpdate(bytes, 0, bytes.length)
    return bytes.slice(start, end)
  })
  return updates.length === 0 ? undefined : Y.mergeUpdates(updates)
}
