import type { Stream } from '@libp2p/interface'
import { MessageWriter } from './message-writer.ts'

/** A frame is left out for a neighbour that has more than this queued; sessions bring it what it missed. */
const BACKLOG_MAX_BYTES = 256 * 1024

/** Sends frames to one neighbour on a stream that is opened with the first of them. */
export class DirectSender {
  readonly #open: () => Promise<Stream>
  readonly #onBroken: (reason: string) => void
  #writer: MessageWriter | undefined
  #stream: Stream | undefined
  #opening: Promise<void> | undefined
  /** Frames that wait for the stream to open. */
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #ended = false

  /** `onBroken` is called when the stream cannot be opened, or fails. */
  constructor(open: () => Promise<Stream>, onBroken: (reason: string) => void) {
    this.#open = open
    this.#onBroken = onBroken
  }

  /** Bytes that the connection has not taken yet. */
  get queuedBytes(): number {
    return this.#waitingBytes + (this.#writer?.queuedBytes ?? 0)
  }

  /** Copies `bytes`. False when the neighbour does not get this frame, because too much is queued for it already. */
  send(bytes: Uint8Array): boolean {
    if (this.#ended || this.queuedBytes + bytes.length > BACKLOG_MAX_BYTES) return false
    if (this.#writer !== undefined) {
      this.#writer.send(bytes).catch(() => undefined)
      return true
    }
    this.#waiting.push(bytes.slice())
    this.#waitingBytes += bytes.length
    this.#opening ??= this.#begin()
    return true
  }

  /** Resolves when the connection has taken everything, or the stream has ended. */
  async idle(): Promise<void> {
    await this.#opening
    await this.#writer?.idle()
  }

  /** Sends what is queued, then closes the stream. */
  async finish(): Promise<void> {
    await this.idle()
    if (!this.#ended) await this.#stream?.close()
  }

  /** Ends the stream at once; idempotent. */
  end(error: Error): void {
    this.#ended = true
    this.#waiting = []
    this.#waitingBytes = 0
    this.#writer?.break()
    this.#stream?.abort(error)
  }

  async #begin(): Promise<void> {
    try {
      const stream = await this.#open()
      if (this.#ended) {
        stream.abort(new Error('the neighbour has ended'))
        return
      }
      this.#stream = stream
      const writer = new MessageWriter(stream, this.#onBroken, (task) => task())
      stream.addEventListener('close', (event) => this.#onBroken(event.error?.message ?? 'the stream was closed'))
      // Nothing is expected on it, and an unread stream would hold back its own close.
      stream.addEventListener('message', () => this.#onBroken('it wrote on our stream'))
      this.#writer = writer
      for (const frame of this.#waiting.splice(0)) writer.send(frame).catch(() => undefined)
      this.#waitingBytes = 0
    } catch (error) {
      this.#onBroken(error instanceof Error ? error.message : String(error))
    }
  }
}
