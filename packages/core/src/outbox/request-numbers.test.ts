import { expect, test } from 'vitest'
import { RequestNumbers } from './request-numbers.ts'

test('two lives of a peer never have a number in common, and all numbers are exact', () => {
  const lives = ['0000000000000000', '00000001ffffffff', 'ffffffffffffffff'].map((id) => new RequestNumbers(id))
  const numbers = lives.flatMap((life) => Array.from({ length: 1000 }, () => life.next()))
  expect(new Set(numbers).size).toBe(3000)
  expect(numbers.every(Number.isSafeInteger)).toBe(true)
})
