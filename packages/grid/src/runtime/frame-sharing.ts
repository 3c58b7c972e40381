import { nextTurn } from '../flow/next-turn.ts'

/** While a program writes without a pause, a frame leaves so long after the last one, and has the writes of that time. */
const SHARED_MS = 1
/** A frame of this size leaves at once: it has the writes of many turns. */
const SMALL_MAX_BYTES = 4096

/**
 * When frames of a peer with a disk leave. Sending one costs its sender and each receiver about as much as storing a write. So while
 * a program makes one write after the other, the writes of a millisecond share a frame. A write after a pause waits for nothing.
 */
export class FrameSharing {
  #storing = 0
  #sentAtMs = -Infinity

  storeBegins(): void {
    this.#storing += 1
  }

  storeEnds(): void {
    this.#storing -= 1
  }

  /** Resolves when a frame of this size may leave. What is written until then goes with the next one. */
  async ready(sizeBytes: number): Promise<void> {
    // A program that awaits its writes makes the next one now: the disk can work on that while this is sent.
    await new Promise<void>((resolve) => nextTurn(resolve))
    const goesOn = this.#storing > 0 && sizeBytes < SMALL_MAX_BYTES
    if (goesOn && performance.now() - this.#sentAtMs < SHARED_MS) {
      await new Promise<void>((resolve) => setTimeout(resolve, SHARED_MS))
    }
    this.#sentAtMs = performance.now()
  }
}
