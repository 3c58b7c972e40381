import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HLC_MAX, HybridClock, hlcFromWall, wallFromHlc } from './hlc.ts'

const NOW = Date.UTC(2026, 10, 22)
const wall = fc.oneof(
  fc.integer({ min: NOW - 5, max: NOW + 5 }),
  fc.integer({ min: 0, max: NOW * 1.2 }),
  fc.double({ min: NOW, max: NOW + 1, noNaN: true }),
)

test('each reading is larger than the one before, however the wall clock moves', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(wall, fc.record({ seen: wall }))), (steps) => {
      const clock = new HybridClock()
      let last = -1
      for (const step of steps) {
        if (typeof step === 'object') {
          clock.observe(hlcFromWall(step.seen))
          expect(clock.last).toBeGreaterThanOrEqual(hlcFromWall(step.seen))
          continue
        }
        const reading = clock.tick(step)
        expect(reading).toBeGreaterThan(last)
        expect(reading).toBeGreaterThanOrEqual(hlcFromWall(step))
        expect(Number.isSafeInteger(reading)).toBe(true)
        expect(clock.last).toBe(reading)
        last = reading
      }
    }),
  )
})

test('while the wall clock stands still, the counter grows', () => {
  const clock = new HybridClock()
  const first = clock.tick(NOW)
  expect(clock.tick(NOW)).toBe(first + 1)
  expect(wallFromHlc(clock.last)).toBe(NOW)
})

test('a wall clock that jumps back changes nothing', () => {
  const clock = new HybridClock()
  const first = clock.tick(NOW)
  expect(clock.tick(NOW - 86_400_000)).toBe(first + 1)
  expect(clock.tick(NOW + 1)).toBe(hlcFromWall(NOW + 1))
})

test('a counter that overflows carries into the milliseconds', () => {
  const clock = new HybridClock()
  clock.tick(NOW)
  for (let i = 1; i < 4096; i++) clock.tick(NOW)
  expect(wallFromHlc(clock.last)).toBe(NOW)
  expect(wallFromHlc(clock.tick(NOW))).toBe(NOW + 1)
  expect(clock.tick(NOW + 1)).toBe(hlcFromWall(NOW + 1) + 1)
})

test('a reading seen elsewhere is passed by the next write', () => {
  const clock = new HybridClock()
  clock.tick(NOW)
  clock.observe(hlcFromWall(NOW + 500) + 7)
  expect(clock.tick(NOW)).toBe(hlcFromWall(NOW + 500) + 8)
  clock.observe(3)
  expect(clock.last).toBe(hlcFromWall(NOW + 500) + 8)
})

test('wall milliseconds survive the conversion, and 2094 still fits', () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2094, 0, 1) }), (wallMs) => {
      expect(wallFromHlc(hlcFromWall(wallMs))).toBe(wallMs)
      expect(wallFromHlc(hlcFromWall(wallMs) + 4095)).toBe(wallMs)
      expect(hlcFromWall(wallMs) + 4095).toBeLessThanOrEqual(HLC_MAX)
    }),
  )
})

test('a wall clock from before 2025 reads 0', () => {
  expect(hlcFromWall(0)).toBe(0)
  expect(new HybridClock().tick(0)).toBe(1)
})
