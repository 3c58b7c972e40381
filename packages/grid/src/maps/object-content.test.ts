import { decodeValue, encodeValue, scanCbor } from '@gossipgrid/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { objectContent } from './object-content.ts'

const names = fc.string({ unit: 'binary', maxLength: 300 }).filter((name) => name !== '__proto__')

it('an object that is put together from encoded fields decodes to these fields, in any order', () => {
  const fields = fc.uniqueArray(fc.tuple(names, fc.oneof(fc.integer(), fc.string({ unit: 'binary' }))), {
    selector: ([name]) => name,
    maxLength: 40,
  })
  fc.assert(
    fc.property(fields, (pairs) => {
      const encoded = pairs.map(([name, value]) => [name, encodeValue(value, 10_000)] as const)
      const content = objectContent(encoded)
      scanCbor(content)
      expect(decodeValue(content)).toEqual(Object.fromEntries(pairs))
      expect(objectContent(encoded.toReversed())).toEqual(content)
    }),
  )
})

it('there may be very many fields', () => {
  for (const count of [0, 23, 24, 255, 256]) {
    const fields = Array.from({ length: count }, (_, i) => [`f${i}`, Uint8Array.of(7)] as const)
    const names = fields.map(([name]) => [name, 7] as const).toSorted(byName)
    const whole = encodeValue(Object.fromEntries(names), 1_000_000)
    expect(Buffer.compare(objectContent(fields), whole)).toBe(0)
  }
})

it('there may be more fields than two bytes can count', () => {
  const fields = Array.from({ length: 65_536 }, () => ['f', Uint8Array.of(7)] as const)
  expect([...objectContent(fields).subarray(0, 8)]).toEqual([0xba, 0, 1, 0, 0, 0x61, 0x66, 7])
})

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
