import { GridError } from '@gossipgrid/core'
import { aborted } from './waiting.ts'

/** Items a consumer may be behind before it is told so. */
const BUFFER_MAX = 65_536
/** Bytes of keys and values that may wait for it. */
const BUFFER_MAX_BYTES: number = 16 * 1024 * 1024

/** One change of an entry, or the mark that some were left out. */
export interface Change<Value> {
  /** `lagged`: the reader was too slow and `missed` changes were left out; read the current state to go on. */
  readonly type: 'set' | 'delete' | 'lagged'
  /** '' when lagged. */
  readonly key: string
  /** The new value; undefined for a delete and when lagged. */
  readonly value: Value | undefined
  /** The value before, if this peer held one. */
  readonly previous: Value | undefined
  /** How many changes were left out; 0 unless lagged. */
  readonly missed: number
}

/**
 * A bounded queue between a producer that does not wait and one `for await` loop. A consumer that stops reading costs
 * at most `bufferMax` items of `bufferMaxBytes` together, or a single larger one; what does not fit is counted, and told
 * as `lagged` in its place.
 */
export class ChangeQueue<Item extends object> implements AsyncIterableIterator<Item> {
  readonly #bufferMax: number
  readonly #bufferMaxBytes: number
  readonly #sizeOf: (item: Item) => number
  readonly #lagged: (missed: number) => Item
  readonly #onEnd: () => void
  #items: (Item | undefined)[] = []
  #first = 0
  #bytes = 0
  #missed = 0
  #waiting: { resolve: (result: IteratorResult<Item>) => void; reject: (error: GridError) => void } | undefined
  #ended: GridError | true | undefined
  readonly #signal: AbortSignal | undefined
  readonly #abort = (): void => this.end(aborted(this.#signal!))

  /**
   * `lagged` makes the mark; `onEnd` is called once, when the loop ends for whatever reason. `sizeOf` says how many bytes
   * an item keeps, where they can be many.
   */
  constructor(options: {
    readonly bufferMax?: number | undefined
    readonly bufferMaxBytes?: number | undefined
    readonly sizeOf?: (item: Item) => number
    readonly signal?: AbortSignal | undefined
    readonly lagged: (missed: number) => Item
    readonly onEnd: () => void
  }) {
    this.#lagged = options.lagged
    this.#bufferMax = options.bufferMax ?? BUFFER_MAX
    this.#bufferMaxBytes = options.bufferMaxBytes ?? BUFFER_MAX_BYTES
    this.#sizeOf = options.sizeOf ?? (() => 0)
    this.#onEnd = options.onEnd
    this.#signal = options.signal
    if (this.#signal?.aborted === true) this.#ended = aborted(this.#signal)
    else this.#signal?.addEventListener('abort', this.#abort, { once: true })
  }

  push(item: Item): void {
    if (this.#ended !== undefined) return
    if (this.#waiting === undefined && !this.#fits(item)) {
      this.#missed += 1
      return
    }
    this.#flushMissed()
    this.#offer(item)
  }

  /** Items that wait to be read, and the bytes they keep. */
  get buffered(): { readonly items: number; readonly bytes: number } {
    return { items: this.#items.length - this.#first, bytes: this.#bytes }
  }

  /** Ends the loop: quietly, or by throwing `error` into it after what is buffered. */
  end(error?: GridError): void {
    if (this.#ended !== undefined) return
    this.#flushMissed()
    this.#ended = error ?? true
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#onEnd()
    const waiting = this.#waiting
    this.#waiting = undefined
    if (error === undefined) waiting?.resolve({ done: true, value: undefined })
    else waiting?.reject(error)
  }

  next(): Promise<IteratorResult<Item>> {
    if (this.#first < this.#items.length) {
      const value = this.#items[this.#first]!
      // What was read is not kept until the array gives way.
      this.#items[this.#first++] = undefined
      this.#bytes -= this.#sizeOf(value)
      if (this.#first === this.#items.length) this.#items = []
      else if (this.#first < 1024 || this.#first * 2 < this.#items.length)
        return Promise.resolve({ done: false, value })
      else this.#items = this.#items.slice(this.#first)
      this.#first = 0
      return Promise.resolve({ done: false, value })
    }
    if (this.#missed > 0) {
      this.#flushMissed()
      return this.next()
    }
    if (this.#ended === true) return Promise.resolve({ done: true, value: undefined })
    if (this.#ended !== undefined) {
      const error = this.#ended
      this.#ended = true
      return Promise.reject(error)
    }
    if (this.#waiting !== undefined) {
      return Promise.reject(new GridError('INVALID_OPTION', 'one loop at a time reads these changes'))
    }
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
  }

  return(): Promise<IteratorResult<Item>> {
    this.end()
    this.#items = []
    this.#first = 0
    this.#bytes = 0
    this.#missed = 0
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #fits(item: Item): boolean {
    const { items, bytes } = this.buffered
    return items === 0 || (items < this.#bufferMax && bytes + this.#sizeOf(item) <= this.#bufferMaxBytes)
  }

  #flushMissed(): void {
    if (this.#missed === 0) return
    const lagged = this.#lagged(this.#missed)
    this.#missed = 0
    this.#offer(lagged)
  }

  #offer(item: Item): void {
    if (this.#waiting === undefined) {
      this.#items.push(item)
      this.#bytes += this.#sizeOf(item)
      return
    }
    const { resolve } = this.#waiting
    this.#waiting = undefined
    resolve({ done: false, value: item })
  }
}
