import { describe, expect, it } from 'vitest'
import { SubjectRates } from './subject-rates.ts'

describe('a subject', () => {
  it('may write ten seconds ahead of its rate at once, and then waits', () => {
    const rates = new SubjectRates({ writesPerSecond: 10, bytesPerSecond: 1024 })
    expect(rates.delayMs('ada', 100, 0, 5000)).toBe(0)
    expect(rates.delayMs('ada', 10, 0, 5000)).toBe(1000)
    expect(rates.delayMs('ada', 10, 0, 6000)).toBe(1000)
    expect(rates.delayMs('bob', 100, 0, 6000)).toBe(0)
  })

  it('is slowed down by bytes as well, and has its burst again after a rest', () => {
    const rates = new SubjectRates({ writesPerSecond: 1000, bytesPerSecond: 1000 })
    expect(rates.delayMs('ada', 1, 12_000, 0)).toBe(2000)
    expect(rates.delayMs('ada', 1, 10_000, 60_000)).toBe(0)
  })
})
