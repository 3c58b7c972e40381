import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAME_MAX_BYTES, WebSocketDecoder, Opcode, WebSocketProtocolError, encodeHeader, unmask } from './frames.ts'
import type { DecodedFrame, SentOpcode } from './frames.ts'

const MASK = Uint8Array.of(0xa1, 0x02, 0xf3, 0x44)
const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31) & 0xff)

function frame(opcode: SentOpcode, payload: Uint8Array, masked = true): Uint8Array {
  const sent = payload.slice()
  unmask(sent, masked ? MASK : undefined, 0)
  return Buffer.concat([encodeHeader(opcode, payload.length, masked ? MASK : undefined), sent])
}

function decodeAll(chunks: readonly Uint8Array[], masked = true, nowMs = 0): DecodedFrame[] {
  const decoder = new WebSocketDecoder({ masked, nowMs: 0 })
  return chunks.flatMap((chunk) =>
    [...decoder.decode(chunk.slice(), nowMs)].map(({ type, bytes }) => ({ type, bytes: bytes.slice() })),
  )
}

const joined = (frames: readonly DecodedFrame[]): Buffer => Buffer.concat(frames.map(({ bytes }) => bytes))

describe('a decoder of frames', () => {
  it('gives back the bytes of frames of every length, however they are cut, masked and not', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 1, 125, 126, 127, 1000, 0xffff, 0x10000, 70_000), { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (lengths, cuts, masked) => {
          const payloads = lengths.map(bytesOf)
          const wire = Buffer.concat(payloads.map((payload) => frame(Opcode.binary, payload, masked)))
          const chunks: Uint8Array[] = []
          for (let at = 0, i = 0; at < wire.length; i += 1) {
            const end = at + (cuts[i % cuts.length] as number)
            chunks.push(wire.subarray(at, end))
            at = end
          }
          expect(joined(decodeAll(chunks, masked)).equals(Buffer.concat(payloads))).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('gives back bytes and control frames that come one byte at a time', () => {
    const wire = Buffer.concat([
      frame(Opcode.binary, bytesOf(200)),
      frame(Opcode.ping, bytesOf(125)),
      frame(Opcode.pong, bytesOf(3)),
      frame(Opcode.binary, bytesOf(3)),
      frame(Opcode.close, Uint8Array.of(3, 232)),
    ])
    const found = decodeAll(Array.from(wire, (byte) => Uint8Array.of(byte)))
    expect(joined(found.filter(({ type }) => type === 'bytes'))).toEqual(Buffer.concat([bytesOf(200), bytesOf(3)]))
    expect(found.filter(({ type }) => type !== 'bytes')).toEqual([
      { type: 'ping', bytes: bytesOf(125) },
      { type: 'close', bytes: Uint8Array.of(3, 232) },
    ])
  })

  it('accepts a message in pieces, with a ping between them', () => {
    const part = (first: number, payload: Uint8Array): Uint8Array => {
      const bytes = frame(Opcode.binary, payload)
      bytes[0] = first
      return bytes
    }
    const found = decodeAll([part(0x02, bytesOf(3)), frame(Opcode.ping, bytesOf(1)), part(0x80, bytesOf(4))])
    expect(joined(found.filter(({ type }) => type === 'bytes'))).toEqual(Buffer.concat([bytesOf(3), bytesOf(4)]))
  })

  it.each([
    ['the first reserved bit', [0xf2, 0x80, 0, 0, 0, 0]],
    ['the second reserved bit', [0xa2, 0x80]],
    ['the third reserved bit', [0x92, 0x80]],
    ['no mask where one is due', [0x82, 0x01]],
    ['a text', [0x81, 0x81]],
    ['an unknown kind of data', [0x83, 0x81]],
    ['an unknown kind of control frame', [0x8b, 0x80]],
    ['a control frame in pieces', [0x09, 0x80]],
    ['a control frame of 126 bytes', [0x89, 0xfe]],
    ['a continuation of nothing', [0x80, 0x81]],
    ['a second beginning', [0x02, 0x80, 0, 0, 0, 0, 0x82, 0x80]],
    ['a frame of one byte too many', [0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0]],
    ['a frame of 2^63 bytes', [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a frame of 2^64 - 1 bytes', [0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decodeAll([Uint8Array.from(bytes)])).toThrow(WebSocketProtocolError)
  })

  it('refuses a mask where none is due', () => {
    expect(() => decodeAll([frame(Opcode.binary, bytesOf(1))], false)).toThrow(WebSocketProtocolError)
  })

  it('refuses floods of frames that carry nothing, and takes one each second', () => {
    for (const opcode of [Opcode.ping, Opcode.pong, Opcode.binary]) {
      expect(() => decodeAll(Array.from({ length: 33 }, () => frame(opcode, bytesOf(0))))).toThrow(
        WebSocketProtocolError,
      )
    }
    const decoder = new WebSocketDecoder({ masked: true, nowMs: 0 })
    for (let second = 1; second < 1000; second += 1) {
      expect([...decoder.decode(frame(Opcode.ping, bytesOf(4)), second * 1000)]).toHaveLength(1)
    }
  })

  it('passes on a large payload as it comes, and keeps nothing of it', () => {
    const wire = frame(Opcode.binary, bytesOf(FRAME_MAX_BYTES))
    const decoder = new WebSocketDecoder({ masked: true, nowMs: 0 })
    let passedBytes = 0
    for (let at = 0; at < wire.length; at += 1000) {
      for (const { bytes } of decoder.decode(wire.subarray(at, at + 1000), 0)) passedBytes += bytes.length
      expect(passedBytes).toBe(Math.min(at + 1000, wire.length) - (wire.length - FRAME_MAX_BYTES))
    }
  })
})
