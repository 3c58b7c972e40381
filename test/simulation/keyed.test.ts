import { simulate } from '@gossipgrid/testing/simulation'
import { afterEach, expect, test, vi } from 'vitest'
import { KINDS } from '../../packages/core/src/kinds/kinds.ts'
import { NO_SHARE } from '@gossipgrid/core'
import { KeyCounts } from '../../packages/grid/src/keyed/key-counts.ts'
import { KeyElements } from '../../packages/grid/src/keyed/key-elements.ts'
import { CountersApplication } from './counters-application.ts'
import { SetsApplication } from './sets-application.ts'

afterEach(() => vi.restoreAllMocks())

function run(seed: number): readonly string[] {
  const more = (): (CountersApplication | SetsApplication)[] => [new CountersApplication(), new SetsApplication()]
  return simulate({ seed, peers: 5, minutes: 1, kinds: [], direct: seed % 2 === 0, more }).violations
}

/** Plants a bug in the code that the simulated peers run, and returns a function that removes it. */
type Mutant = () => () => void

const MUTANTS: Readonly<Record<string, Mutant>> = {
  'a delete of a counter does not say what it has seen': () => {
    const { deletesOf } = KeyCounts.prototype
    const spy = vi.spyOn(KeyCounts.prototype, 'deletesOf').mockImplementation(function (this: KeyCounts, rows) {
      return deletesOf.call(this, rows).filter(({ bytes }) => bytes === undefined)
    })
    return () => spy.mockRestore()
  },
  'a delete of a counter says that it has seen more than it had': () => {
    const { deletesOf } = KeyCounts.prototype
    const spy = vi.spyOn(KeyCounts.prototype, 'deletesOf').mockImplementation(function (this: KeyCounts, rows) {
      return deletesOf.call(
        this,
        rows.map((row) => ({ ...row, share: { up: row.share.up + 1000, down: row.share.down + 1000 } })),
      )
    })
    return () => spy.mockRestore()
  },
  'a peer counts again in a slot that a delete has removed': () => {
    const { ownOf } = KeyCounts.prototype
    const spy = vi.spyOn(KeyCounts.prototype, 'ownOf').mockImplementation(function (this: KeyCounts, key) {
      const own = ownOf.call(this, key)
      return own.share === NO_SHARE ? { slot: own.slot.slice(0, 16), share: NO_SHARE } : own
    })
    return () => spy.mockRestore()
  },
  'a remove wins over an add that it has not seen': () => {
    const rules = KINDS.sets as { addWins: boolean }
    rules.addWins = false
    return () => (rules.addWins = true)
  },
  'a delete wins over counts that it has not seen': () => {
    const rules = KINDS.counters as { addWins: boolean }
    rules.addWins = false
    return () => (rules.addWins = true)
  },
  'a remove misses an add of another peer': () => {
    const { rows } = KeyElements.prototype
    const spy = vi.spyOn(KeyElements.prototype, 'rows').mockImplementation(function (this: KeyElements, ...given) {
      const [, isPresent] = given
      const found = rows.apply(this, given)
      return isPresent ? found : found.slice(0, 1)
    })
    return () => spy.mockRestore()
  },
}

/** Seeds of which one finds each planted bug. */
const SEEDS = [1, 6, 8, 10, 11, 22, 23, 3]

test.each(SEEDS)('counters and sets under keys keep their promises, under the faults of seed %i', (seed) => {
  expect(run(seed)).toEqual([])
})

test.each(Object.keys(MUTANTS))('the simulator finds the planted bug: %s', { timeout: 120_000 }, (name) => {
  const restore = MUTANTS[name]!()
  try {
    const found = SEEDS.find((seed) => run(seed).length > 0)
    expect(found).toBeDefined()
  } finally {
    restore()
  }
})
