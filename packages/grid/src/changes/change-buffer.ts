import type { UnreadChange } from './unread-change.ts'

/** Default for the changes that may wait for a reader. */
const WAITING_MAX = 65_536
/** Default for the bytes of keys and values that may wait for a reader. */
const WAITING_MAX_BYTES: number = 16 * 1024 * 1024
/** Changes that were read are cut off the list once there are more than this. */
const READ_MAX = 1024

/** Limits of a buffer, and its mark for changes that were left out. */
export interface ChangeBufferOptions<Change> {
  readonly bufferMax?: number | undefined
  readonly bufferMaxBytes?: number | undefined
  lagged(missed: number): Change
}

/**
 * The changes that wait for one reader, in order: at most `bufferMax` changes and `bufferMaxBytes`, or one larger change.
 * Changes that do not fit are counted, and a `lagged` mark takes their place.
 */
export class ChangeBuffer<Change> {
  readonly #bufferMax: number
  readonly #bufferMaxBytes: number
  readonly #options: ChangeBufferOptions<Change>
  /** Undefined stands for a change that was read or withdrawn. */
  #waiting: (UnreadChange<Change> | undefined)[] = []
  #first = 0
  /** The ticket of the first place in the list. */
  #firstTicket = 0
  #count = 0
  #bytes = 0
  #missed = 0

  constructor(options: ChangeBufferOptions<Change>) {
    this.#bufferMax = options.bufferMax ?? WAITING_MAX
    this.#bufferMaxBytes = options.bufferMaxBytes ?? WAITING_MAX_BYTES
    this.#options = options
  }

  /** Changes and marks that wait, and the bytes that they take. */
  get waiting(): { readonly changes: number; readonly bytes: number } {
    return { changes: this.#count, bytes: this.#bytes }
  }

  /** Nothing waits, and nothing was left out since the last mark. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.#missed === 0
  }

  /** Adds a change and returns a ticket, with which it can be withdrawn. Undefined if the change was left out. */
  offer(change: UnreadChange<Change>): number | undefined {
    if (!this.#fits(change)) {
      this.#missed += 1
      return undefined
    }
    if (this.#missed > 0) this.#append(this.#mark())
    this.#append(change.kept())
    return this.#firstTicket + this.#waiting.length - 1
  }

  /** Removes and returns the next change, or the mark that some were left out. Undefined when nothing waits. */
  take(): Change | undefined {
    while (this.#first < this.#waiting.length) {
      const next = this.#remove(this.#first)
      this.#first += 1
      this.#cutRead()
      if (next !== undefined) return next.read()
    }
    return this.#missed > 0 ? this.#mark().read() : undefined
  }

  /** Removes a change that has not been read. */
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

  /** Cuts off the changes that were read, when they are many. */
  #cutRead(): void {
    if (this.#first < this.#waiting.length && (this.#first < READ_MAX || this.#first * 2 < this.#waiting.length)) return
    this.#firstTicket += this.#first
    this.#waiting = this.#first === this.#waiting.length ? [] : this.#waiting.slice(this.#first)
    this.#first = 0
  }
}
