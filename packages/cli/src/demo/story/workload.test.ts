import { expect, test } from 'vitest'
import { planWorkload, workloadSize } from './workload.ts'

const cities = new Map(Array.from({ length: 3000 }, (_, i) => [`city-${i}`, { name: `City ${i}` }]))

test('each side edits, deletes and adds the expected number, and shares only the contested keys', () => {
  const size = workloadSize(cities.size)
  expect(size).toEqual({ edits: 1000, deletes: 220, adds: 220, contested: 150 })
  const sides = planWorkload(cities, size, Math.random)
  for (const writes of sides) {
    const known = writes.filter(({ key }) => cities.has(key))
    expect(writes).toHaveLength(1590)
    expect(known.filter(({ value }) => value !== null).length).toBeGreaterThanOrEqual(1000)
    expect(known.filter(({ value }) => value === null).length).toBeGreaterThanOrEqual(200)
    expect(writes.length - known.length).toBeGreaterThanOrEqual(200)
    const deleted = new Set(writes.filter(({ value }) => value === null).map(({ key }) => key))
    expect(writes.filter(({ key, value }) => value !== null && deleted.has(key))).toEqual([])
  }
  const left = new Set(sides[0].map(({ key }) => key))
  expect(new Set(sides[1].map(({ key }) => key).filter((key) => left.has(key))).size).toBe(150)
})

test('a small data set gets a small workload', () => {
  const few = new Map([...cities].slice(0, 100))
  const sides = planWorkload(few, workloadSize(few.size), Math.random)
  expect(sides.map((writes) => writes.length)).toEqual([79, 79])
})
