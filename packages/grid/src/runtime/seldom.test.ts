import { expect, test } from 'vitest'
import { Seldom } from './seldom.ts'

test('each thing is said once in a while, and no more than a thousand are remembered', () => {
  const seldom = new Seldom(60_000)
  expect([0, 1, 59_999, 60_000, 60_001].map((nowMs) => seldom.due('a', nowMs))).toEqual([
    true,
    false,
    false,
    true,
    false,
  ])
  expect(seldom.due('b', 60_001)).toBe(true)
  for (let i = 0; i < 1000; i++) seldom.due(`thing ${i}`, 60_002)
  expect(seldom.due('b', 60_003)).toBe(true)
  expect(seldom.due('thing 999', 60_003)).toBe(false)
})
