import type { Connection, Stream } from '@libp2p/interface'
import { GridError } from '@gossipgrid/core'
import type { PeerId } from '@gossipgrid/core'
import { FrameDecoder } from './frame.ts'
import { MessageWriter } from './message-writer.ts'

/**
 * Why a neighbour ended: `lost` without a word, `closed` in good order by either side, `replaced` by itself on another
 * connection, `foreign` since it speaks another protocol, or `hostile` since it broke ours.
 */
export interface EndReason {
  readonly kind: 'lost' | 'closed' | 'replaced' | 'foreign' | 'hostile'
  readonly text: string
  /** The connection that the neighbour goes on with, if it was replaced. */
  readonly successor?: Connection
}

export interface NeighbourOptions {
  readonly peerId: PeerId
  /** The name of the stream protocol, which tells grids apart. */
  readonly protocol: string
  readonly messageSizeMaxBytes: number
  /** How long opening both streams may take. */
  readonly openTimeoutMs: number
  readonly onReady: () => void
  readonly onMessage: (bytes: Uint8Array) => void
  readonly onEnd: (reason: EndReason) => void
}

/**
 * One neighbour, from the first sign of it to its end. Each side opens one outgoing stream and only writes on it, so
 * that two sides which open at once need no agreement, whatever connections they open them on. The neighbour is ready
 * when both streams are there, which also proves that it speaks the protocol of our grid; it ends with either stream,
 * because messages may have been lost then.
 */
export class Neighbour {
  readonly peerId: PeerId
  /** Settles when the neighbour is ready, or has ended before. Never an unhandled rejection. */
  readonly ready: Promise<void>
  readonly #options: NeighbourOptions
  readonly #decoder: FrameDecoder
  readonly #openTimer: ReturnType<typeof setTimeout>
  #settleReady: { resolve: () => void; reject: (error: GridError) => void }
  #writer: MessageWriter | undefined
  #outgoing: Stream | undefined
  #incoming: Stream | undefined
  #readySinceMs: number | undefined
  #halfOpenSinceMs: number | undefined
  #ended = false
  readonly #over = Promise.withResolvers<void>()

  constructor(options: NeighbourOptions) {
    this.peerId = options.peerId
    this.#options = options
    this.#decoder = new FrameDecoder(options.messageSizeMaxBytes)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    this.ready.catch(() => undefined)
    this.#settleReady = { resolve, reject }
    this.#openTimer = setTimeout(
      () => this.end({ kind: 'lost', text: `no streams within ${options.openTimeoutMs} ms` }),
      options.openTimeoutMs,
    )
  }

  /** When both streams were there, on the monotonic clock in milliseconds; undefined before. */
  get readySinceMs(): number | undefined {
    return this.#readySinceMs
  }

  get ended(): boolean {
    return this.#ended
  }

  /** True once the neighbour's own stream has come: another one means that it has started afresh. */
  get hasIncoming(): boolean {
    return this.#incoming !== undefined
  }

  /** Opens our stream. Ends as `foreign` when the other side does not speak the protocol. */
  async open(connection: Connection): Promise<void> {
    const signal = AbortSignal.timeout(this.#options.openTimeoutMs)
    try {
      const stream = await connection.newStream(this.#options.protocol, { signal })
      if (this.#ended) {
        stream.abort(new Error('the neighbour has ended'))
        return
      }
      this.#outgoing = stream
      this.#writer = new MessageWriter(stream, (text) => this.end({ kind: 'lost', text }))
      this.#endsWith(stream)
      // Nothing is expected on it, and an unread stream would hold back its own close.
      stream.addEventListener('message', () => this.end({ kind: 'hostile', text: 'it wrote on our stream' }))
      this.#readyIfComplete()
    } catch (error) {
      const name = error instanceof Error ? error.name : ''
      const text = error instanceof Error ? error.message : String(error)
      this.end({ kind: name === 'UnsupportedProtocolError' ? 'foreign' : 'lost', text })
    }
  }

  /** Takes the neighbour's stream. Its messages wait until the neighbour is ready. */
  accept(stream: Stream): void {
    this.#incoming = stream
    stream.pause()
    this.#endsWith(stream)
    this.#readyIfComplete()
  }

  /** See `Streams.send` of core's ports. */
  send(bytes: Uint8Array): Promise<void> {
    if (this.#writer === undefined || this.#readySinceMs === undefined || this.#ended) {
      return Promise.reject(new GridError('NETWORK_NOT_CONNECTED', `not connected to ${this.peerId}`))
    }
    return this.#writer.send(bytes)
  }

  /**
   * Says goodbye: sends what is queued, closes our stream, and resolves when the neighbour has read all of it and has
   * closed its own. Closing the connection earlier would make the neighbour's kernel throw away what it has not read.
   */
  async finish(): Promise<void> {
    await this.#writer?.idle()
    if (this.#ended || this.#outgoing === undefined) return
    await this.#outgoing.close()
    await this.#over.promise
  }

  /** A message that begins and never ends holds memory: true when one has been under way for longer than `limitMs`. */
  stalled(nowMs: number, limitMs: number): boolean {
    return this.#halfOpenSinceMs !== undefined && nowMs - this.#halfOpenSinceMs > limitMs
  }

  /** Ends both streams; idempotent. */
  end(reason: EndReason): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#openTimer)
    this.#writer?.break()
    if (reason.kind !== 'closed') {
      const error = new Error(reason.text)
      this.#outgoing?.abort(error)
      this.#incoming?.abort(error)
    }
    this.#settleReady.reject(
      new GridError(
        'NETWORK_DIAL_FAILED',
        reason.kind === 'foreign'
          ? `${this.peerId} answers but is no peer of this grid: another name or secret, or another version`
          : `${this.peerId} was lost: ${reason.text}`,
      ),
    )
    this.#over.resolve()
    this.#options.onEnd(reason)
  }

  #endsWith(stream: Stream): void {
    stream.addEventListener('close', (event) =>
      this.end({ kind: 'lost', text: event.error?.message ?? 'the stream was closed' }),
    )
    stream.addEventListener('remoteCloseWrite', () => {
      if (stream === this.#incoming) this.end({ kind: 'closed', text: 'it closed its stream' })
    })
  }

  #readyIfComplete(): void {
    const incoming = this.#incoming
    if (this.#ended || incoming === undefined || this.#outgoing === undefined) return
    clearTimeout(this.#openTimer)
    this.#readySinceMs = performance.now()
    this.#options.onReady()
    this.#settleReady.resolve()
    incoming.addEventListener('message', (event) => this.#received(event.data.subarray()))
    incoming.resume()
  }

  #received(chunk: Uint8Array): void {
    try {
      for (const message of this.#decoder.decode(chunk)) {
        if (this.#ended) return
        this.#halfOpenSinceMs = undefined
        this.#options.onMessage(message)
      }
    } catch (error) {
      this.end({ kind: 'hostile', text: error instanceof Error ? error.message : String(error) })
      return
    }
    if (this.#decoder.halfOpen) this.#halfOpenSinceMs ??= performance.now()
    else this.#halfOpenSinceMs = undefined
  }
}
