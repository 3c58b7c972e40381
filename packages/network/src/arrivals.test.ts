import { expect, it } from 'vitest'
import { Arrivals } from './arrivals.ts'

it('thirty arrivals of one peer a minute are fine and one more is too many, whatever other peers do', () => {
  const arrivals = new Arrivals()
  for (let i = 0; i < 30; i++) {
    expect(arrivals.record('ada', i * 1000)).toBe(true)
    expect(arrivals.record(`other ${i}`, i * 1000)).toBe(true)
  }
  expect(arrivals.record('ada', 59_000)).toBe(false)
  expect(arrivals.record('ben', 59_000)).toBe(true)
})

it('every minute is counted on its own', () => {
  const arrivals = new Arrivals()
  for (let i = 0; i < 100; i++) arrivals.record('ada', 0)
  expect(arrivals.record('ada', 60_000)).toBe(true)
})
