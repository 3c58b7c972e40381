import { FRAME_GAP_MS } from '@gossipgrid/core'
import { LonePeer, clocks } from './lone-peer.ts'
import { encodedValueOf, keyOf } from './sample.ts'

/** `batch` writes to keys `first` to `end` in one broadcast each, as a peer sends them. */
export function makeFrames(first: number, end: number, batch: number): Uint8Array[] {
  const author = new LonePeer('author')
  const frames: Uint8Array[] = []
  author.onBroadcast = (bytes) => {
    if (isFrame(bytes)) frames.push(bytes)
  }
  const now = { ...clocks() }
  author.step({ type: 'connected', neighbour: 'reader' }, now)
  for (let index = first; index < end;) {
    now.monotonicMs += 2 * FRAME_GAP_MS
    for (const stop = Math.min(index + batch, end); index < stop; index++) {
      author.peer.write(author.partition, keyOf(index), encodedValueOf(index), now)
    }
    author.step({ type: 'tick' }, now)
  }
  if (frames.length !== Math.ceil((end - first) / batch)) throw new Error(`${frames.length} frames were made`)
  return frames
}

const FRAME_HEADER = new TextEncoder().encode('eframe')

/** Announces are broadcast too. The type is in the first bytes of every message. */
function isFrame(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, 32)
  return head.some((_, at) => FRAME_HEADER.every((byte, i) => head[at + i] === byte))
}
