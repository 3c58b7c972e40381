import { expect, it } from 'vitest'
import { Arrivals } from './arrivals.ts'

it('thirty arrivals a minute are fine, and one more is too many, whoever else comes', () => {
  const arrivals = new Arrivals()
  for (let i = 0; i < 30; i++) {
    expect(arrivals.note('ada', i * 1000)).toBe(true)
    expect(arrivals.note(`somebody ${i}`, i * 1000)).toBe(true)
  }
  expect(arrivals.note('ada', 59_000)).toBe(false)
  expect(arrivals.note('ben', 59_000)).toBe(true)
})

it('a new minute begins anew', () => {
  const arrivals = new Arrivals()
  for (let i = 0; i < 100; i++) arrivals.note('ada', 0)
  expect(arrivals.note('ada', 60_000)).toBe(true)
})
