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
 * Why a neighbour ended. `lost`: the connection broke. `closed`: either side closed it in good order. `replaced`: the peer goes
 * on over another connection. `foreign`: it speaks another protocol. `restless`: it connects too often. `hostile`: it broke our
 * protocol.
 */
export interface EndReason {
  readonly kind: 'lost' | 'closed' | 'replaced' | 'foreign' | 'restless' | 'hostile'
  readonly text: string
  /** For `replaced`: the connection that the peer goes on with. */
  readonly successor?: Connection
}

export interface NeighbourDeps {
  readonly self: PeerId
  readonly peerId: PeerId
  /** The channels of this grid, in order of preference. Each has its own stream protocol. */
  readonly channels: readonly Channel[]
  readonly messageSizeMaxBytes: number
  /** The largest frame that it may send straight to us. */
  readonly broadcastSizeMaxBytes: number
  /** How long opening both streams may take. */
  readonly openTimeoutMs: number
  /** The neighbour has shown that it is a member of this grid. */
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
 * One neighbour, from its first connection to its end. Each side opens one outgoing stream and only writes on it. So two sides
 * that open at once need no agreement, whatever connections they use. The neighbour is ready when both streams are open, which
 * also shows that it speaks the protocol of this grid. It ends with either stream, because messages may have been lost then.
 *
 * In a private grid each stream starts with a proof of membership. The side that dialled sends its proof first. The other side
 * verifies it before it answers, so a stranger that dials gets nothing.
 */
export class Neighbour {
  readonly peerId: PeerId
  /** Resolves when the neighbour is ready, and rejects if it ends before. Never an unhandled rejection. */
  readonly ready: Promise<void>
  readonly #deps: NeighbourDeps
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

  constructor(deps: NeighbourDeps) {
    this.peerId = deps.peerId
    this.#deps = deps
    this.#receiver = new MessageReceiver(deps.messageSizeMaxBytes, deps.onMessage, this.#malformed)
    this.#direct = new DirectSender(
      () => this.#openDirect(),
      (text) => this.end({ kind: 'lost', text }),
    )
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    this.ready.catch(() => undefined)
    this.#settleReady = { resolve, reject }
    this.#openTimer = setTimeout(
      () => this.end({ kind: 'lost', text: `no streams within ${deps.openTimeoutMs} ms` }),
      deps.openTimeoutMs,
    )
  }

  /** When both streams were open, in milliseconds of the monotonic clock. Undefined before. */
  get readySinceMs(): number | undefined {
    return this.#readySinceMs
  }

  get ended(): boolean {
    return this.#ended
  }

  /** True once the neighbour has opened its stream. A second one means that it has restarted. */
  get hasIncoming(): boolean {
    return this.#incoming !== undefined
  }

  /** True once the neighbour is known to be a member. In a private grid it has shown its proof. */
  get proven(): boolean {
    return this.#proven
  }

  /** True once we have dialled it. */
  get dialled(): boolean {
    return this.#dialled
  }

  /**
   * A connection has opened. Opens our stream on it if we dialled, or if no proof has to come first. Ends as `foreign` if the
   * other side does not speak the protocol.
   */
  async meet(connection: Connection): Promise<void> {
    if (connection.direction === 'outbound') this.#dialled = true
    const asksForProof = this.#deps.channels.every((channel) => channel.lock !== undefined)
    if (connection.direction === 'outbound' || !asksForProof) await this.#open(connection)
  }

  async #open(connection: Connection): Promise<void> {
    if (this.#opening || this.#ended) return
    this.#opening = true
    const { channels, openTimeoutMs } = this.#deps
    try {
      const protocols = channels.map((channel) => channel.protocol)
      const stream = await connection.newStream(protocols, { signal: AbortSignal.timeout(openTimeoutMs) })
      const proof = await this.#channelOf(stream)?.lock?.prove(this.#deps.self, this.peerId)
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
    if (this.#proven) this.#deps.onAddresses(addresses)
  }

  /** The neighbour has opened its stream. Its messages wait until the neighbour is proven and ready. */
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
        if (await lock.verify(proof, this.peerId, this.#deps.self)) this.#admit(stream, connection)
        else this.end({ kind: 'hostile', text: 'it does not know the secret of the grid' })
      })
      .catch((error: unknown) => this.end({ kind: 'lost', text: String(error) }))
  }

  #admit(stream: Stream, connection: Connection): void {
    if (this.#ended) return
    stream.pause()
    this.#proven = true
    this.#deps.onProven()
    this.#deps.onAddresses(this.#announced)
    void this.#open(connection)
    this.#readyIfComplete()
  }

  #channelOf(stream: Stream): Channel | undefined {
    return this.#deps.channels.find((channel) => channel.protocol === stream.protocol)
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

  /**
   * Takes the stream on which the neighbour sends frames. It may open it before this side is ready, for it may have been ready
   * earlier. The frames wait until then.
   */
  acceptDirect(stream: Stream): void {
    this.#directStreams += 1
    if (this.#ended || this.#directStreams > DIRECT_STREAMS_MAX) {
      stream.abort(new Error('no stream of frames is expected'))
      return
    }
    this.#endDirectIncoming(new Error('another stream of frames has come'))
    const { broadcastSizeMaxBytes, onDirect } = this.#deps
    const receiver = new MessageReceiver(broadcastSizeMaxBytes, onDirect, this.#malformed)
    this.#directIncoming = { stream, receiver }
    if (this.#readySinceMs === undefined) stream.pause()
    else receiver.read(stream)
  }

  async #openDirect(): Promise<Stream> {
    const { channels, openTimeoutMs } = this.#deps
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
   * Sends what is queued and closes our stream. Resolves when the neighbour has read everything and closed its stream. If the
   * connection closed earlier, the neighbour's kernel would drop what it has not read.
   */
  async finish(): Promise<void> {
    await Promise.all([this.#writer?.idle(), this.#direct.idle()])
    if (this.#ended || this.#outgoing === undefined) return
    await this.#outgoing.close()
    await this.#over.promise
  }

  /** True if a message has been incomplete for longer than `limitMs`: it takes up memory. */
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
    this.#deps.onEnd(reason)
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
    this.#deps.onReady()
    this.#settleReady.resolve()
    this.#receiver.read(incoming)
    incoming.resume()
    if (this.#directIncoming === undefined) return
    const { stream, receiver } = this.#directIncoming
    receiver.read(stream)
    stream.resume()
  }
}
