import type { Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { Cost, ExcessError } from './allowance.ts'
import type { Allowance } from './allowance.ts'
import { LengthWatch } from './length-watch.ts'
import { openSafely, reportHalves } from './window-reports.ts'

/** How much of an incomplete frame yamux may keep: its largest window and a header. Yamux itself has no limit. */
const PARTIAL_FRAME_MAX_BYTES = 16 * 1024 * 1024 + 64 * 1024

/** Bytes as libp2p passes them on: one piece, or a list of pieces. */
export type Bytes = Uint8Array | { subarray(): Uint8Array; readonly byteLength: number }

/** Where a muxer and its streams receive bytes; not part of their public types. */
interface ReceivingStream {
  onData(bytes: Bytes): void
}
interface ReceivingMuxer {
  onRemoteStream(stream: Stream): void
  onCreateStream(options: unknown): Stream | Promise<Stream>
  /** Only yamux has the following. */
  onData?(bytes: Bytes): void
  handleFrame?(frame: unknown): void
  readonly decoder?: { readonly buffer: { readonly byteLength: number } }
}

/** The same multiplexer, which charges the work for the other side to an allowance. */
export function guardedMuxer(factory: StreamMuxerFactory, allowance: Allowance): StreamMuxerFactory {
  return {
    protocol: factory.protocol,
    createStreamMuxer: (connection) => {
      const muxer = factory.createStreamMuxer(connection)
      guardStreams(muxer, allowance)
      guardFrames(muxer as unknown as ReceivingMuxer, allowance)
      return muxer
    },
  }
}

function guardStreams(muxer: StreamMuxer, allowance: Allowance): void {
  const receiving = muxer as unknown as ReceivingMuxer
  const onRemoteStream = receiving.onRemoteStream.bind(muxer)
  receiving.onRemoteStream = (stream) => {
    allowance.charge(Cost.stream)
    watchLengths(stream, allowance)
    reportHalves(stream)
    onRemoteStream(stream)
  }
  const onCreateStream = receiving.onCreateStream.bind(muxer)
  receiving.onCreateStream = (options) => {
    const stream = onCreateStream(options)
    if (!(stream instanceof Promise)) openSafely(stream)
    return stream
  }
  const createStream = muxer.createStream.bind(muxer)
  muxer.createStream = async (options) => {
    const stream = await createStream(options)
    watchLengths(stream, allowance)
    reportHalves(stream)
    return stream
  }
}

function watchLengths(stream: Stream, allowance: Allowance): void {
  const receiving = stream as unknown as ReceivingStream
  const onData = receiving.onData.bind(stream)
  const watch = new LengthWatch(allowance)
  receiving.onData = (bytes) => {
    watch.read(bytes.subarray(), stream.protocol)
    onData(bytes)
  }
}

function guardFrames(muxer: ReceivingMuxer, allowance: Allowance): void {
  if (muxer.onData === undefined || muxer.handleFrame === undefined) return
  const [onData, handleFrame] = [muxer.onData.bind(muxer), muxer.handleFrame.bind(muxer)]
  muxer.handleFrame = (frame) => {
    allowance.charge(Cost.frame)
    handleFrame(frame)
  }
  muxer.onData = (bytes) => {
    onData(bytes)
    if ((muxer.decoder?.buffer.byteLength ?? 0) > PARTIAL_FRAME_MAX_BYTES) {
      throw new ExcessError('a frame of the multiplexer is too long')
    }
  }
}
