import { nextTurn } from '../flow/next-turn.ts'

/**
 * While a program writes without a pause, a frame leaves so long after the last one for each neighbour that gets it, and has the
 * writes of that time.
 */
const SHARED_EACH_MS = 3
/** It leaves after so long at the latest, however many neighbours there are. */
const SHARED_MAX_MS = 20
/** A frame of this size leaves at once: it has the writes of many turns. */
const SMALL_MAX_BYTES = 4096

/**
 * When frames of a peer with a disk leave. Sending one costs its sender and each receiver about as much as storing a write. So while
 * a program makes one write after the other, the writes of three milliseconds share a frame, and those of more where there are more neighbours. A write after a pause
 * waits for nothing.
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

  /** Resolves when a frame of this size may leave to so many neighbours. What is written until then goes with the next one. */
  async ready(sizeBytes: number, neighbours: number): Promise<void> {
    // A program that awaits its writes makes the next one now: the disk can work on that while this is sent.
    await new Promise<void>((resolve) => nextTurn(resolve))
    const goesOn = this.#storing > 0 && sizeBytes < SMALL_MAX_BYTES
    const sharedMs = Math.min(SHARED_MAX_MS, SHARED_EACH_MS * neighbours)
    if (goesOn && performance.now() - this.#sentAtMs < sharedMs) {
      await new Promise<void>((resolve) => setTimeout(resolve, sharedMs))
    }
    this.#sentAtMs = performance.now()
  }
}
