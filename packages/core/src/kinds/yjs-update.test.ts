import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../bytes/bytes.ts'
import { GridError } from '../errors.ts'
import { readYjsUpdate } from './yjs-update.ts'
import type { YjsUpdate } from './yjs-update.ts'

const CLIENT = 1000
/** The head of a text that is tied to the struct on its left. */
const TIED: Uint8Array = Uint8Array.of(0x84)

type Part = number | string | Uint8Array

/** Numbers as varints, texts with their length in front, bytes as they are. */
function bytesOf(parts: readonly Part[]): Uint8Array {
  const writer = new ByteWriter()
  for (const part of parts) {
    if (typeof part === 'number') writer.varint(part)
    else if (typeof part === 'string') writer.text(part)
    else writer.raw(part)
  }
  return writer.copy()
}

function read(...parts: Part[]): YjsUpdate {
  const bytes = bytesOf(parts)
  return readYjsUpdate(bytes, 0, bytes.length, CLIENT)
}

function refusal(...parts: Part[]): string {
  try {
    read(...parts)
    return ''
  } catch (error) {
    expect(error).toBeInstanceOf(GridError)
    expect((error as GridError).code).toBe('MESSAGE_MALFORMED')
    return (error as GridError).message
  }
}

/** A text under a root. */
const typed = (text: string): Part[] => [4, 1, 'notes', text]
const update = (count: number, clock: number, ...structs: Part[]): Part[] => [1, count, CLIENT, clock, ...structs]
const NO_DELETES = 0

describe('the parser of document updates', () => {
  it('gives the clocks, in UTF-16 code units, and the place of each struct', () => {
    const found = read(...update(2, 7, ...typed('a😀é'), TIED, CLIENT, 10, 'x'), NO_DELETES)
    expect([found.from, found.to]).toEqual([7, 12])
    expect(found.structs.filter((_, i) => i % 3 === 0)).toEqual([7, 11])
    expect(found.needs).toEqual([])
  })
  it('gives the structs of other clients that it refers to, and its deletes', () => {
    const found = read(...update(1, 0, TIED, 5, 9, 'x'), 2, 5, 2, 0, 3, 8, 1, CLIENT, 1, 0, 1)
    expect(found.needs).toEqual([0, 5, 9])
    expect(found.deletes).toEqual([5, 0, 3, 5, 8, 1, CLIENT, 0, 1])
  })
  it('takes updates that only delete, and empty ones', () => {
    expect(read(0, 1, 5, 1, 2, 3).deletes).toEqual([5, 2, 3])
    expect(read(0, 0)).toMatchObject({ from: 0, to: 0 })
  })
  it('takes every content that Yjs writes', () => {
    const contents: Part[][] = [
      [1, 5],
      [2, 2, '{"a":[1]}', 'undefined'],
      [3, 'bytes'],
      [5, '{"image":"x"}'],
      [6, 'bold', 'true'],
      [7, 0],
      [7, 3, 'p'],
      [7, 6],
      [8, 3, 118, 1, 'key', 117, 2, 120, 126, 119, 'text', 125, 5],
    ]
    for (const [content, ...rest] of contents) {
      expect(refusal(...update(1, 0, content!, 1, 'root', ...rest), NO_DELETES), String(content)).toBe('')
    }
  })
})

