import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClockVotes } from './clock-votes.ts'
import { CLOCK_VOTE_MAX_AGE_MS } from '../limits.ts'

/** The median as it is written in books. */
function medianOf(votes: readonly number[]): number | undefined {
  return votes.toSorted((a, b) => a - b)[(votes.length - 1) >> 1]
}

const reported = fc.record({
  peer: fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5'),
  ahead: fc.option(fc.integer({ min: -9, max: 9 })),
  passesMs: fc.nat(CLOCK_VOTE_MAX_AGE_MS / 2),
})

test('the median is that of the latest votes that are not too old, and of the own clock if it counts', () => {
  fc.assert(
    fc.property(fc.array(reported), fc.integer({ min: -9, max: 9 }), (events, own) => {
      const votes = new ClockVotes()
      const model = new Map<string, { ahead: number; atMs: number }>()
      let nowMs = 0
      for (const { peer, ahead, passesMs } of events) {
        nowMs += passesMs
        if (ahead === null) votes.delete(peer)
        else votes.set(peer, ahead, nowMs)
        if (ahead === null) model.delete(peer)
        else model.set(peer, { ahead, atMs: nowMs })
        votes.expire(nowMs)
        const young = [...model.values()].filter(({ atMs }) => nowMs - atMs <= CLOCK_VOTE_MAX_AGE_MS)
        const offsets = young.map((vote) => vote.ahead)
        expect(votes.size).toBe(offsets.length)
        expect(votes.median(undefined)).toBe(medianOf(offsets))
        expect(votes.median(own)).toBe(medianOf([own, ...offsets]))
      }
      votes.clear()
      expect(votes.median(undefined)).toBeUndefined()
      expect(votes.median(own)).toBe(own)
    }),
  )
})
