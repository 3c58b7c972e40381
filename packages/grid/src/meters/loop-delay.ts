import { Histogram } from './histogram.ts'

const INTERVAL_MS = 100

/**
 * Measures how late timers fire: for so long everything else waited as well. A timer of its own, since not every
 * runtime tells of its event loop. It runs from the first time that somebody asks, and keeps no program alive.
 */
export class LoopDelay {
  readonly histogram: Histogram = new Histogram(0.001, 14)
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Starts measuring, unless it has begun. */
  start(): void {
    if (this.#timer === undefined) this.#arm()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(): void {
    const dueMs = performance.now() + INTERVAL_MS
    const timer = setTimeout(() => {
      this.histogram.observe(Math.max(0, performance.now() - dueMs) / 1000)
      this.#arm()
    }, INTERVAL_MS)
    this.#timer = timer
    // In browsers a timer is a number.
    if (typeof timer === 'object') timer.unref()
  }
}