describe('the parser of document updates refuses', () => {
  it('structs of another client, or of several', () => {
    expect(refusal(1, 1, 999, 0, ...typed('x'), 0)).toContain('does not own')
    expect(refusal(2, 1, CLIENT, 0, ...typed('x'), 1, 999, 0, ...typed('x'), 0)).toContain('several clients')
  })
  it('a garbage struct that burns the clock of another client', () => {
    expect(refusal(1, 1, 999, 0, 0, 2 ** 40, 0)).toContain('does not own')
  })
  it('counts for which there are not enough bytes', () => {
    expect(refusal(1, 2 ** 28, CLIENT, 0)).toContain('truncated')
    expect(refusal(0, 2 ** 28)).toContain('truncated')
    expect(refusal(0, 1, 5, 2 ** 28)).toContain('truncated')
    expect(refusal(...update(1, 0, 8, 1, 'r', 2 ** 28), 0)).toContain('truncated')
  })
  it('gaps in the clocks', () => expect(refusal(...update(2, 0, 10, 5, ...typed('x')), 0)).not.toBe(''))
  it('structs that take no clock', () => {
    expect(refusal(...update(1, 0, ...typed('')), 0)).toContain('empty')
    expect(refusal(...update(1, 0, 0, 0), 0)).toContain('empty')
  })
  it('clocks that cannot be exact', () => {
    expect(refusal(...update(2, 0, 0, 2 ** 53 - 1, 0, 5), 0)).toContain('out of range')
    expect(refusal(0, 1, 5, 1, 2 ** 53 - 1, 2 ** 53 - 1)).toContain('out of range')
  })
  it('ties to structs of its own that come later', () => {
    expect(refusal(...update(1, 4, TIED, CLIENT, 4, 'x'), 0)).toContain('later')
  })
  it('subdocuments, and content there is none of', () => {
    expect(refusal(...update(1, 0, 9, 1, 'root', 'guid', 118, 0), 0)).toContain('subdocument')
    expect(refusal(...update(1, 0, 11, 1, 'root'), 0)).toContain('content 11')
    expect(refusal(...update(1, 0, 7, 1, 'root', 7), 0)).toContain('shared type')
  })
  it('deletes that overlap, go back, are empty or name a client twice', () => {
    expect(refusal(0, 1, 5, 2, 0, 3, 2, 1)).toContain('ascend')
    expect(refusal(0, 1, 5, 1, 0, 0)).toContain('ascend')
    expect(refusal(0, 2, 5, 1, 0, 1, 5, 1, 4, 1)).toContain('twice')
  })
  it('JSON that is none or is nested too deep, and values nested too deep', () => {
    expect(refusal(...update(1, 0, 5, 1, 'root', '{'), 0)).toContain('no JSON')
    expect(refusal(...update(1, 0, 5, 1, 'root', '['.repeat(100) + ']'.repeat(100)), 0)).toContain('too deep')
    const nested = Array.from({ length: 100 }, () => [117, 1]).flat()
    expect(refusal(...update(1, 0, 8, 1, 'root', 1, ...nested, 120), 0)).toContain('too deep')
    expect(refusal(...update(1, 0, 8, 1, 'root', 1, 118, 1, '__proto__', 120), 0)).toContain('__proto__')
  })
  it('the key __proto__ behind a length that is longer than it need be', () => {
    const key = Uint8Array.of(0x89, 0x00, ...Array.from('__proto__', (letter) => letter.charCodeAt(0)))
    expect(refusal(...update(1, 0, 8, 1, 'root', 1, 118, 1, key, 120), 0)).toContain('__proto__')
  })
  it('JSON behind a byte order mark, which Yjs takes for a part of it', () => {
    expect(refusal(...update(1, 0, 5, 1, 'root', '\ufeff{"a":1}'), 0)).toContain('no JSON')
    expect(refusal(...update(1, 0, 2, 1, 'root', 1, '\ufeffundefined'), 0)).toContain('no JSON')
  })
  it('integers at which lib0 throws, and takes the largest at which it does not', () => {
    const integer = (...bytes: number[]): string =>
      refusal(...update(1, 0, 8, 1, 'root', 1, Uint8Array.of(125, ...bytes)), 0)
    expect(integer(0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f)).toBe('') // 2^53 - 1
    expect(integer(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f)).toBe('') // and the same below zero
    expect(integer(0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)).toContain('does not fit')
    expect(integer(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00)).toContain('does not fit')
  })
  it('an update that is cut short at any byte, or is followed by more bytes', () => {
    const whole = bytesOf([...update(2, 0, ...typed('words'), 6, 1, 'notes', 'bold', 'true'), 1, 5, 1, 0, 3])
    for (let end = 0; end < whole.length; end++) {
      expect(() => readYjsUpdate(whole, 0, end, CLIENT), String(end)).toThrow(GridError)
    }
    expect(() => readYjsUpdate(bytesOf([0, 0, 0]), 0, 3, CLIENT)).toThrow('trailing')
  })
})
