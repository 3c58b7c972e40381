import process from 'node:process'

/** The expected time between two beats, which is no stall. */
const BEAT_MS = 1

/**
 * Measures how long an event loop stands still: a timer should fire every millisecond, and this records how late it
 * was. Other programs on busy cores make it late too. So it also records the processor time of this thread between two
 * beats, which only this program causes. Many kernels count that in ticks of 4 ms, which can be put into the wrong
 * beat: no more is taken than passed on the wall clock.
 */
export class StallClock {
  #maxMs = 0
  #maxCpuMs = 0
  #beatAtMs = performance.now()
  #cpuAtMs = threadCpuMs()
  readonly #timer = setInterval(() => this.#beat(), BEAT_MS)

  constructor() {
    this.#timer.unref()
  }

  /** The longest stall since `reset`, by the wall clock. */
  get maxMs(): number {
    return this.#maxMs
  }

  /** The most processor time of this thread between two beats. */
  get maxCpuMs(): number {
    return this.#maxCpuMs
  }

  reset(): void {
    this.#maxMs = 0
    this.#maxCpuMs = 0
    this.#beatAtMs = performance.now()
    this.#cpuAtMs = threadCpuMs()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #beat(): void {
    const nowMs = performance.now()
    const cpuMs = threadCpuMs()
    this.#maxMs = Math.max(this.#maxMs, nowMs - this.#beatAtMs - BEAT_MS)
    this.#maxCpuMs = Math.max(this.#maxCpuMs, Math.min(cpuMs - this.#cpuAtMs, nowMs - this.#beatAtMs))
    this.#beatAtMs = nowMs
    this.#cpuAtMs = cpuMs
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
