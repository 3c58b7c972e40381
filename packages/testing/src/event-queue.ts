interface QueuedEvent {
  readonly timeMs: number
  /** Events of one millisecond run in the order in which they were queued. */
  readonly order: number
  readonly run: () => void
}

/**
 * Virtual time. Everything that happens in a simulation waits here for its millisecond; only this queue advances the
 * time.
 */
export class EventQueue {
  readonly #heap: QueuedEvent[] = []
  #order = 0
  #nowMs = 0
  #ran = 0

  get nowMs(): number {
    return this.#nowMs
  }

  /** Events run so far. */
  get ran(): number {
    return this.#ran
  }

  get length(): number {
    return this.#heap.length
  }

  /** Runs `event` after so many milliseconds, rounded down to a whole one. */
  after(delayMs: number, run: () => void): void {
    this.at(this.#nowMs + delayMs, run)
  }

  /** Runs `event` at a moment, or next if that moment is past. */
  at(timeMs: number, run: () => void): void {
    this.#push({ timeMs: Math.max(this.#nowMs, Math.floor(timeMs)), order: this.#order++, run })
  }

  /** Runs the next event. Returns false when none is left up to `untilMs`; the time is `untilMs` then. */
  step(untilMs: number): boolean {
    const next = this.#heap[0]
    if (next === undefined || next.timeMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs)
      return false
    }
    this.#pop()
    // Events of the skipped time run late.
    this.#nowMs = Math.max(this.#nowMs, next.timeMs)
    this.#ran += 1
    next.run()
    return true
  }

  /** Advances the time without running anything. */
  skip(untilMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  #push(event: QueuedEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (before(heap[parent]!, event)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    const length = heap.length
    if (length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && before(heap[child + 1]!, heap[child]!)) child += 1
      if (before(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function before(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order)
}
