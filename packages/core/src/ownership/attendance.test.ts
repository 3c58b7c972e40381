import { describe, expect, it } from 'vitest'
import { AWAY_AFTER_MS, BACK_AFTER_MS, MEMORY_AWAY_AFTER_MS, OWNERSHIP_GAP_MS } from '../limits.ts'
import { Attendance } from './attendance.ts'
import type { Marks } from './attendance.ts'

const NOTHING: Marks = { away: [], back: [] }

/** The watch of one peer over some owners, with the time in its hands. */
class Watch {
  readonly attendance: Attendance
  readonly gone = new Set<string>()
  readonly away = new Set<string>()
  nowMs = 5000

  constructor(self: string) {
    this.attendance = new Attendance(self)
  }

  /** Looks once a second; returns what is to be marked at the end of it, and marks it. */
  pass(ms: number, stepMs = OWNERSHIP_GAP_MS): Marks[] {
    const marks: Marks[] = []
    for (const endMs = this.nowMs + ms; this.nowMs < endMs;) {
      this.nowMs += stepMs
      const found = this.look()
      if (found.away.length + found.back.length > 0) marks.push(found)
      for (const peer of found.away) this.away.add(peer)
      for (const peer of found.back) this.away.delete(peer)
    }
    return marks
  }

  look(): Marks {
    const owners = ['b', 'c', 'd'].map((peerId) => ({ peerId, durable: peerId !== 'd' }))
    return this.attendance.look(owners, this.away, (peer) => !this.gone.has(peer), this.nowMs)
  }
}

describe('an owner that is gone', () => {
  it('is marked as away after five minutes, and after one if it has no directory', () => {
    const watch = new Watch('b')
    watch.gone.add('c').add('d')
    expect(watch.pass(MEMORY_AWAY_AFTER_MS - OWNERSHIP_GAP_MS)).toEqual([])
    expect(watch.pass(2 * OWNERSHIP_GAP_MS)).toEqual([{ away: ['d'], back: [] }])
    expect(watch.pass(AWAY_AFTER_MS - MEMORY_AWAY_AFTER_MS - 2 * OWNERSHIP_GAP_MS)).toEqual([])
    expect(watch.pass(2 * OWNERSHIP_GAP_MS)).toEqual([{ away: ['c'], back: [] }])
    expect(watch.pass(AWAY_AFTER_MS)).toEqual([])
  })

  it('is not marked if it shows up now and then', () => {
    const watch = new Watch('b')
    for (let minute = 0; minute < 20; minute++) {
      watch.gone.add('c')
      expect(watch.pass(AWAY_AFTER_MS - 10_000)).toEqual([])
      watch.gone.delete('c')
      expect(watch.pass(OWNERSHIP_GAP_MS)).toEqual([])
    }
  })

  it('counts again once it has been there for a minute without a break', () => {
    const watch = new Watch('b')
    watch.away.add('c')
    expect(watch.pass(BACK_AFTER_MS - 5000)).toEqual([])
    watch.gone.add('c')
    expect(watch.pass(5000)).toEqual([])
    watch.gone.delete('c')
    expect(watch.pass(BACK_AFTER_MS - OWNERSHIP_GAP_MS)).toEqual([])
    expect(watch.pass(2 * OWNERSHIP_GAP_MS)).toEqual([{ away: [], back: ['c'] }])
  })
})

describe('the peer that marks', () => {
  it('is the one with the smallest peer id of the owners that are there', () => {
    const watch = new Watch('c')
    watch.gone.add('d')
    expect(watch.pass(2 * AWAY_AFTER_MS)).toEqual([])
    watch.gone.add('b')
    // It has watched all the time: what it knows of the others counts at once.
    expect(watch.pass(OWNERSHIP_GAP_MS)).toEqual([{ away: ['d'], back: [] }])
    expect(watch.pass(AWAY_AFTER_MS)).toEqual([{ away: ['b'], back: [] }])
  })

  it('is an owner itself', () => {
    const watch = new Watch('a')
    watch.gone.add('b').add('c').add('d')
    expect(watch.pass(2 * AWAY_AFTER_MS)).toEqual([])
  })

  it('never marks itself as away, and itself as back only when it has reached others for a minute', () => {
    const watch = new Watch('b')
    watch.gone.add('b')
    expect(watch.pass(2 * AWAY_AFTER_MS)).toEqual([])
    watch.away.add('b')
    watch.gone.delete('b')
    expect(watch.pass(BACK_AFTER_MS - OWNERSHIP_GAP_MS)).toEqual([])
    expect(watch.pass(2 * OWNERSHIP_GAP_MS)).toEqual([{ away: [], back: ['b'] }])
  })

  it('counts only the time in which it ran: after ten minutes of standing still no peer is away', () => {
    const watch = new Watch('b')
    watch.pass(1000)
    watch.gone.add('c').add('d')
    watch.nowMs += 600_000
    expect(watch.look()).toEqual(NOTHING)
    expect(watch.pass(MEMORY_AWAY_AFTER_MS - 5000)).toEqual([])
    expect(watch.pass(5000)).toEqual([{ away: ['d'], back: [] }])
  })
})
