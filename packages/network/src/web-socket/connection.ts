import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { TimeoutError } from '@libp2p/interface'
import type { AbortOptions, Logger, MessageStreamDirection } from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import type { SendResult } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { WebSocketDecoder, Opcode, encodeHeader, unmask } from './frames.ts'
import type { SentOpcode } from './frames.ts'
import { HeadReader, REFUSAL, answerTo } from './handshake.ts'
import { endsWithOtherSide, lingerAtMost } from '../socket-ends.ts'

/** The largest frame that is sent. libp2p's WebSockets send the same size, so proxies know it. */
const SENT_MAX_BYTES = 64 * 1024
/** No pong is sent while more than this is queued: the other side sends pings and does not read. */
const PONG_QUEUE_MAX_BYTES = 16 * 1024
/** The same as for TCP. libp2p pings more often than this. */
const INACTIVITY_MAX_MS = 2 * 60 * 1000
const NORMAL_CLOSURE: Uint8Array = Uint8Array.of(1000 >> 8, 1000 & 0xff)
const NOTHING: Uint8Array = new Uint8Array(0)

interface WebSocketConnectionOptions {
  readonly socket: Socket
  /** The bytes that came after the handshake. Undefined if the other side has yet to send its request. */
  readonly rest: Uint8Array | undefined
  readonly remoteAddr: Multiaddr
  readonly direction: MessageStreamDirection
  readonly log: Logger
}

/** A connection of libp2p on a WebSocket. Its bytes are the payloads of frames. */
export class WebSocketConnection extends AbstractMultiaddrConnection {
  /** For the allowance of a stranger: a read costs work even without payload. */
  readonly reportsReads = true
  readonly #socket: Socket
  readonly #decoder: WebSocketDecoder
  #request: HeadReader | undefined

  constructor({ socket, rest, ...init }: WebSocketConnectionOptions) {
    super({ ...init, maxMessageSize: SENT_MAX_BYTES })
    this.#socket = socket
    this.#request = rest === undefined ? new HeadReader() : undefined
    this.#decoder = new WebSocketDecoder({ masked: init.direction === 'inbound', nowMs: performance.now() })
    socket.on('error', (error) => this.abort(error))
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    endsWithOtherSide(socket)
    socket.once('close', (failed) => {
      if (failed) this.abort(new Error('the socket failed'))
      else this.onTransportClosed()
    })
    socket.setTimeout(INACTIVITY_MAX_MS)
    socket.once('timeout', () => this.abort(new TimeoutError()))
    if (rest === undefined) return
    // Later: the wrappers of this connection must see these bytes as well.
    socket.pause()
    queueMicrotask(() => {
      this.#receive(rest)
      if (this.status === 'open') socket.resume()
    })
  }

  override sendData(bytes: Iterable<Uint8Array> & { readonly byteLength: number }): SendResult {
    const canSendMore = this.#write(Opcode.binary, bytes, bytes.byteLength)
    return { sentBytes: bytes.byteLength, canSendMore }
  }

  override sendReset(): void {
    if (this.#socket.writableEnded) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    if (this.#socket.destroyed) return
    this.#write(Opcode.close, [NORMAL_CLOSURE], NORMAL_CLOSURE.length)
    this.#socket.destroySoon()
    await once(this.#socket, 'close', options)
  }

  override sendPause(): void {
    this.#socket.pause()
  }

  override sendResume(): void {
    this.#socket.resume()
  }

  #receive(chunk: Uint8Array): void {
    if (this.status !== 'open') return
    try {
      this.onData(NOTHING)
      const framed = this.#request === undefined ? chunk : this.#agree(this.#request, chunk)
      for (const { type, bytes } of this.#decoder.decode(framed, performance.now())) {
        if (this.status !== 'open') return
        if (type === 'bytes') this.onData(bytes)
        else if (type === 'ping') this.#pong(bytes)
        else this.#closed(bytes)
      }
    } catch (error) {
      this.abort(error as Error)
    }
  }

  /** Reads and answers the request for a WebSocket. Returns the bytes that follow it. */
  #agree(request: HeadReader, chunk: Uint8Array): Uint8Array {
    const read = request.read(chunk)
    if (read === undefined) return NOTHING
    const answer = answerTo(read.head)
    this.#socket.write(answer ?? REFUSAL)
    this.#request = undefined
    if (answer !== undefined) return read.rest
    this.#end()
    return NOTHING
  }

  #pong(bytes: Uint8Array): void {
    if (this.#socket.writableLength < PONG_QUEUE_MAX_BYTES) this.#write(Opcode.pong, [bytes], bytes.length)
  }

  #closed(bytes: Uint8Array): void {
    this.#write(Opcode.close, [bytes], bytes.length)
    this.#end()
  }

  /** Sends what is queued, as long as the other side reads it. */
  #end(): void {
    this.#socket.destroySoon()
    lingerAtMost(this.#socket)
    this.onTransportClosed()
  }

  /** Returns whether there is room for more. */
  #write(opcode: SentOpcode, pieces: Iterable<Uint8Array>, sizeBytes: number): boolean {
    const mask = this.direction === 'outbound' ? randomBytes(4) : undefined
    this.#socket.cork()
    let hasRoom = this.#socket.write(encodeHeader(opcode, sizeBytes, mask))
    let offset = 0
    for (const piece of pieces) {
      const sent = mask === undefined ? piece : Uint8Array.from(piece)
      unmask(sent, mask, offset)
      offset += piece.length
      hasRoom = this.#socket.write(sent)
    }
    this.#socket.uncork()
    return hasRoom
  }
}
