import { Drops, DroppedNames } from '@gossipgrid/core/internals'
import { afterEach, expect, test, vi } from 'vitest'
import { DropApplication } from './drop-application.ts'
import { simulate } from './simulator.ts'

afterEach(() => vi.restoreAllMocks())

function run(seed: number): readonly string[] {
  const direct = seed % 2 === 0
  return simulate({
    seed,
    peers: 5,
    minutes: 1,
    kinds: ['map'],
    direct,
    more: (ledger) => [new DropApplication(ledger)],
  }).violations
}

const MUTANTS: Readonly<Record<string, () => void>> = {
  'rows of what was dropped are taken': () => {
    vi.spyOn(DroppedNames.prototype, 'isDropped').mockReturnValue(false)
  },
  'a drop takes what was started over with it': () => {
    const { isDropped } = DroppedNames.prototype
    vi.spyOn(DroppedNames.prototype, 'isDropped').mockImplementation(function (this: DroppedNames, of) {
      return isDropped.call(this, of) || isDropped.call(this, { ...of, collection: earlier(of.collection) })
    })
  },
  'what a crash left in the store of a dropped collection stays there': () => {
    const { start } = Drops.prototype
    const { isDropped } = DroppedNames.prototype
    let isStarting = false
    vi.spyOn(Drops.prototype, 'start').mockImplementation(function (this: Drops) {
      isStarting = true
      start.call(this)
      isStarting = false
    })
    vi.spyOn(DroppedNames.prototype, 'isDropped').mockImplementation(function (this: DroppedNames, of) {
      return !isStarting && isDropped.call(this, of)
    })
  },
}

/** The name of the generation before. */
function earlier(stored: string): string {
  const at = stored.indexOf('\uE000')
  if (at < 0) return stored
  const generation = Number(stored.slice(at + 1)) - 1
  return generation === 0 ? stored.slice(0, at) : `${stored.slice(0, at)}\uE000${generation}`
}

const SEEDS = [1, 2, 3, 4, 5, 6]

test.each(SEEDS)('what was dropped stays away, and nothing else goes, under the faults of seed %i', (seed) => {
  expect(run(seed)).toEqual([])
})

test.each(Object.keys(MUTANTS))('the simulator finds the planted bug: %s', { timeout: 120_000 }, (name) => {
  MUTANTS[name]!()
  const found = SEEDS.find((seed) => run(seed).length > 0)
  if (process.env['WHICH'] !== undefined) console.log(name, found, run(found ?? 1)[0])
  expect(found).toBeDefined()
})
