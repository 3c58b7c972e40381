import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { afterPatience } from './patience.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('a limit is over in time in a process that runs', async () => {
  let isOver = false
  afterPatience(4000, () => (isOver = true))
  await vi.advanceTimersByTimeAsync(3990)
  expect(isOver).toBe(false)
  await vi.advanceTimersByTimeAsync(10)
  expect(isOver).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

test('a limit gives turns to what it limits, however late the timers of a busy process are', () => {
  let turns = 0
  let isOver = false
  afterPatience(4000, () => (isOver = true))
  // Each turn lasts longer than the whole limit.
  for (; !isOver; turns++) {
    vi.setSystemTime(Date.now() + 5000)
    vi.advanceTimersToNextTimer()
  }
  expect(turns).toBe(80)
})

test('a limit that is cancelled leaves no timer', () => {
  const cancel = afterPatience(4000, () => undefined)
  vi.advanceTimersByTime(1000)
  cancel()
  expect(vi.getTimerCount()).toBe(0)
})
