import type { Stream } from '@libp2p/interface'

/** What a stream of yamux has, and its public type hides. */
interface WindowedStream {
  readonly state: number
  /** What the other side may have under way. */
  readonly recvWindow: number
  /** How much of that is left. */
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

/** The states of a stream of yamux that has opened on both sides, and needs to say nothing more than that there is room. */
const OPEN_STATES: readonly number[] = [3, 5]

/**
 * Makes a stream report that there is room only when half of the window is used. Yamux itself reports it after each message, in
 * a frame that costs both sides as much as a short message.
 */
export function reportHalves(stream: Stream): void {
  const windowed = stream as unknown as Partial<WindowedStream>
  if (!isWindowed(windowed)) return
  const send = windowed.sendWindowUpdate.bind(stream)
  windowed.sendWindowUpdate = () => {
    if (!OPEN_STATES.includes(windowed.state) || windowed.recvWindowCapacity <= windowed.recvWindow / 2) send()
  }
}

/**
 * Makes the window that opens a new stream fail that stream alone. Yamux reports it in a microtask, and an error in one ends the
 * process: the connection may have closed before.
 */
export function openSafely(stream: Stream): void {
  const windowed = stream as unknown as Partial<WindowedStream>
  if (!isWindowed(windowed)) return
  const send = windowed.sendWindowUpdate.bind(stream)
  windowed.sendWindowUpdate = () => {
    try {
      send()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

/** Only yamux has windows of its own; a WebRTC channel has none. */
function isWindowed(stream: Partial<WindowedStream>): stream is WindowedStream {
  return stream.sendWindowUpdate !== undefined && stream.recvWindow !== undefined && stream.state !== undefined
}
