import type { Stream, StreamMessageEvent } from '@libp2p/interface'

/**
 * The first `sizeBytes` of a stream, which is then paused with the rest unread. Never settles for a stream that ends
 * before: the stream's own listeners report that.
 */
export function readStart(stream: Stream, sizeBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const start = new Uint8Array(sizeBytes)
    let filled = 0
    const take = (event: StreamMessageEvent): void => {
      const chunk = event.data.subarray()
      const taken = chunk.subarray(0, sizeBytes - filled)
      start.set(taken, filled)
      filled += taken.length
      if (filled < sizeBytes) return
      stream.removeEventListener('message', take)
      try {
        stream.pause()
        stream.unshift(chunk.subarray(taken.length))
        resolve(start)
      } catch (error) {
        reject(error as Error)
      }
    }
    stream.addEventListener('message', take)
  })
}
