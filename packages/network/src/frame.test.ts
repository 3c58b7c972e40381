import { describe, expect, it } from 'vitest'
import { encodeFrame, FrameDecoder } from './frame.ts'

function bytesOf(...messages: Uint8Array[]): Uint8Array {
  return Uint8Array.from(messages.flatMap((message) => [...encodeFrame(message)]))
}

describe('the frame decoder', () => {
  const messages = [Uint8Array.of(1, 2, 3), new Uint8Array(0), new Uint8Array(300).fill(7), Uint8Array.of(9)]

  it('finds every message again, wherever the bytes are cut', () => {
    const bytes = bytesOf(...messages)
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const decoder = new FrameDecoder(1000)
      const found = [...decoder.decode(bytes.subarray(0, cut)), ...decoder.decode(bytes.subarray(cut))]
      expect(found).toEqual(messages)
      expect(decoder.halfOpen).toBe(false)
    }
  })

  it('finds every message again when the bytes come one by one', () => {
    const decoder = new FrameDecoder(1000)
    const found: Uint8Array[] = []
    for (const byte of bytesOf(...messages)) found.push(...decoder.decode(Uint8Array.of(byte)))
    expect(found).toEqual(messages)
  })

  it('grows with a large message and gives it back whole', () => {
    const large = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251)
    const bytes = bytesOf(large)
    const decoder = new FrameDecoder(1_000_000)
    const found: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += 10_007) found.push(...decoder.decode(bytes.subarray(at, at + 10_007)))
    expect(found.length).toBe(1)
    expect(Buffer.compare(found[0] as Uint8Array, large)).toBe(0)
  })

  it('says that a message is half open from its first byte to its last', () => {
    const decoder = new FrameDecoder(1000)
    const bytes = bytesOf(Uint8Array.of(1, 2))
    for (let at = 0; at < bytes.length; at += 1) {
      expect(decoder.halfOpen).toBe(at > 0)
      Array.from(decoder.decode(bytes.subarray(at, at + 1)))
    }
    expect(decoder.halfOpen).toBe(false)
  })

  it('refuses a length above the limit before it reserves anything', () => {
    const announcement = Uint8Array.of(0xff, 0xff, 0xff, 0xff)
    const before = process.memoryUsage().arrayBuffers
    const decoder = new FrameDecoder(1000)
    expect(() => [...decoder.decode(announcement)]).toThrow(expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  })

  it('reserves little for a length that is only announced', () => {
    const decoders = Array.from({ length: 50 }, () => new FrameDecoder(4 * 1024 * 1024))
    const before = process.memoryUsage().arrayBuffers
    for (const decoder of decoders) Array.from(decoder.decode(Uint8Array.of(0, 0x40, 0, 0, 1)))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024)
  })

  it('turns 20,000 streams of garbage into bounded messages or a refusal, however they are cut', () => {
    let state = 1
    const below = (limit: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return Math.floor((state / 0x80000000) * limit)
    }
    let found = 0
    let refused = 0
    for (let i = 0; i < 20_000; i += 1) {
      const decoder = new FrameDecoder(1000)
      const bytes = bytesOf(new Uint8Array(below(40)).fill(i), new Uint8Array(below(40)).fill(7))
      for (let faults = below(4); faults > 0; faults -= 1) bytes[below(bytes.length)] = below(256)
      try {
        for (let at = 0, end = 0; at < bytes.length; at = end) {
          end = at + 1 + below(20)
          for (const message of decoder.decode(bytes.subarray(at, end))) {
            expect(message.length).toBeLessThanOrEqual(bytes.length)
            found += 1
          }
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
        refused += 1
      }
    }
    expect(Math.min(found, refused)).toBeGreaterThan(1000)
  })
})
