import { EXPIRIES_PER_STEP_MAX } from '../limits.ts'

/** Has entries that expire: a replica. */
export interface ExpiringEntries {
  /** Called at the time given for a slot. Drops its value, unless the entry expires later by now. */
  expire(slot: number, wallMs: number): void
}

interface Due {
  readonly atMs: number
  readonly replica: ExpiringEntries
  readonly slot: number
}

/** A queue of entries that expire, the soonest first. An entry is in it once, with the soonest time that it ever had. */
export class Expiries {
  readonly #heap: Due[] = []
  readonly #waiting = new Map<ExpiringEntries, Map<number, number>>()

  /** Wall milliseconds at which the next one is due. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Infinity
  }

  add(replica: ExpiringEntries, slot: number, atMs: number): void {
    let waiting = this.#waiting.get(replica)
    if (waiting === undefined) this.#waiting.set(replica, (waiting = new Map()))
    // An entry that now expires later is queued again when this time comes.
    if ((waiting.get(slot) ?? Infinity) <= atMs || atMs === Infinity) return
    waiting.set(slot, atMs)
    const heap = this.#heap
    let at = heap.length
    const due = { atMs, replica, slot }
    heap.push(due)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.atMs <= atMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = due
  }

  /** Drops the values of entries that have expired, at most 1,000 at once. */
  sweep(wallMs: number): void {
    for (let count = 0; count < EXPIRIES_PER_STEP_MAX && this.nextMs <= wallMs; count++) {
      const { replica, slot, atMs } = this.#pop()
      const waiting = this.#waiting.get(replica)!
      if (waiting.get(slot) !== atMs) continue
      waiting.delete(slot)
      replica.expire(slot, wallMs)
    }
  }

  /** Forgets all entries of a replica that is removed. */
  remove(replica: ExpiringEntries): void {
    if (!this.#waiting.delete(replica)) return
    // A sorted array is a heap too.
    const left = this.#heap.filter((due) => due.replica !== replica).toSorted((a, b) => a.atMs - b.atMs)
    this.#heap.splice(0, this.#heap.length, ...left)
  }

  #pop(): Due {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child += 1
      if (heap[child]!.atMs >= last.atMs) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}
