import { Histogram } from './histogram.ts'

const INTERVAL_MS = 100

/**
 * Measures the delay of the event loop by how late a timer fires. Not every JavaScript runtime reports that delay, so this
 * uses a timer of its own. The timer starts with the first reader and does not keep the program running.
 */
export class LoopDelay {
  readonly histogram: Histogram = new Histogram(0.001, 14)
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Starts measuring, unless it already does. */
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
