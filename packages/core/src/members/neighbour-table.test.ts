import { describe, expect, it } from 'vitest'
import type { Instant } from '../instant.ts'
import { HEARTBEAT_MS, REDIAL_GAP_MS, SUSPECT_AFTER_MS } from '../limits.ts'
import { NeighbourTable } from './neighbour-table.ts'

const at = (monotonicMs: number): Instant => ({ monotonicMs, wallMs: monotonicMs })
const DEAF_AFTER_MS = Math.max(2 * SUSPECT_AFTER_MS, REDIAL_GAP_MS)

/** Looks for a deaf neighbour at the usual intervals until then, while they say `saying`, and returns when there was one. */
function deafFrom(
  table: NeighbourTable,
  fromMs: number,
  untilMs: number,
  saying: readonly string[],
): number | undefined {
  for (let nowMs = fromMs; nowMs <= untilMs; nowMs += HEARTBEAT_MS) {
    for (const name of saying) table.heard(name, at(nowMs))
    if (table.deaf(1, at(nowMs)) !== undefined) return nowMs
  }
  return undefined
}

describe('a neighbour whose heartbeats do not come is redialled', () => {
  it('soon, if it says something else', () => {
    const table = new NeighbourTable()
    table.connected('a', at(0))
    expect(deafFrom(table, 0, 2 * DEAF_AFTER_MS, ['a'])).toBe(DEAF_AFTER_MS)
  })

  it('later, if it says nothing at all: it may get no processor time', () => {
    const table = new NeighbourTable()
    table.connected('a', at(0))
    const deafMs = deafFrom(table, 0, 10 * DEAF_AFTER_MS, [])
    expect(deafMs).toBeGreaterThan(6 * SUSPECT_AFTER_MS)
    expect(deafMs).toBeLessThanOrEqual(6 * SUSPECT_AFTER_MS + HEARTBEAT_MS)
  })

  it('not because this peer itself got no processor time, and after that time all the same', () => {
    const table = new NeighbourTable()
    table.connected('a', at(0))
    expect(deafFrom(table, 0, 10_000, ['a'])).toBeUndefined()
    const resumedMs = 10_000 + 10 * DEAF_AFTER_MS
    const deafMs = deafFrom(table, resumedMs, resumedMs + 2 * DEAF_AFTER_MS, ['a'])
    const forgivenMs = 2 * HEARTBEAT_MS
    expect(deafMs).toBeGreaterThan(resumedMs + 2 * SUSPECT_AFTER_MS - 10_000 - forgivenMs)
    expect(deafMs).toBeLessThanOrEqual(resumedMs + 2 * SUSPECT_AFTER_MS)
  })

  it('not because it was connected during such a pause', () => {
    const table = new NeighbourTable()
    table.deaf(1, at(0))
    table.connected('a', at(99_000))
    expect(deafFrom(table, 100_000, 200_000, ['a'])).toBeGreaterThanOrEqual(99_000 + DEAF_AFTER_MS)
  })

  it('one of them at a time, the longest silent first', () => {
    const table = new NeighbourTable()
    for (const [i, name] of ['a', 'b', 'c'].entries()) table.connected(name, at(3 - i))
    const redialled: [number, string][] = []
    for (let nowMs = 0; nowMs <= 3.5 * REDIAL_GAP_MS; nowMs += 1000) {
      for (const name of ['a', 'b', 'c']) table.heard(name, at(nowMs))
      const deaf = table.deaf(3, at(nowMs))
      if (deaf === undefined) continue
      redialled.push([nowMs, deaf])
      table.disconnected(deaf)
    }
    expect(redialled.map(([, name]) => name)).toEqual(['c', 'b', 'a'])
    const [first, second, third] = redialled.map(([nowMs]) => nowMs)
    expect(second! - first!).toBeGreaterThanOrEqual(REDIAL_GAP_MS)
    expect(third! - second!).toBeGreaterThanOrEqual(REDIAL_GAP_MS)
  })
})
