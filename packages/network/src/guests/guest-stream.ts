import type { Connection, Stream } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'
import { abort } from '../ending.ts'
import { MessageReceiver } from '../message-receiver.ts'
import { MessageWriter } from '../message-writer.ts'
import type { GuestChannel, GuestChannelEvents } from './guest-channel.ts'

/** How long a message may take from its first to its last byte. */
const HALF_OPEN_MAX_MS = 60_000
/** How often that is checked, and whether a sign is due. */
const WATCH_INTERVAL_MS = 5000
/** A member gives a sign so often. A guest gives one when something comes, not more often than twice as often. */
const SIGN_GAP_MS = 20_000
/** A side of which nothing has come for so long is gone: a network that is lost without a word leaves the connection behind. */
const SILENCE_MAX_MS = 50_000
/** A message without content. */
const SIGN = new Uint8Array(0)
/** How long the last messages may take to leave. */
const CLOSE_MAX_MS = 1000

export interface GuestStreamOptions {
  /** Whether this side gives signs, or answers them. */
  readonly side: 'guest' | 'member'
  /** Lifts the bounds on what a stranger may cost. */
  readonly trusted: () => void
}

/**
 * The channel between a guest and a member over a stream of libp2p, of which Noise has authenticated both ends. That the other side is
 * there shows in signs of a few bytes on this stream: a ping of libp2p opens a stream of its own, and with a thousand guests at a member
 * that was most of what it did. The member begins, since a tab that is hidden may have one timer a minute, and answers as bytes come: also
 * in the middle of a large message, behind which the member's sign waits.
 */
export class GuestStream implements GuestChannel {
  readonly peerId: PeerId
  readonly #connection: Connection
  readonly #stream: Stream
  readonly #writer: MessageWriter
  readonly #receiver: MessageReceiver
  readonly #options: GuestStreamOptions
  readonly #watch: ReturnType<typeof setInterval>
  #events: GuestChannelEvents | undefined
  #waiting: Uint8Array[] = []
  #endReason: string | undefined
  #heardAtMs = performance.now()
  #signedAtMs = performance.now()
  #isPaused = false

  constructor(connection: Connection, stream: Stream, messageSizeMaxBytes: number, options: GuestStreamOptions) {
    this.peerId = connection.remotePeer.toString()
    this.#connection = connection
    this.#stream = stream
    this.#options = options
    this.#writer = new MessageWriter(stream, (reason) => this.end(reason))
    this.#receiver = new MessageReceiver(
      messageSizeMaxBytes,
      (bytes) => this.#message(bytes),
      (reason) => this.end(reason),
    )
    this.#watch = setInterval(() => this.#look(performance.now()), WATCH_INTERVAL_MS)
    stream.addEventListener('close', (event) => this.end(event.error?.message ?? 'the connection was closed'))
    stream.addEventListener('remoteCloseWrite', () => this.end('the other side has closed the connection'))
    this.#receiver.read(stream)
    stream.addEventListener('message', () => this.#heard(performance.now()))
  }

  listen(events: GuestChannelEvents): void {
    this.#events = events
    for (const bytes of this.#waiting.splice(0)) events.message(bytes)
    if (this.#endReason !== undefined) events.ended(this.#endReason)
  }

  trust(): void {
    this.#options.trusted()
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.#writer.send(bytes)
  }

  pause(): void {
    if (this.#isPaused || this.#endReason !== undefined) return
    this.#isPaused = true
    // A stream that is closing says so itself.
    if (this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  resume(): void {
    if (!this.#isPaused || this.#endReason !== undefined) return
    this.#isPaused = false
    this.#heardAtMs = performance.now()
    this.#receiver.resumed(this.#heardAtMs)
    if (this.#stream.readStatus === 'paused') this.#stream.resume()
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

  #look(nowMs: number): void {
    const isRead = !this.#isPaused
    if (isRead && this.#receiver.stalled(nowMs, HALF_OPEN_MAX_MS)) this.end('it never ended a message')
    else if (isRead && nowMs - this.#heardAtMs > SILENCE_MAX_MS) this.end('nothing comes from it any more')
    else if (this.#options.side === 'member' && nowMs - this.#signedAtMs >= SIGN_GAP_MS) this.#sign(nowMs)
  }

  #sign(nowMs: number): void {
    this.#signedAtMs = nowMs
    void this.#writer.send(SIGN).catch(() => undefined)
  }

  #heard(nowMs: number): void {
    this.#heardAtMs = nowMs
    const isGuest = this.#options.side === 'guest'
    if (isGuest && this.#endReason === undefined && nowMs - this.#signedAtMs >= SIGN_GAP_MS / 2) this.#sign(nowMs)
  }

  #message(bytes: Uint8Array): void {
    // A sign is for this class alone.
    if (bytes.length === 0) return
    if (this.#events === undefined) this.#waiting.push(bytes)
    else this.#events.message(bytes)
  }
}
