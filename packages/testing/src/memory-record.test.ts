import { expect, it } from 'vitest'
import { MemoryRecord } from './memory-record.ts'

function recordOf(bytesAt: (minute: number) => number, minutes: number): MemoryRecord {
  let minute = 0
  const record = new MemoryRecord(() => bytesAt(minute))
  for (; minute < minutes; minute++) record.sample(minute)
  return record
}

it('growing memory is distinguished from memory that has settled', () => {
  expect(recordOf((minute) => 100 + minute, 180).growth).toBeCloseTo(0.316, 2)
  expect(recordOf((minute) => 200 - 150 / (1 + minute), 180).growth).toBeLessThan(0.01)
})

it('a single outlier does not matter', () => {
  expect(recordOf((minute) => (minute === 170 ? 10_000 : 100), 180).growth).toBe(0)
})

it('a few samples give no answer', () => {
  expect(recordOf(() => 100, 8).growth).toBeUndefined()
})
