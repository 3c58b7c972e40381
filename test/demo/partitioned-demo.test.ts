import { afterEach, beforeEach, expect, test } from 'vitest'
import { DemoRun } from './demo-run.ts'

const DEMO_MAX_MS = 600_000

let demo: DemoRun

beforeEach(async () => {
  demo = await DemoRun.create()
})
afterEach(() => demo.remove())

test(
  'with --partitioned, peers come and go under load, and each entry stays on three',
  { timeout: DEMO_MAX_MS },
  async () => {
    const { code, stdout, stderr } = await demo.ended('--partitioned')
    expect(stderr).toContain('Nothing acknowledged is lost or was missed, and each entry is on 3 peers.')
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    const number: unknown = expect.any(Number)
    const outcome = JSON.parse(stdout) as { entries: number; movedBytes: number; movedOverOptimum: number }
    expect(outcome).toEqual({
      ...{ peers: 7, entries: number, lostWrites: 0, failedReads: 0, failedWrites: number, falseMissing: 0 },
      ...{ copiesMin: 3, copiesMax: 3, movedBytes: number, movedOverOptimum: number },
      ...{ p99MsSteady: number, p99MsMoving: number },
    })
    expect(outcome.entries).toBeGreaterThan(1000)
    expect(outcome.movedOverOptimum).toBeGreaterThan(0.5)
    expect(await demo.leftovers()).toEqual([])
  },
)

test(
  'an entry dropped from one copy fails the partitioned demo, which names it',
  { timeout: DEMO_MAX_MS },
  async () => {
    const { code, stdout, stderr } = await demo.ended('--partitioned', '--sabotage')
    expect(code).toBe(1)
    expect(stderr).toMatch(/Key \S+ is in 2 copies/)
    // Whether a read misses it depends on which owner it asks, and on what the reader has read before.
    expect(JSON.parse(stdout)).toMatchObject({ copiesMin: 2, copiesMax: 3, failedReads: 0, falseMissing: 0 })
  },
)
