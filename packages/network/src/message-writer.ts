import type { Stream } from '@libp2p/interface'
import { GridError } from '@gossipgrid/core'
import { encodeFrame } from './frame.ts'

/**
 * The largest single write. One write of this size plus its yamux header fits one noise frame (65,519 bytes of
 * plaintext), and the cost per frame, not per byte, is what limits a libp2p stream.
 */
const WRITE_MAX_BYTES = 65_472
/** `send` waits while more than this is queued for one neighbour. */
const ROOM_BYTES = 1024 * 1024
/** Senders that do not wait for `send` lose the neighbour at this backlog, rather than the process its memory. */
const BACKLOG_MAX_BYTES = 64 * 1024 * 1024
/** What a queued message costs besides its bytes: its buffer, and the sender's promise. */
const MESSAGE_COST_BYTES = 512

/** A message that follows the last write by less waits for the end of the turn, so that small messages join. */
const JOINED_MS = 1

/** Runs `task` after the messages that are being queued now: at the end of this turn of the event loop. */
const afterThisTurn: (task: () => void) => void =
  typeof setImmediate === 'function' ? (task) => void setImmediate(task) : (task) => void setTimeout(task, 0)

/** The outgoing half of a neighbour: queues messages, joins small ones into large writes, and waits for room. */
export class MessageWriter {
  readonly #stream: Stream
  readonly #onBroken: (reason: string) => void
  readonly #schedule: (task: () => void) => void
  #wroteAtMs = -Infinity
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #flushing = false
  #broken: GridError | undefined
  #waiters: { resolve: () => void; reject: (error: GridError) => void }[] = []

  /** `schedule` runs the task that writes what is queued; by default soon, so that small messages join. */
  constructor(stream: Stream, onBroken: (reason: string) => void, schedule?: (task: () => void) => void) {
    this.#stream = stream
    this.#onBroken = onBroken
    this.#schedule = schedule ?? ((task) => this.#soon(task))
  }

  /** Bytes that the connection has not taken yet. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /**
   * Resolves when the message is queued and the queue has room again. Copies `bytes`. Rejects with
   * `NETWORK_NOT_CONNECTED` when the neighbour is lost meanwhile.
   */
  send(bytes: Uint8Array): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    const frame = encodeFrame(bytes)
    if (this.#queuedBytes + frame.length + this.#queue.length * MESSAGE_COST_BYTES > BACKLOG_MAX_BYTES) {
      this.#onBroken(`more than ${BACKLOG_MAX_BYTES} bytes were queued for it without waiting`)
      return Promise.reject(this.#broken ?? notConnected())
    }
    this.#queue.push(frame)
    this.#queuedBytes += frame.length
    if (!this.#flushing) {
      this.#flushing = true
      this.#schedule(() => void this.#flush())
    }
    if (this.#queuedBytes <= ROOM_BYTES) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /** Resolves when everything queued has been given to the connection, or at once when it is broken. */
  async idle(): Promise<void> {
    while (this.#queuedBytes > 0 && this.#broken === undefined) {
      await new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject })).catch(() => undefined)
    }
  }

  /** Drops what is queued and rejects all sends that wait. */
  break(): void {
    this.#broken ??= notConnected()
    this.#queue = []
    this.#queuedBytes = 0
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#broken)
  }

  /**
   * A turn of the event loop reads up to 2 MB from a socket, which takes long to handle. An acknowledgement that waited for its
   * end would keep the other side waiting as well.
   */
  #soon(task: () => void): void {
    if (performance.now() - this.#wroteAtMs < JOINED_MS) afterThisTurn(task)
    else queueMicrotask(task)
  }

  async #flush(): Promise<void> {
    this.#wroteAtMs = performance.now()
    try {
      while (this.#queue.length > 0 && this.#broken === undefined) {
        const write = this.#take()
        // A stream's onDrain() answers for the first drain only and then never blocks again, so the event is awaited.
        if (!this.#stream.send(write) && this.#stream.writableNeedsDrain) await drained(this.#stream)
        this.#queuedBytes -= write.length
        if (this.#queuedBytes <= ROOM_BYTES / 2) for (const waiter of this.#waiters.splice(0)) waiter.resolve()
      }
    } catch (error) {
      this.#onBroken(error instanceof Error ? error.message : String(error))
    } finally {
      this.#flushing = false
    }
  }

  /** The next write: as many whole frames as fit, or a piece of a frame that does not fit alone. */
  #take(): Uint8Array {
    const first = this.#queue[0] as Uint8Array
    if (first.length > WRITE_MAX_BYTES) {
      this.#queue[0] = first.subarray(WRITE_MAX_BYTES)
      return first.subarray(0, WRITE_MAX_BYTES)
    }
    let count = 0
    let length = 0
    for (const frame of this.#queue) {
      if (length + frame.length > WRITE_MAX_BYTES) break
      length += frame.length
      count += 1
    }
    const frames = this.#queue.splice(0, count)
    if (count === 1) return first
    const write = new Uint8Array(length)
    let offset = 0
    for (const frame of frames) {
      write.set(frame, offset)
      offset += frame.length
    }
    return write
  }
}

function notConnected(): GridError {
  return new GridError('NETWORK_NOT_CONNECTED', 'the connection to the neighbour was lost')
}

/** Resolves at the next drain of the stream, or when it closes. */
export function drained(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeEventListener('drain', done)
      stream.removeEventListener('idle', done)
      stream.removeEventListener('close', done)
      resolve()
    }
    stream.addEventListener('drain', done)
    stream.addEventListener('idle', done)
    stream.addEventListener('close', done)
  })
}
