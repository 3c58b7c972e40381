import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KEY_SLOTS, keySlot, partitionIndex } from './key-slots.ts'

const encoder = new TextEncoder()
const anyText = fc.string({ unit: 'binary', maxLength: 60 })
const textWithBraces = fc.string({ unit: fc.constantFrom('{', '}', 'a', 'é', '😀'), maxLength: 12 })
const partitionCount = fc.integer({ min: 4, max: 12 }).map((power) => 2 ** power)

/** CRC16-XMODEM bit by bit, over the bytes of UTF-8. */
function slowCrc16(text: string): number {
  let crc = 0
  for (const byte of encoder.encode(text)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1
  }
  return crc
}

/** The tag by the words of its definition. */
function slowTag(key: string): string {
  const tag = /^[^{]*\{([^}]+)\}/s.exec(key)
  return tag === null ? key : tag[1]!
}

describe('the slot of a key', () => {
  it('is that of Redis Cluster', () => {
    // The first is the check value of CRC16-XMODEM, the others are from Redis' CLUSTER KEYSLOT.
    expect(keySlot('123456789')).toBe(0x31c3 % KEY_SLOTS)
    expect(['foo', 'bar', 'hello', 'user1000', 'somekey', ''].map(keySlot)).toEqual([12182, 5061, 866, 3443, 11058, 0])
  })

  it('is that of the tag: the text between the first { and the next }, if there is any', () => {
    expect(keySlot('{user1000}.following')).toBe(keySlot('user1000'))
    expect(keySlot('{42}:cart')).toBe(keySlot('{42}:orders'))
    expect(keySlot('foo{{bar}}zap')).toBe(keySlot('{bar'))
    expect(keySlot('foo{bar}{zap}')).toBe(keySlot('bar'))
    expect(keySlot('}a{b}')).toBe(keySlot('b'))
    // Nothing between the two, or no end: the whole key counts.
    expect(keySlot('foo{}{bar}')).toBe(slowCrc16('foo{}{bar}') % KEY_SLOTS)
    expect(keySlot('foo{bar')).toBe(slowCrc16('foo{bar') % KEY_SLOTS)
  })

  it('is the CRC16 of the bytes of UTF-8, whatever the characters, modulo 16384', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, textWithBraces), (key) => {
        expect(keySlot(key)).toBe(slowCrc16(slowTag(key)) % KEY_SLOTS)
      }),
    )
  })
})

describe('the partition of a key', () => {
  it('is one of those that the collection has, and follows from the slot', () => {
    fc.assert(
      fc.property(anyText, partitionCount, (key, count) => {
        expect(partitionIndex(key, count)).toBe(Math.floor((keySlot(key) * count) / KEY_SLOTS))
      }),
    )
  })

  it('is cut in two when a collection has twice as many', () => {
    fc.assert(
      fc.property(anyText, partitionCount, (key, count) => {
        fc.pre(count < 4096)
        expect(partitionIndex(key, 2 * count) >> 1).toBe(partitionIndex(key, count))
      }),
    )
  })
})
