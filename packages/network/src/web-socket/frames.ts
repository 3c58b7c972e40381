/** The largest frame that is accepted. libp2p sends 64 KiB at most. */
export const FRAME_MAX_BYTES: number = 1024 * 1024
/** How many pings, pongs and frames without payload may come at once. */
const IDLE_FRAMES_MAX = 32
/** How many more of them may come in each second. */
const IDLE_FRAMES_PER_SECOND = 1
const CONTROL_MAX_BYTES = 125
const HEADER_MAX_BYTES = 14

/** The kinds of frames. */
export const Opcode: {
  readonly continuation: 0
  readonly text: 1
  readonly binary: 2
  readonly close: 8
  readonly ping: 9
  readonly pong: 10
} = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }
export type SentOpcode = typeof Opcode.binary | typeof Opcode.close | typeof Opcode.ping | typeof Opcode.pong

/** The other side broke the WebSocket protocol, or a limit. */
export class WebSocketProtocolError extends Error {
  override readonly name = 'WebSocketProtocolError'
}

/** What a decoder yields: a piece of the byte stream, or a whole control frame. */
export interface DecodedFrame {
  readonly type: 'bytes' | 'close' | 'ping'
  readonly bytes: Uint8Array
}

interface Header {
  readonly opcode: number
  readonly sizeBytes: number
  readonly mask: Uint8Array | undefined
}

/**
 * Reads WebSocket frames (RFC 6455) as one stream of bytes. The borders of messages have no meaning here, so payload is passed on
 * as it comes and never collected. Between two chunks it keeps one header or one control frame at most.
 */
export class WebSocketDecoder {
  readonly #masked: boolean
  readonly #startMs: number
  readonly #head = new Uint8Array(HEADER_MAX_BYTES)
  #headBytes = 0
  #frame: Header | undefined
  #readBytes = 0
  #control = new Uint8Array(0)
  #inMessage = false
  #idleFrames = 0

  /** `masked` if the other side dialled: only its frames must be masked. */
  constructor({ masked, nowMs }: { readonly masked: boolean; readonly nowMs: number }) {
    this.#masked = masked
    this.#startMs = nowMs
  }

  /** Removes the masks in `chunk` in place. Throws `WebSocketProtocolError` at the first wrong byte. */
  *decode(chunk: Uint8Array, nowMs: number): Generator<DecodedFrame> {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        at = this.#readHeader(chunk, at, nowMs)
        if (this.#frame === undefined) return
      }
      const frame = this.#frame as Header
      const payload = chunk.subarray(at, at + frame.sizeBytes - this.#readBytes)
      at += payload.length
      unmask(payload, frame.mask, this.#readBytes)
      const isData = frame.opcode < Opcode.close
      if (isData && payload.length > 0) yield { type: 'bytes', bytes: payload }
      if (!isData) this.#control.set(payload, this.#readBytes)
      this.#readBytes += payload.length
      if (this.#readBytes < frame.sizeBytes) return
      this.#frame = undefined
      if (frame.opcode === Opcode.close) yield { type: 'close', bytes: this.#control }
      if (frame.opcode === Opcode.ping) yield { type: 'ping', bytes: this.#control }
    }
  }

  /** Returns where the payload starts in `chunk`, and sets `#frame`. Without `#frame`, all of the chunk has been read. */
  #readHeader(chunk: Uint8Array, start: number, nowMs: number): number {
    let at = start
    while (at < chunk.length) {
      this.#head[this.#headBytes] = chunk[at] as number
      this.#headBytes += 1
      at += 1
      if (this.#headBytes === 2) this.#check(nowMs)
      if (this.#headBytes < 2 || this.#headBytes < this.#headSize()) continue
      this.#begin()
      break
    }
    return at
  }

  #headSize(): number {
    const short = this.#head[1]! & 0x7f
    return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (this.#masked ? 4 : 0)
  }

  /** Checks the first two bytes of a frame. */
  #check(nowMs: number): void {
    const [first, second] = this.#head as unknown as [number, number]
    const opcode = first & 0x0f
    const isFinal = (first & 0x80) !== 0
    if ((first & 0x70) !== 0) throw new WebSocketProtocolError('a reserved bit is set')
    if (((second & 0x80) !== 0) !== this.#masked)
      throw new WebSocketProtocolError('a mask is missing, or there is one too many')
    const short = second & 0x7f
    if (opcode >= Opcode.close) {
      if (opcode > Opcode.pong) throw new WebSocketProtocolError(`frames of kind ${opcode} are not known`)
      if (!isFinal || short > CONTROL_MAX_BYTES) throw new WebSocketProtocolError('a control frame is too large')
    } else {
      if (opcode > Opcode.binary || opcode === Opcode.text) {
        throw new WebSocketProtocolError(`frames of kind ${opcode} are not taken`)
      }
      if ((opcode === Opcode.continuation) !== this.#inMessage) {
        throw new WebSocketProtocolError('a message is continued that has not begun, or begins twice')
      }
      this.#inMessage = !isFinal
    }
    if (opcode >= Opcode.close || short === 0) this.#countIdle(nowMs)
  }

  /** Such frames cost work and carry nothing: a megabyte has room for hundreds of thousands. */
  #countIdle(nowMs: number): void {
    this.#idleFrames += 1
    const seconds = (nowMs - this.#startMs) / 1000
    if (this.#idleFrames > IDLE_FRAMES_MAX + seconds * IDLE_FRAMES_PER_SECOND) {
      throw new WebSocketProtocolError('too many frames carry nothing')
    }
  }

  #begin(): void {
    const view = new DataView(this.#head.buffer, 0, this.#headBytes)
    const short = this.#head[1]! & 0x7f
    let sizeBytes = short
    if (short === 126) sizeBytes = view.getUint16(2)
    if (short === 127) sizeBytes = view.getUint32(2) === 0 ? view.getUint32(6) : Infinity
    if (sizeBytes > FRAME_MAX_BYTES) throw new WebSocketProtocolError(`a frame is above ${FRAME_MAX_BYTES} bytes`)
    const mask = this.#masked ? this.#head.slice(this.#headBytes - 4, this.#headBytes) : undefined
    const opcode = this.#head[0]! & 0x0f
    if (opcode >= Opcode.close) this.#control = new Uint8Array(sizeBytes)
    this.#frame = { opcode, sizeBytes, mask }
    this.#headBytes = 0
    this.#readBytes = 0
  }
}

/** The header of a message of one frame. If there is a `mask`, the payload must be masked with it. */
export function encodeHeader(opcode: SentOpcode, sizeBytes: number, mask: Uint8Array | undefined): Uint8Array {
  const extraBytes = sizeBytes < 126 ? 0 : sizeBytes < 0x10000 ? 2 : 8
  const header = new Uint8Array(2 + extraBytes + (mask === undefined ? 0 : 4))
  const view = new DataView(header.buffer)
  header[0] = 0x80 | opcode
  header[1] = (mask === undefined ? 0 : 0x80) | (extraBytes === 0 ? sizeBytes : extraBytes === 2 ? 126 : 127)
  if (extraBytes === 2) view.setUint16(2, sizeBytes)
  if (extraBytes === 8) view.setUint32(6, sizeBytes)
  if (mask !== undefined) header.set(mask, 2 + extraBytes)
  return header
}

/** Applies a mask to bytes in place, or removes it. `offset` is the number of payload bytes before them. */
export function unmask(bytes: Uint8Array, mask: Uint8Array | undefined, offset: number): void {
  if (mask === undefined) return
  for (let i = 0; i < bytes.length; i += 1) bytes[i]! ^= mask[(i + offset) & 3]!
}
