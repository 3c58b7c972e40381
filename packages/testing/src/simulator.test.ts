import { expect, test } from 'vitest'
import type { Application } from './application.ts'
import { FAULT_KINDS, drawFaultMix } from './fault-mix.ts'
import { Random } from './random.ts'
import { REGRESSION_SEEDS } from './regression-seeds.ts'
import { simulate } from './simulator.ts'

test('the same seed gives the same run, another seed another one', () => {
  const first = simulate({ seed: 5, peers: 4, minutes: 1 })
  expect(simulate({ seed: 5, peers: 4, minutes: 1 })).toEqual(first)
  expect(simulate({ seed: 6, peers: 4, minutes: 1 }).hash).not.toBe(first.hash)
})

test('the seed picks the peers, and options override it', () => {
  const drawn = simulate({ seed: 9, minutes: 0.2 })
  expect(drawn.peers).toBeGreaterThanOrEqual(3)
  expect(drawn.peers).toBeLessThanOrEqual(12)
  expect(simulate({ seed: 9, minutes: 0.2, peers: 2 }).peers).toBe(2)
})

test('every mix has three kinds of faults, and every kind is in some mix', () => {
  const mixes = Array.from({ length: 200 }, (_, seed) => drawFaultMix(new Random(seed)))
  for (const mix of mixes) expect(mix.size).toBeGreaterThanOrEqual(3)
  for (const kind of FAULT_KINDS) expect(mixes.some((mix) => mix.has(kind))).toBe(true)
})

test('a simulation fails when an application never finishes', () => {
  const idle = { act: () => undefined, remove: () => undefined, read: () => undefined, check: () => undefined }
  const more = (): Application[] => [{ ...idle, collections: [], isDone: () => false }]
  const { violations } = simulate({ seed: 5, peers: 3, minutes: 0.1, more })
  expect(violations).toEqual([expect.stringContaining('unsettled: after 300 s')])
})

test.each(Array.from({ length: 24 }, (_, i) => 1001 + i))('a grid keeps its promises in simulation %i', (seed) => {
  const result = simulate({ seed, minutes: 1 })
  expect(result.violations).toEqual([])
  expect(result).toMatchObject({ lost: 0, resurrected: 0, diverged: 0 })
  expect(result.writes).toBeGreaterThan(50)
})

test.each(REGRESSION_SEEDS)('seed $seed, fixed: $why', (options) => {
  expect(simulate(options).violations).toEqual([])
})
