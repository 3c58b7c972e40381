import { describe, expect, it } from 'vitest'
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, backoffMs, spreadMs } from './backoff.ts'

describe('the wait before a redial', () => {
  it.each([
    [0, 500],
    [1, 1000],
    [2, 2000],
    [5, 16_000],
    [6, 30_000],
    [40, 30_000],
    [5000, 30_000],
  ])('after %i failures is at most %i ms and at least half of that', (failures, limitMs) => {
    expect(backoffMs(failures, 0)).toBe(limitMs / 2)
    expect(backoffMs(failures, 0.999_999)).toBeLessThanOrEqual(limitMs)
    expect(limitMs).toBeGreaterThanOrEqual(BACKOFF_MIN_MS)
    expect(limitMs).toBeLessThanOrEqual(BACKOFF_MAX_MS)
  })
})

describe('the time over which redials spread', () => {
  it.each([
    [0, 0],
    [16, 0],
    [17, 60],
    [200, 11_040],
    [1000, 30_000],
    [1_000_000, 30_000],
  ])('in a grid of %i members is %i ms', (members, limitMs) => {
    expect(spreadMs(members, 0)).toBe(0)
    expect(spreadMs(members, 1)).toBe(limitMs)
  })
})
