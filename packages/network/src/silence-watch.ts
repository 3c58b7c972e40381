import type { Connection } from '@libp2p/interface'
import { receivedBytes } from './traffic.ts'

/** How often connections are checked. One that broke without notice is found after one to two times this. */
export const SILENCE_CHECK_MS = 10_000
/** A check that is so late says that this process had no time to read: then silence means nothing. */
export const LATE_MS = 2000
const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32

/** What was seen of a connection since the last check. */
interface Seen {
  /** Undefined where the transport does not count. */
  readonly bytes: number | undefined
  /** It was silent, and has been pinged. */
  readonly pinged: boolean
  answered: boolean
}

/**
 * Finds connections that broke without notice. Every byte that arrives shows that a connection lives, so only silent ones are
 * pinged. libp2p would ping all of them, each time on a new stream, and those of a grid are never silent for long.
 */
export class SilenceWatch {
  readonly #end: (connection: Connection, text: string) => void
  #seen = new Map<Connection, Seen>()
  #nextMs = -Infinity

  constructor(end: (connection: Connection, text: string) => void) {
    this.#end = end
  }

  /** To be called often. Checks the connections when it is time to. */
  check(connections: () => readonly Connection[], nowMs: number): void {
    if (nowMs < this.#nextMs) return
    const isLate = nowMs - this.#nextMs > LATE_MS
    this.#nextMs = nowMs + SILENCE_CHECK_MS
    const before = this.#seen
    this.#seen = new Map()
    for (const connection of connections()) {
      const bytes = receivedBytes(connection)
      const last = before.get(connection)
      const silent = last !== undefined && !last.answered && last.bytes === bytes
      if (silent && last.pinged && !isLate) {
        this.#end(connection, `it has not answered a ping within ${SILENCE_CHECK_MS / 1000} s`)
        continue
      }
      const pinged = bytes === undefined || silent
      const seen = { bytes, pinged, answered: false }
      this.#seen.set(connection, seen)
      if (pinged) void ping(connection).then((answered) => (seen.answered = answered))
    }
  }
}

/** Resolves with whether the other side has answered. A refusal is an answer too. */
async function ping(connection: Connection): Promise<boolean> {
  const signal = AbortSignal.timeout(SILENCE_CHECK_MS)
  try {
    const stream = await connection.newStream(PING_PROTOCOL, { signal, runOnLimitedConnection: true })
    const { promise, resolve } = Promise.withResolvers<boolean>()
    stream.addEventListener('message', () => resolve(true))
    stream.addEventListener('close', () => resolve(false))
    signal.addEventListener('abort', () => stream.abort(new Error('no answer to a ping')))
    stream.send(crypto.getRandomValues(new Uint8Array(PING_BYTES)))
    const answered = await promise
    await stream.close({ signal })
    return answered
  } catch (error) {
    return error instanceof Error && error.name === 'UnsupportedProtocolError'
  }
}
