import type { Connection, MessageStream } from '@libp2p/interface'
import { noisy } from './hostile-bytes.ts'
import type { Random } from './hostile-bytes.ts'

/** For tests: what a stranger sends once its connection is encrypted, in frames of yamux made by hand. */
type Sender = (send: (bytes: Uint8Array) => void) => void

const Type = { data: 0, window: 1, ping: 2 } as const
const SYN = 1

function frame(type: number, flag: number, stream: number, length: number): Buffer {
  const header = Buffer.alloc(12)
  header[1] = type
  header.writeUInt16BE(flag, 2)
  header.writeUInt32BE(stream, 4)
  header.writeUInt32BE(length, 8)
  return header
}

const times = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)))
const prefixed = (bytes: Buffer): Buffer => Buffer.concat([lengthOf(bytes.length), bytes])
const lengthOf = (size: number): Buffer => (size < 128 ? Buffer.of(size) : Buffer.of((size & 127) | 128, size >> 7))
const agreed = (protocol: string): Buffer =>
  Buffer.concat([prefixed(Buffer.from('/multistream/1.0.0\n')), prefixed(Buffer.from(`${protocol}\n`))])

/** Opens one stream and writes to it in frames of libp2p's size, as far as the window goes. */
function stream(...content: readonly Buffer[]): Sender {
  return (send) => {
    send(frame(Type.window, SYN, 101, 0))
    const bytes = Buffer.concat(content).subarray(0, 256 * 1024)
    for (let at = 0; at < bytes.length; at += 32 * 1024) {
      const part = bytes.subarray(at, at + 32 * 1024)
      send(Buffer.concat([frame(Type.data, 0, 101, part.length), part]))
    }
  }
}

/** An identify message of the largest size that is taken, full of addresses. */
function addresses(): Buffer {
  const address = (i: number): Buffer => Buffer.of(0x12, 8, 4, 10, 0, i >> 8, i & 255, 6, 16, 0)
  return prefixed(times(810, address))
}

const ENDLESS: Buffer = Buffer.alloc(250_000, 0xff)

export const STREAM_ATTACKS: Readonly<Record<string, Sender>> = {
  'a flood of pings': (send) => send(times(20_000, (i) => frame(Type.ping, SYN, 0, i))),
  'thousands of streams': (send) => send(times(20_000, (i) => frame(Type.window, SYN, 101 + 2 * i, 0))),
  'windows of streams that do not exist': (send) => send(times(20_000, (i) => frame(Type.window, 0, 101 + 2 * i, 1))),
  'empty frames': (send) => send(times(20_000, () => frame(Type.data, 0, 101, 0))),
  'a frame of four gigabytes': (send) => {
    send(frame(Type.data, SYN, 101, 0xffffffff))
    for (let i = 0; i < 100; i += 1) send(Buffer.alloc(64 * 1024))
  },
  'thousands of encrypted messages of one byte': (send) => {
    for (let i = 0; i < 20_000; i += 1) send(Buffer.of(0))
  },
  'a length without end': stream(prefixed(Buffer.from('/multistream/1.0.0\n')), ENDLESS),
  'thousands of questions for the list of protocols': stream(
    prefixed(Buffer.from('/multistream/1.0.0\n')),
    times(30_000, () => prefixed(Buffer.from('ls\n'))),
  ),
  'thousands of protocols that do not exist': stream(
    prefixed(Buffer.from('/multistream/1.0.0\n')),
    times(30_000, () => prefixed(Buffer.from('/a\n'))),
  ),
  'addresses pushed': stream(agreed('/ipfs/id/push/1.0.0'), addresses()),
  'a push without end': stream(agreed('/ipfs/id/push/1.0.0'), ENDLESS),
  'a question to the relay without end': stream(agreed('/libp2p/circuit/relay/0.2.0/hop'), ENDLESS),
  'empty gossip': stream(agreed('/meshsub/1.2.0'), Buffer.alloc(250_000)),
  'gossip without end': stream(agreed('/meshsub/1.2.0'), ENDLESS),
}

const PROTOCOLS = [
  '/ipfs/id/1.0.0',
  '/ipfs/id/push/1.0.0',
  '/ipfs/ping/1.0.0',
  '/meshsub/1.2.0',
  '/libp2p/circuit/relay/0.2.0/hop',
]

/** Any frames on a few streams, among which some agree on a protocol that there is. */
function anyFrames(random: Random): Sender {
  const upTo = (max: number): number => Math.floor(random() * max)
  return (send) => {
    for (let i = upTo(60); i >= 0; i -= 1) {
      const id = upTo(6) === 0 ? upTo(2 ** 32) : 101 + 2 * upTo(4)
      const content = upTo(3) === 0 ? agreed(PROTOCOLS[upTo(PROTOCOLS.length)] as string) : noisy(random, 400)
      const length = upTo(8) === 0 ? upTo(2 ** 32) : content.length
      send(
        Buffer.concat([
          frame(upTo(10) === 0 ? upTo(256) : upTo(4), upTo(4) === 0 ? upTo(16) : SYN, id, length),
          content,
        ]),
      )
    }
  }
}

/** Sends one of the attacks on a connection that is encrypted. */
export function sendInStreams(connection: Connection, attack: string): void {
  sendAll(connection, STREAM_ATTACKS[attack])
}

/** Sends one of the attacks, or any frames. */
export function sendAnyInStreams(connection: Connection, random: Random): void {
  const attacks = Object.values(STREAM_ATTACKS)
  sendAll(connection, random() < 0.6 ? anyFrames(random) : attacks[Math.floor(random() * attacks.length)])
}

function sendAll(connection: Connection, sender: Sender | undefined): void {
  const { muxer } = connection as unknown as { readonly muxer: { readonly maConn: MessageStream } }
  sender?.((bytes) => {
    if (muxer.maConn.status === 'open') muxer.maConn.send(bytes)
  })
}
