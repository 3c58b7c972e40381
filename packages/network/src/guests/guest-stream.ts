import type { Connection, Stream } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'
import { abort } from '../ending.ts'
import { MessageReceiver } from '../message-receiver.ts'
import { MessageWriter } from '../message-writer.ts'

/** How long a message may take from its first to its last byte. */
const HALF_OPEN_MAX_MS = 60_000
/** How often that is checked. */
const WATCH_INTERVAL_MS = 5000
/** How long the last messages may take to leave. */
const CLOSE_MAX_MS = 1000

/** What the owner of one end of a connection between a guest and a member is called with. */
export interface GuestStreamEvents {
  /** A message of the other side, whole and in order. */
  message(bytes: Uint8Array): void
  /** The connection has ended. Called once. */
  ended(reason: string): void
}

/** A connection between a guest and a member: messages in both directions, whole and in order. Noise has authenticated both peer ids. */
export class GuestStream {
  /** The peer id of the other side. */
  readonly peerId: PeerId
  readonly #connection: Connection
  readonly #stream: Stream
  readonly #writer: MessageWriter
  readonly #receiver: MessageReceiver
  readonly #trusted: () => void
  readonly #watch: ReturnType<typeof setInterval>
  #events: GuestStreamEvents | undefined
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

  /** Begins to call back, first with what has come before. */
  listen(events: GuestStreamEvents): void {
    this.#events = events
    for (const bytes of this.#waiting.splice(0)) events.message(bytes)
    if (this.#endReason !== undefined) events.ended(this.#endReason)
  }

  /** The other side has shown what it is. */
  trust(): void {
    this.#trusted()
  }

  /** Resolves when the message is queued and the queue has room again. Rejects when the connection has ended. */
  send(bytes: Uint8Array): Promise<void> {
    return this.#writer.send(bytes)
  }

  /** Sends what is queued, and closes. */
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

  /** Ends the connection at once. */
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
