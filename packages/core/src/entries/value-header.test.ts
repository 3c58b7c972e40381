import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import {
  checkExpiry,
  expiring,
  expiryOf,
  hasHeader,
  isDelete,
  isSwept,
  lasting,
  lastingEnd,
  payloadOf,
  scanStored,
  subjectOf,
  sweptForm,
  withoutSubject,
  writtenBy,
} from './value-header.ts'

const subjects = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => text.isWellFormed())
const dates = fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 2 ** 41 }))
const values = fc.oneof(
  fc.jsonValue(),
  fc.constant(['\0ttl', 1.5, 'x']),
  subjects.map((subject) => ['\0by', subject, 1.5, 'x']),
)

/** As a map stores a value. */
function stored(value: unknown, expiresAtMs: number): Uint8Array {
  const bytes = encodeValue(value, 100_000)
  return expiresAtMs === Infinity ? lasting(bytes) : expiring(bytes, expiresAtMs)
}

function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)]
}

const all = (bytes: Uint8Array): [Uint8Array, number, number] => [bytes, 0, bytes.length]

describe('the header of a value', () => {
  it('keeps the subject, the date and the value, whatever the value looks like', () => {
    fc.assert(
      fc.property(subjects, dates, values, (subject, date, value) => {
        const bare = stored(value, date)
        const bytes = writtenBy(subject, bare)
        scanStored(...all(bytes))
        checkExpiry(...all(bytes))
        expect([subjectOf(bytes), expiryOf(bytes)]).toEqual([subject, date])
        expect(payloadOf(bytes)).toEqual(encodeValue(value, 100_000))
        expect(withoutSubject(bytes)).toEqual(bare)
        expect([subjectOf(bare), withoutSubject(bare)]).toEqual([undefined, bare])
        expect([isSwept(...all(bytes)), isDelete(bytes)]).toEqual([false, false])
      }),
    )
  })

  it('takes another subject in place of one that the bytes claim', () => {
    fc.assert(
      fc.property(subjects, subjects, dates, values, (claimed, subject, date, value) => {
        const bare = stored(value, date)
        expect(writtenBy(subject, writtenBy(claimed, bare))).toEqual(writtenBy(subject, bare))
        expect(writtenBy(subject, writtenBy(claimed, undefined))).toEqual(writtenBy(subject, undefined))
      }),
    )
  })

  it('says of a delete who did it, and that it may be purged from the first floor on', () => {
    const bytes = writtenBy('ada', undefined)
    scanStored(...all(bytes))
    expect([isDelete(bytes), isSwept(...all(bytes)), subjectOf(bytes), expiryOf(bytes)]).toEqual([true, true, 'ada', 0])
  })

  it('outlives its value: swept, it has the same subject and date', () => {
    fc.assert(
      fc.property(subjects, fc.integer({ min: 1, max: 2 ** 41 }), values, (subject, date, value) => {
        const bytes = writtenBy(subject, stored(value, date))
        const swept = sweptForm(bytes)
        expect([subjectOf(swept), expiryOf(swept), isSwept(...all(swept))]).toEqual([subject, date, true])
        expect(swept.subarray(0, -1)).toEqual(bytes.subarray(0, lastingEnd(...all(bytes))))
      }),
    )
  })

  it('does not count as a level of the value', () => {
    for (const bytes of [stored(nested(64), 5), writtenBy('ada', stored(nested(64), 5))]) scanStored(...all(bytes))
    const deeper = new Uint8Array([0x81, ...encodeValue(nested(64), 1000)])
    for (const bytes of [deeper, expiring(deeper, 5), writtenBy('ada', deeper)])
      expect(() => scanStored(...all(bytes))).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
  })

  it('is read of any bytes, and never past their end', () => {
    const bytes = writtenBy('ada', stored(1, 5))
    for (let end = 0; end < bytes.length; end++) {
      expect(hasHeader(bytes, 0, end)).toBe(false)
      expect(hasHeader(bytes.subarray(0, end), 0, end)).toBe(false)
    }
    const notUtf8 = bytes.slice()
    notUtf8[7] = 0xff
    expect(() => scanStored(...all(notUtf8))).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
    const trailing = new Uint8Array([...bytes, 1])
    expect(() => scanStored(...all(trailing))).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
    const dated = expiring(Uint8Array.of(1), NaN)
    expect(() => checkExpiry(...all(dated))).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
  })
})
