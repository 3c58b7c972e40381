import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { onBeat, untilBeatMs } from './beat.ts'

describe('the beat of a process', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('brings all tasks of an interval in the same moment, whenever they began', async () => {
    const at: number[][] = [[], [], []]
    const ends: (() => void)[] = []
    for (const times of at) {
      ends.push(onBeat(1000, () => times.push(Date.now())))
      await vi.advanceTimersByTimeAsync(277)
    }
    await vi.advanceTimersByTimeAsync(10_000)
    for (const end of ends) end()
    const [first, ...others] = at.map((times) => times.slice(-9))
    expect(first).toHaveLength(9)
    for (const times of others) expect(times).toEqual(first)
    for (let i = 1; i < 9; i++) expect(first![i]! - first![i - 1]!).toBe(1000)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(at[0]!.slice(-9)).toEqual(first)
  })

  it('does not come twice when a timer ends early, and comes after the wall clock was set back', async () => {
    const beatAtMs = Date.now() + untilBeatMs(1000)
    for (const earlyMs of [1, 20, 249]) {
      vi.setSystemTime(beatAtMs - earlyMs)
      expect(untilBeatMs(1000)).toBeGreaterThan(1000)
    }
    let beats = 0
    const end = onBeat(1000, () => (beats += 1))
    vi.setSystemTime(Date.now() - 86_400_000)
    await vi.advanceTimersByTimeAsync(5000)
    end()
    expect(beats).toBeGreaterThanOrEqual(4)
  })
})
