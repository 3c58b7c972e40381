import { GUEST_SIGNALS_MAX } from '../guest-limits.ts'

/** Bytes of messages that are sent together. One more fits. */
const SENT_MAX_BYTES: number = 256 * 1024

/** Takes as many messages out of a queue as are sent together. */
export function takeTogether<Queued>(queue: Queued[], sizeOf: (queued: Queued) => number): Queued[] {
  let bytes = 0
  const rest = queue.findIndex((queued, i) => {
    bytes += sizeOf(queued)
    return i > 0 && (bytes > SENT_MAX_BYTES || i >= GUEST_SIGNALS_MAX)
  })
  return queue.splice(0, rest < 0 ? queue.length : rest)
}
