import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeElement, encodeElement, isElementText } from './set-element.ts'

/** Whatever may stand in a set, no deeper than applications go. */
const leaf = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }),
  fc.constant(null),
  fc.uint8Array({ maxLength: 20 }),
  fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
)
const element = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 4 }),
  fc.dictionary(
    fc.string({ maxLength: 5 }).filter((key) => key !== '__proto__'),
    fc.oneof(leaf, fc.array(leaf)),
    {
      maxKeys: 5,
      noNullPrototype: true,
    },
  ),
)

function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned)
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, part]) => [key, turned(part)]),
  )
}

describe('elements', () => {
  it('what was put in comes out, whatever it is', () => {
    fc.assert(
      fc.property(element, (value) => {
        expect(decodeElement(encodeElement(value))).toEqual(value)
      }),
    )
  })

  it('equal content has one text, in whatever order the keys of objects stand', () => {
    fc.assert(
      fc.property(element, (value) => {
        expect(encodeElement(turned(structuredClone(value)))).toBe(encodeElement(value))
      }),
    )
  })

  it('different content has different texts', () => {
    const texts = [1, 1n, '1', true, 'true', null, 'null', '', [], [1], {}, { a: 1 }, { a: '1' }, new Date(1)].map(
      encodeElement,
    )
    texts.push(
      ...[Uint8Array.of(1), Uint8Array.of(1, 0), '\u0000', 'a\u0000b', 0.5, { a: { b: 1 } }].map(encodeElement),
    )
    expect(new Set(texts).size).toBe(texts.length)
  })

  it('no text holds the mark that parts keys', () => {
    for (const value of ['\u0000', 'a\u0000b', { 'a\u0000': '\u0000' }]) {
      expect(encodeElement(value)).not.toContain('\u0000')
      expect(decodeElement(encodeElement(value))).toEqual(value)
    }
  })

  it('zero and minus zero are one element', () => {
    expect(encodeElement(-0)).toBe(encodeElement(0))
    expect(encodeElement([-0])).toBe(encodeElement([0]))
  })

  it('what cannot be one is refused with what is wrong with it', () => {
    for (const value of [
      undefined,
      Number.NaN,
      Infinity,
      [Number.NaN],
      { a: -Infinity },
      () => 1,
      new Map(),
      '\ud800',
    ]) {
      expect(() => encodeElement(value)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
    }
    expect(() => encodeElement({ a: { b: () => 1 } })).toThrow(/a\.b/)
  })

  it('the longest element takes 1,006 bytes as text, and the refusal of a longer one says what is allowed', () => {
    expect(decodeElement(encodeElement('x'.repeat(1006)))).toHaveLength(1006)
    expect(() => encodeElement('x'.repeat(1007))).toThrow(/1008 bytes in a key, but 1007 are allowed/)
    expect(() => encodeElement('ä'.repeat(504))).toThrow(/1009 bytes/)
    expect(decodeElement(encodeElement(new Uint8Array(750)))).toHaveLength(750)
    for (const long of [new Uint8Array(751), new Uint8Array(5000), '\u0000'.repeat(2000)]) {
      expect(() => encodeElement(long)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
    }
  })

  it('a text that no peer makes stands for nothing: neither another form of an element nor rubbish', () => {
    const [one, other] = [btoa('\u00a2aa\u0001ab\u0002'), btoa('\u00a2ab\u0002aa\u0001')]
    expect(decodeElement(`c${one}`)).toEqual({ a: 1, b: 2 })
    for (const text of [`c${other}`, `c${one} `, 'c', 'c!', 'cxxxx', 'x', '', 'c9w==', `c${btoa('\u0018\u0001')}`]) {
      expect(decodeElement(text), text).toBeUndefined()
      expect(isElementText(text)).toBe(false)
    }
  })
})
