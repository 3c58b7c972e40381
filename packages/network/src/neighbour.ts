import type { Connection, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { GridError } from '@gossipgrid/core'
import type { PeerId } from '@gossipgrid/core'
import { directProtocol } from './channel.ts'
import type { Channel } from './channel.ts'
import { DirectSender } from './direct-sender.ts'
import { PROOF_BYTES } from './lock.ts'
import { MessageReceiver } from './message-receiver.ts'
import { MessageWriter } from './message-writer.ts'
import { readStart } from './stream-start.ts'

/**
 * Why a neighbour ended: `lost` without a word, `closed` in good order by either side, `replaced` by itself on another
 * connection, `foreign` since it speaks another protocol, `restless` since it comes too often, or `hostile` since it broke
 * our protocol.
 */
export interface EndReason {
  readonly kind: 'lost' | 'closed' | 'replaced' | 'foreign' | 'restless' | 'hostile'
  readonly text: string
  /** The connection that the neighbour goes on with, if it was replaced. */
  readonly successor?: Connection
}

export interface NeighbourOptions {
  readonly self: PeerId
  readonly peerId: PeerId
  /** Where to meet, in order of preference: the stream protocol tells grids apart. */
  readonly channels: readonly Channel[]
  readonly messageSizeMaxBytes: number
  /** The largest frame that it may send straight to us. */
  readonly broadcastSizeMaxBytes: number
  /** How long opening both streams may take. */
  readonly openTimeoutMs: number
  /** It has shown that it is of our grid. */
  readonly onProven: () => void
  /** Where it says it can be reached, once it is proven. */
  readonly onAddresses: (addresses: readonly Multiaddr[]) => void
  readonly onReady: () => void
  readonly onMessage: (bytes: Uint8Array) => void
  readonly onDirect: (bytes: Uint8Array) => void
  readonly onEnd: (reason: EndReason) => void
}

/** How often one neighbour may open its stream of frames; an honest one opens it once. */
const DIRECT_STREAMS_MAX = 8

/**
 * One neighbour, from the first sign of it to its end. Each side opens one outgoing stream and only writes on it, so
 * that two sides which open at once need no agreement, whatever connections they open them on. The neighbour is ready
 * when both streams are there, which also proves that it speaks the protocol of our grid; it ends with either stream,
 * because messages may have been lost then.
 *
 * In a private grid each stream starts with a proof of membership. Who dialled shows it first; the other answers only
 * once it has been verified, so that a stranger who dials gets nothing.
 */
export class Neighbour {
  readonly peerId: PeerId
  /** Settles when the neighbour is ready, or has ended before. Never an unhandled rejection. */
  readonly ready: Promise<void>
  readonly #options: NeighbourOptions
  readonly #receiver: MessageReceiver
  readonly #direct: DirectSender
  readonly #openTimer: ReturnType<typeof setTimeout>
  #settleReady: { resolve: () => void; reject: (error: GridError) => void }
  #writer: MessageWriter | undefined
  #opening = false
  #outgoing: Stream | undefined
  #incoming: Stream | undefined
  #connection: Connection | undefined
  #directIncoming: { readonly stream: Stream; readonly receiver: MessageReceiver } | undefined
  #directStreams = 0
  #proven = false
  #announced: readonly Multiaddr[] = []
  #dialled = false
  #readySinceMs: number | undefined
  #ended = false
  readonly #over = Promise.withResolvers<void>()

  constructor(options: NeighbourOptions) {
    this.peerId = options.peerId
    this.#options = options
    this.#receiver = new MessageReceiver(options.messageSizeMaxBytes, options.onMessage, this.#malformed)
    this.#direct = new DirectSender(
      () => this.#openDirect(),
      (text) => this.end({ kind: 'lost', text }),
    )
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

  /** True once the neighbour is known to be of our grid: it has shown its proof where one is asked for. */
  get proven(): boolean {
    return this.#proven
  }

  /** True once we have dialled it. */
  get dialled(): boolean {
    return this.#dialled
  }

  /**
   * A connection has opened. Ours to open a stream on if we dialled, or if no proof has to come first. Ends as `foreign`
   * when the other side does not speak the protocol.
   */
  async meet(connection: Connection): Promise<void> {
    if (connection.direction === 'outbound') this.#dialled = true
    const asksForProof = this.#options.channels.every((channel) => channel.lock !== undefined)
    if (connection.direction === 'outbound' || !asksForProof) await this.#open(connection)
  }

  async #open(connection: Connection): Promise<void> {
    if (this.#opening || this.#ended) return
    this.#opening = true
    const { channels, openTimeoutMs } = this.#options
    try {
      const protocols = channels.map((channel) => channel.protocol)
      const stream = await connection.newStream(protocols, { signal: AbortSignal.timeout(openTimeoutMs) })
      const proof = await this.#channelOf(stream)?.lock?.prove(this.#options.self, this.peerId)
      if (this.#ended) {
        stream.abort(new Error('the neighbour has ended'))
        return
      }
      this.#outgoing = stream
      this.#connection = connection
      this.#writer = new MessageWriter(stream, (text) => this.end({ kind: 'lost', text }))
      this.#endsWith(stream)
      // Nothing is expected on it, and an unread stream would hold back its own close.
      stream.addEventListener('message', () => this.end({ kind: 'hostile', text: 'it wrote on our stream' }))
      if (proof !== undefined) stream.send(proof)
      this.#readyIfComplete()
    } catch (error) {
      const name = error instanceof Error ? error.name : ''
      const text = error instanceof Error ? error.message : String(error)
      this.end({ kind: name === 'UnsupportedProtocolError' ? 'foreign' : 'lost', text })
    }
  }

  /** It says where it can be reached. A stranger could name anybody's address, so it is not believed before its proof. */
  announce(addresses: readonly Multiaddr[]): void {
    this.#announced = addresses
    if (this.#proven) this.#options.onAddresses(addresses)
  }

  /** Takes the neighbour's stream. Its messages wait until the neighbour is proven and ready. */
  accept(stream: Stream, connection: Connection): void {
    this.#incoming = stream
    this.#endsWith(stream)
    const lock = this.#channelOf(stream)?.lock
    if (lock === undefined) {
      this.#admit(stream, connection)
      return
    }
    readStart(stream, PROOF_BYTES)
      .then(async (proof) => {
        if (await lock.verify(proof, this.peerId, this.#options.self)) this.#admit(stream, connection)
        else this.end({ kind: 'hostile', text: 'it does not know the secret of the grid' })
      })
      .catch((error: unknown) => this.end({ kind: 'lost', text: String(error) }))
  }

  #admit(stream: Stream, connection: Connection): void {
    if (this.#ended) return
    stream.pause()
    this.#proven = true
    this.#options.onProven()
    this.#options.onAddresses(this.#announced)
    void this.#open(connection)
    this.#readyIfComplete()
  }

  #channelOf(stream: Stream): Channel | undefined {
    return this.#options.channels.find((channel) => channel.protocol === stream.protocol)
  }

  /** See `Streams.send` of core's ports. */
  send(bytes: Uint8Array): Promise<void> {
    if (this.#writer === undefined || this.#readySinceMs === undefined || this.#ended) {
      return Promise.reject(new GridError('NETWORK_NOT_CONNECTED', `not connected to ${this.peerId}`))
    }
    return this.#writer.send(bytes)
  }

  /** Sends a frame on a stream of its own. False when the neighbour does not get it; see `Direct` of core's ports. */
  sendDirect(bytes: Uint8Array): boolean {
    return this.#readySinceMs !== undefined && !this.#ended && this.#direct.send(bytes)
  }

  /** Bytes of frames that the connection has not taken yet. */
  get directQueuedBytes(): number {
    return this.#direct.queuedBytes
  }

  /** Resolves when the connection has taken all frames. */
  directIdle(): Promise<void> {
    return this.#direct.idle()
  }

  /** Takes the stream on which the neighbour sends frames. One that opens it before it is ready breaks the protocol. */
  acceptDirect(stream: Stream): void {
    this.#directStreams += 1
    if (this.#readySinceMs === undefined || this.#ended || this.#directStreams > DIRECT_STREAMS_MAX) {
      stream.abort(new Error('no stream of frames is expected'))
      return
    }
    this.#endDirectIncoming(new Error('another stream of frames has come'))
    const { broadcastSizeMaxBytes, onDirect } = this.#options
    const receiver = new MessageReceiver(broadcastSizeMaxBytes, onDirect, this.#malformed)
    this.#directIncoming = { stream, receiver }
    receiver.read(stream)
  }

  async #openDirect(): Promise<Stream> {
    const { channels, openTimeoutMs } = this.#options
    const protocols = channels.map(directProtocol)
    return this.#connection!.newStream(protocols, { signal: AbortSignal.timeout(openTimeoutMs) })
  }

  #endDirectIncoming(error: Error): void {
    this.#directIncoming?.receiver.end()
    this.#directIncoming?.stream.abort(error)
    this.#directIncoming = undefined
  }

  readonly #malformed = (text: string): void => this.end({ kind: 'hostile', text })

  /**
   * Says goodbye: sends what is queued, closes our stream, and resolves when the neighbour has read all of it and has
   * closed its own. Closing the connection earlier would make the neighbour's kernel throw away what it has not read.
   */
  async finish(): Promise<void> {
    await Promise.all([this.#writer?.idle(), this.#direct.idle()])
    if (this.#ended || this.#outgoing === undefined) return
    await this.#outgoing.close()
    await this.#over.promise
  }

  /** A message that begins and never ends holds memory: true when one has been under way for longer than `limitMs`. */
  stalled(nowMs: number, limitMs: number): boolean {
    const receivers = [this.#receiver, this.#directIncoming?.receiver]
    return receivers.some((receiver) => receiver?.stalled(nowMs, limitMs))
  }

  /** Ends both streams; idempotent. */
  end(reason: EndReason): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#openTimer)
    this.#writer?.break()
    this.#receiver.end()
    const error = new Error(reason.text)
    this.#direct.end(error)
    this.#endDirectIncoming(error)
    if (reason.kind !== 'closed') {
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
    if (this.#ended || incoming === undefined || this.#outgoing === undefined || !this.#proven) return
    clearTimeout(this.#openTimer)
    this.#readySinceMs = performance.now()
    this.#options.onReady()
    this.#settleReady.resolve()
    this.#receiver.read(incoming)
    incoming.resume()
  }
}
