import type { Connection, Stream } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'
import { abort } from '../ending.ts'
import { MessageReceiver } from '../message-receiver.ts'
import { MessageWriter } from '../message-writer.ts'
import type { GuestChannel, GuestChannelEvents } from './guest-channel.ts'

/** How long a message may take from its first to its last byte. */
const HALF_OPEN_MAX_MS = 60_000
/** How often that is checked. */
const WATCH_INTERVAL_MS = 5000
/** How long the last messages may take to leave. */
const CLOSE_MAX_MS = 1000

/** The channel between a guest and a member over a stream of libp2p, of which Noise has authenticated both ends. */
export class GuestStream implements GuestChannel {
  readonly peerId: PeerId
  readonly #connection: Connection
  readonly #stream: Stream
  readonly #writer: MessageWriter
  readonly #receiver: MessageReceiver
  readonly #trusted: () => void
  readonly #watch: ReturnType<typeof setInterval>
  #events: GuestChannelEvents | undefined
  #waiting: Uint8Array[] = []
  #endReason: string | undefined

  /** `trusted` lifts the bounds on what a stranger may cost. */
  constructor(connection: Connection, stream: Stream, messageSizeMaxBytes: number, trusted: () => void) {
    this.peerId = connection.remotePeer.toString()
    this.#connection = connection
    this.#stream = stream
    this.#trusted = trusted
    this.#writer = new MessageWriter(stream, (reason) => this.end(reason))
    this.#receiver = new MessageReceiver(
      messageSizeMaxBytes,
      (bytes) => this.#message(bytes),
      (reason) => this.end(reason),
    )
    this.#watch = setInterval(() => {
      if (this.#receiver.stalled(performance.now(), HALF_OPEN_MAX_MS)) this.end('it never ended a message')
    }, WATCH_INTERVAL_MS)
    stream.addEventListener('close', (event) => this.end(event.error?.message ?? 'the connection was closed'))
    stream.addEventListener('remoteCloseWrite', () => this.end('the other side has closed the connection'))
    this.#receiver.read(stream)
  }

  listen(events: GuestChannelEvents): void {
    this.#events = events
    for (const bytes of this.#waiting.splice(0)) events.message(bytes)
    if (this.#endReason !== undefined) events.ended(this.#endReason)
  }

  trust(): void {
    this.#trusted()
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.#writer.send(bytes)
  }

  async close(): Promise<void> {
    const patience = new AbortController()
    const timer = setTimeout(() => patience.abort(), CLOSE_MAX_MS)
    patience.signal.addEventListener('abort', () => this.end('it did not close in time'))
    await this.#writer.idle()
    if (this.#endReason === undefined) {
      await this.#stream.close({ signal: patience.signal }).catch(() => undefined)
      await this.#connection.close({ signal: patience.signal }).catch(() => undefined)
    }
    clearTimeout(timer)
    this.end('it was closed')
  }

  end(reason: string): void {
    if (this.#endReason !== undefined) return
    this.#endReason = reason
    clearInterval(this.#watch)
    this.#writer.break()
    this.#receiver.end()
    abort(this.#connection, reason)
    this.#events?.ended(reason)
  }

  #message(bytes: Uint8Array): void {
    if (this.#events === undefined) this.#waiting.push(bytes)
    else this.#events.message(bytes)
  }
}
