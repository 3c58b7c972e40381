import { GREETING as GREETING_BYTES } from '../strangers/greeting.ts'
import { Opcode, encodeHeader } from '../web-socket/frames.ts'
import { requestTo } from '../web-socket/handshake.ts'

/** For tests: what strangers send before any handshake. Every choice comes from `random`, so a seed repeats it. */
export type Random = () => number

/** A generator of numbers from 0 up to 1 (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000
  }
}

const GREETING: Buffer = Buffer.from(GREETING_BYTES)

type Maker = (random: Random) => Buffer

const upTo = (random: Random, max: number): number => Math.floor(random() * max)
const pick = <T>(random: Random, choices: readonly T[]): T => choices[upTo(random, choices.length)] as T

export function noisy(random: Random, maxBytes: number): Buffer {
  const bytes = Buffer.alloc(upTo(random, maxBytes) + 1)
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = upTo(random, 256)
  return bytes
}

/** Some bytes changed, removed, doubled, or put in. */
function mutated(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes)
  for (let i = upTo(random, 4); i >= 0; i -= 1) {
    const at = upTo(random, result.length + 1)
    const kind = upTo(random, 4)
    if (kind === 0) result[at] = upTo(random, 256)
    if (kind === 1) result = result.subarray(0, at)
    if (kind === 2) result = Buffer.concat([result.subarray(0, at), noisy(random, 40), result.subarray(at)])
    if (kind === 3) result = Buffer.concat([result, result.subarray(at)])
  }
  return result
}

/** What stands on a connection of libp2p before there is any encryption. */
export const PORT_ATTACKS: Readonly<Record<string, Maker>> = {
  'noise of a random source': (random) => noisy(random, 100_000),
  'bytes that continue a length for ever': (random) =>
    Buffer.alloc(upTo(random, 300_000) + 1, pick(random, [0xff, 0x80])),
  zeros: (random) => Buffer.alloc(upTo(random, 100_000) + 1),
  'a greeting with faults': (random) => mutated(random, GREETING),
  'a greeting again and again': (random) =>
    Buffer.concat(Array.from({ length: upTo(random, 1000) + 1 }, () => GREETING)),
  'a greeting and a handshake of random bytes': (random) => {
    const body = noisy(random, 1000)
    return Buffer.concat([GREETING, Buffer.of(body.length >> 8, body.length & 0xff), body])
  },
  'a greeting and a handshake that is announced and does not come': () =>
    Buffer.concat([GREETING, Buffer.of(0xff, 0xff)]),
  'a greeting and garbage': (random) => Buffer.concat([GREETING, noisy(random, 100_000)]),
  'thousands of questions for the list of protocols': () =>
    Buffer.from('\x13/multistream/1.0.0\n' + '\x03ls\n'.repeat(10_000)),
  'thousands of protocols that do not exist': () => Buffer.from('\x13/multistream/1.0.0\n' + '\x03/a\n'.repeat(10_000)),
  'an HTTP request': () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'the beginning of TLS': () => Buffer.from('16030100f4010000f00303', 'hex'),
}

/** What stands in a WebSocket once it is open. `masked` as a side that dialled has to. */
export const FRAME_ATTACKS: Readonly<Record<string, (random: Random, masked: boolean) => Buffer>> = {
  'reserved bits': (_random, masked) => Buffer.of(0xf2, masked ? 0x80 : 0, 0, 0, 0, 0),
  'the header of a frame that is far too long': (_random, masked) =>
    Buffer.concat([Buffer.of(0x82, masked ? 0xff : 0x7f), Buffer.alloc(12, 0xff)]),
  'any header': (random) => noisy(random, 14),
  'a flood of pings': (random, masked) => framed(random, Opcode.ping, Buffer.alloc(0), masked, 50_000),
  'a flood of pongs': (random, masked) => framed(random, Opcode.pong, Buffer.alloc(125), masked, 5000),
  'a flood of empty frames': (random, masked) => framed(random, Opcode.binary, Buffer.alloc(0), masked, 50_000),
  'a flood of frames of one byte': (random, masked) => framed(random, Opcode.binary, Buffer.of(0xff), masked, 50_000),
  'one frame with faults': (random, masked) => mutated(random, framed(random, Opcode.binary, GREETING, masked, 1)),
  'a text': (_random, masked) => Buffer.concat([Buffer.of(0x81, masked ? 0x84 : 4), Buffer.alloc(8, 0xff)]),
  'a close with nothing behind it': (random, masked) => framed(random, Opcode.close, Buffer.alloc(0), masked, 1),
  'a close with a wrong code': (random, masked) => framed(random, Opcode.close, Buffer.of(0, 1), masked, 1),
}

function framed(random: Random, opcode: 2 | 8 | 9 | 10, payload: Buffer, masked: boolean, countMax: number): Buffer {
  const mask = masked ? Buffer.alloc(4) : undefined
  const frame = Buffer.concat([encodeHeader(opcode, payload.length, mask), payload])
  return Buffer.concat(Array.from({ length: upTo(random, countMax) + 1 }, () => frame))
}

/** What comes instead of a request for a WebSocket. */
export const HEAD_ATTACKS: Readonly<Record<string, Maker>> = {
  'headers without end': (random) => Buffer.from(`GET / HTTP/1.1\r\n${`a: ${random()}\r\n`.repeat(10_000)}`),
  'one header without end': () => Buffer.from(`GET / HTTP/1.1\r\na: ${'b'.repeat(200_000)}`),
  'thousands of requests': () => Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5000)),
  'a request with a body of a gigabyte': () =>
    Buffer.concat([Buffer.from('POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n'), Buffer.alloc(200_000)]),
  'a request with faults': (random) => mutated(random, Buffer.from(requestTo('localhost').request)),
}

/** One connection of a stranger: a name of what it sends, and the bytes. */
export interface Attack {
  readonly name: string
  readonly bytes: Buffer
}

/** What a stranger sends to a TCP port, or answers to a peer that dials it. */
export function streamAttack(random: Random): Attack {
  const name = pick(random, Object.keys(PORT_ATTACKS))
  return { name, bytes: PORT_ATTACKS[name]!(random) }
}

/** What a stranger sends in a WebSocket that is open. */
export function frameAttack(random: Random, masked: boolean): Attack {
  if (random() < 0.5) {
    const name = pick(random, Object.keys(FRAME_ATTACKS))
    return { name, bytes: FRAME_ATTACKS[name]!(random, masked) }
  }
  const { name, bytes } = streamAttack(random)
  const mask = masked ? Buffer.alloc(4) : undefined
  return { name: `${name}, in a frame`, bytes: Buffer.concat([encodeHeader(Opcode.binary, bytes.length, mask), bytes]) }
}

/** What a stranger sends to a WebSocket port instead of opening a WebSocket. */
export function headAttack(random: Random): Attack {
  const name = pick(random, Object.keys(HEAD_ATTACKS))
  return { name, bytes: HEAD_ATTACKS[name]!(random) }
}
