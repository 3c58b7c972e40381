import { expect, test } from 'vitest'
import { parseDuration, parseTtl } from './options.ts'

test('times have every unit; a bare number counts seconds', () => {
  const read = ['500ms', '5s', '2m', '1.5h', '1d', '7'].map(parseDuration)
  expect(read).toEqual([500, 5000, 120_000, 5_400_000, 86_400_000, 7000])
})

test('a time to live may be longer than a timer can wait', () => {
  expect(parseTtl('3650d')).toBe(3650 * 86_400_000)
  expect(() => parseDuration('3650d')).toThrow(/500ms, 5s or 2m/)
})

test('an invalid time is refused', () => {
  for (const text of ['', '0', '-1s', '5 s', 's', '1w', '1e3']) {
    expect(() => parseTtl(text)).toThrow(/30s, 5m, 12h or 90d/)
    expect(() => parseDuration(text)).toThrow(/500ms, 5s or 2m/)
  }
  expect(() => parseTtl('3651d')).toThrow(/ten years/)
})
