import { BlockWriter, hlcFromWall } from '@gossipgrid/core'
import { ReplicaIds, encodeMessage } from '@gossipgrid/core/internals'

let sequence = 0

/** A frame of rows as a hostile member makes them up, all at this moment; a row without bytes is a delete. */
export function madeUpFrame(
  collection: string,
  kind: number,
  rows: Iterable<readonly [key: string, bytes: Uint8Array | undefined]>,
): Uint8Array {
  const ids = new ReplicaIds()
  const block = new BlockWriter(ids)
  const writer = ids.intern('0123456789abcdef')
  const hlc = hlcFromWall(Date.now())
  for (const [key, bytes] of rows) {
    sequence += 1
    const row = { key, hlc, writer, sequence, replaced: 0, bytes, start: 0, end: bytes?.length ?? 0 }
    block.row({ collection, kind, partition: 0 }, row)
  }
  return encodeMessage({ type: 'frame', block: block.take() })
}
