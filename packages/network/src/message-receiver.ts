import type { Stream } from '@libp2p/interface'
import { FrameDecoder } from './frame.ts'

/** The incoming half of a stream: cuts what arrives into messages. */
export class MessageReceiver {
  readonly #decoder: FrameDecoder
  readonly #onMessage: (bytes: Uint8Array) => void
  readonly #onMalformed: (reason: string) => void
  #halfOpenSinceMs: number | undefined
  #ended = false

  constructor(sizeMaxBytes: number, onMessage: (bytes: Uint8Array) => void, onMalformed: (reason: string) => void) {
    this.#decoder = new FrameDecoder(sizeMaxBytes)
    this.#onMessage = onMessage
    this.#onMalformed = onMalformed
  }

  /** Begins to read. */
  read(stream: Stream): void {
    stream.addEventListener('message', (event) => this.#received(event.data.subarray()))
  }

  /** True when a message has been under way for longer than `limitMs`: one that never ends holds memory. */
  stalled(nowMs: number, limitMs: number): boolean {
    return this.#halfOpenSinceMs !== undefined && nowMs - this.#halfOpenSinceMs > limitMs
  }

  /** The stream was not read for a while: a message that is under way is no later for it. */
  resumed(nowMs: number): void {
    if (this.#halfOpenSinceMs !== undefined) this.#halfOpenSinceMs = nowMs
  }

  /** Nothing is passed on any more. */
  end(): void {
    this.#ended = true
  }

  #received(chunk: Uint8Array): void {
    try {
      for (const message of this.#decoder.decode(chunk)) {
        if (this.#ended) return
        this.#halfOpenSinceMs = undefined
        this.#onMessage(message)
      }
    } catch (error) {
      this.#onMalformed(error instanceof Error ? error.message : String(error))
      return
    }
    if (this.#decoder.halfOpen) this.#halfOpenSinceMs ??= performance.now()
    else this.#halfOpenSinceMs = undefined
  }
}
