import type { UnreadChange } from './unread-change.ts'

/** Changes that may wait for a reader unless it asks for another limit. */
const WAITING_MAX = 65_536
/** Bytes of keys and values that may wait for it. */
const WAITING_MAX_BYTES: number = 16 * 1024 * 1024
/** What was read is cut off the list once it is longer than this. */
const READ_MAX = 1024

/** How much may wait, and what marks that something was left out. */
export interface ChangeBufferOptions<Change> {
  readonly bufferMax?: number | undefined
  readonly bufferMaxBytes?: number | undefined
  lagged(missed: number): Change
}

/**
 * What waits for one reader, in order. It holds at most `bufferMax` changes of `bufferMaxBytes` together, or a single
 * larger one; what does not fit is counted, and a `lagged` mark stands in its place.
 */
export class ChangeBuffer<Change> {
  readonly #bufferMax: number
  readonly #bufferMaxBytes: number
  readonly #options: ChangeBufferOptions<Change>
  /** Undefined is a change that was read or withdrawn. */
  #waiting: (UnreadChange<Change> | undefined)[] = []
  #first = 0
  /** The ticket of what stands first in the list. */
  #firstTicket = 0
  #count = 0
  #bytes = 0
  #missed = 0

  constructor(options: ChangeBufferOptions<Change>) {
    this.#bufferMax = options.bufferMax ?? WAITING_MAX
    this.#bufferMaxBytes = options.bufferMaxBytes ?? WAITING_MAX_BYTES
    this.#options = options
  }

  /** Changes and marks that wait, and the bytes that they keep. */
  get waiting(): { readonly changes: number; readonly bytes: number } {
    return { changes: this.#count, bytes: this.#bytes }
  }

  /** Takes a change in and returns its ticket, by which it can be withdrawn; or counts it as missed. */
  offer(change: UnreadChange<Change>): number | undefined {
    if (!this.#fits(change)) {
      this.#missed += 1
      return undefined
    }
    if (this.#missed > 0) this.#append(this.#mark())
    this.#append(change.kept())
    return this.#firstTicket + this.#waiting.length - 1
  }

  /** The next change, or the mark that some were left out; undefined when nothing waits. */
  take(): Change | undefined {
    while (this.#first < this.#waiting.length) {
      const next = this.#remove(this.#first)
      this.#first += 1
      this.#giveWay()
      if (next !== undefined) return next.read()
    }
    return this.#missed > 0 ? this.#mark().read() : undefined
  }

  /** Takes out a change that has not been read. */
  withdraw(ticket: number): void {
    this.#remove(ticket - this.#firstTicket)
  }

  clear(): void {
    this.#firstTicket += this.#waiting.length
    this.#waiting = []
    this.#first = 0
    this.#count = 0
    this.#bytes = 0
    this.#missed = 0
  }

  #fits({ sizeBytes }: UnreadChange<Change>): boolean {
    return this.#count === 0 || (this.#count < this.#bufferMax && this.#bytes + sizeBytes <= this.#bufferMaxBytes)
  }

  #mark(): UnreadChange<Change> {
    const lagged = this.#options.lagged(this.#missed)
    this.#missed = 0
    const mark: UnreadChange<Change> = { key: '', sizeBytes: 0, kept: () => mark, read: () => lagged }
    return mark
  }

  #append(change: UnreadChange<Change>): void {
    this.#waiting.push(change)
    this.#count += 1
    this.#bytes += change.sizeBytes
  }

  #remove(position: number): UnreadChange<Change> | undefined {
    const change = this.#waiting[position]
    if (change === undefined) return undefined
    this.#waiting[position] = undefined
    this.#count -= 1
    this.#bytes -= change.sizeBytes
    return change
  }

  /** Cuts off what was read, now and then. */
  #giveWay(): void {
    if (this.#first < this.#waiting.length && (this.#first < READ_MAX || this.#first * 2 < this.#waiting.length)) return
    this.#firstTicket += this.#first
    this.#waiting = this.#first === this.#waiting.length ? [] : this.#waiting.slice(this.#first)
    this.#first = 0
  }
}
