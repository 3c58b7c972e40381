import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DemoRun } from './demo-run.ts'

const DEMO_MAX_MS = 300_000

let demo: DemoRun

beforeEach(async () => {
  demo = await DemoRun.create()
})
afterEach(() => demo.remove())

test('the demo converges, loses nothing, says so in one line, and cleans up', { timeout: DEMO_MAX_MS }, async () => {
  const { code, stdout, stderr } = await demo.ended()
  expect(stderr).toContain('nothing acknowledged is lost')
  expect(code).toBe(0)
  expect(stdout.trim().split('\n')).toHaveLength(1)
  const outcome = JSON.parse(stdout) as {
    fingerprints: string[]
    healBytes: number
    splitWrites: number
    conflicts: number
  }
  const number: unknown = expect.any(Number)
  expect(outcome).toEqual({
    peers: 5,
    entries: number,
    splitWrites: number,
    conflicts: number,
    lostWrites: 0,
    converged: true,
    fingerprints: Array.from({ length: 5 }, () => expect.stringMatching(/^[0-9a-f]{16}$/) as unknown),
    loadMs: number,
    spreadMs: number,
    healMs: number,
    healBytes: number,
  })
  // A batch of ten was under way when its peer was killed. Its deletes may have happened, and are not acknowledged
  // later.
  expect(outcome.splitWrites).toBeGreaterThanOrEqual(3170)
  expect(outcome.conflicts).toBeGreaterThanOrEqual(140)
  expect(new Set(outcome.fingerprints).size).toBe(1)
  expect(outcome.healBytes).toBeGreaterThan(0)
  expect(await demo.leftovers()).toEqual([])
})

test("a write dropped behind the grid's back fails the demo, which names it", { timeout: DEMO_MAX_MS }, async () => {
  const { code, stdout, stderr } = await demo.ended('--sabotage')
  expect(code).toBe(1)
  expect(stderr.replace(/\s+/g, ' ')).toMatch(/missing at peer 5: key \S+, acknowledged by peer [1-4] /)
  expect(JSON.parse(stdout)).toMatchObject({ converged: true, lostWrites: 1 })
})

test('when the demo is killed, its peers end and remove their folders', { timeout: DEMO_MAX_MS }, async () => {
  await demo.tells('Load 2,000 cities')
  expect(await demo.leftovers()).toHaveLength(1)
  // In the middle of the load its peers have messages for it.
  await delay(200)
  demo.kill()
  await expect.poll(() => demo.leftovers()).toEqual([])
})
