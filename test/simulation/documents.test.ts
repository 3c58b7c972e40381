import { DropApplication, simulate } from '@gossipgrid/testing/simulation'
import type { SimulationOptions } from '@gossipgrid/testing/simulation'
import { afterEach, expect, test, vi } from 'vitest'
import { LagTable } from '../../packages/core/src/digests/lag.ts'
import { CountersApplication } from './counters-application.ts'
import { DocumentApplication } from './document-application.ts'
import { SetsApplication } from './sets-application.ts'

afterEach(() => vi.restoreAllMocks())

const ALL_KINDS = ['map', 'counter', 'set', 'fields', 'expiry'] as const

/** Seeds that failed once, and what was wrong; and some that never did. */
const SEEDS = [
  { seed: 2, why: 'never failed' },
  { seed: 4, why: 'never failed' },
  { seed: 2025, why: 'a row that waited for another waiting row was not shown when both could be' },
  { seed: 2054, why: 'the same' },
  { seed: 4218, why: 'edits that arrived in a later generation were counted as lost' },
  { seed: 4212, why: 'edits of a peer whose disk was set back were not rebased through two generations' },
  { seed: 4112, why: 'the start of a generation that lost was removed while edits in it were still to arrive' },
  { seed: 4264, why: 'never failed, and took long: rows dated 139 s ahead were quarantined' },
  { seed: 3031, why: 'edits of a peer that was gone were not rebased where others waited for them' },
] as const

test.each(SEEDS)('documents keep what is typed and not deleted, under the faults of seed $seed: $why', ({ seed }) => {
  const application = new DocumentApplication()
  const { violations, writes } = simulate({ seed, minutes: 1, kinds: [], more: () => [application] })
  expect(violations).toEqual([])
  expect(writes).toBeGreaterThan(10)
  // Every one of these runs compacts documents.
  expect(application.compactions).toBeGreaterThan(0)
  expect(application.reported).toBe(0)
})

test.each([2, 5])('a Y.Doc goes on through all compactions of its document, under the faults of seed %i', (seed) => {
  const application = new DocumentApplication({ goesOn: true })
  const { violations } = simulate({ seed, minutes: 1, kinds: [], more: () => [application] })
  expect(violations).toEqual([])
  expect(application.wentOn).toBeGreaterThan(0)
})

// No peer had been up for 30 s when all lost power, so none was registered yet. Some compacted and settled the document apart
// from the others before they met again.
test.each([
  { seed: 8100073, why: 'the simulator took peers that had settled before they met for some that knew each other' },
  {
    seed: 8100339,
    why: 'text beside edits that could not be rebased was lost without a report to its author',
  },
])(
  'a peer that is met late gets a report of what cannot be rebased, under the faults of seed $seed: $why',
  ({ seed }) => {
    const application = new DocumentApplication({ goesOn: true })
    const { violations } = simulate({ seed, kinds: ALL_KINDS, more: () => [application] })
    expect(violations).toEqual([])
    expect(application.reported).toBeGreaterThan(0)
  },
)

test('the simulator finds a generation that is settled although a known peer lacks it, under the faults of seed 22', () => {
  const run = (): readonly string[] =>
    simulate({ seed: 22, minutes: 1.3, kinds: ALL_KINDS, more: () => [new DocumentApplication({ goesOn: true })] })
      .violations
  expect(run()).toEqual([])
  const { of } = LagTable.prototype
  vi.spyOn(LagTable.prototype, 'of').mockImplementation(function (this: LagTable, ...given) {
    return of.apply(this, given).map((lag) => ({ ...lag, behind: 0, ahead: 0, unequal: 0 }))
  })
  expect(run().join()).toContain("edits of 'plan' were not rebased, of a known peer whose disk is sound")
})

// The author lost its disk, and with it its replica id. Three others had its edits. A fourth one had not met them since its start
// when it compacted and settled the document, so the text beside these edits is gone.
test('edits that cannot all be rebased, and whose author is gone, stay hidden, under the faults of seed 8300086', () => {
  const application = new DocumentApplication({ goesOn: true })
  const { violations } = simulate({ seed: 8300086, kinds: ALL_KINDS, more: () => [application] })
  expect(violations).toEqual([])
  expect(application.hidden).toBeGreaterThan(0)
})

// A member lost its disk. It came back, typed into the empty document within 35 ms, and met the others after that. They had
// compacted the document three times, and waited for no peer that had an older generation.
test('a member that lost its disk gets a report of what it typed before it had the document again, under the faults of seed 60115', () => {
  const application = new DocumentApplication()
  const { violations } = simulate({ seed: 60115, kinds: ALL_KINDS, more: () => [application] })
  expect(violations).toEqual([])
  expect(application.reported).toBeGreaterThan(0)
})

/** The violations of a run with all kinds, as `--kinds all` has them. */
function runAll(seed: number, application: DocumentApplication): readonly string[] {
  const keyed = [new CountersApplication(), new SetsApplication()]
  const more: SimulationOptions['more'] = (ledger) => [application, ...keyed, new DropApplication(ledger)]
  return simulate({ seed, kinds: ALL_KINDS, more }).violations
}

// The same, and the member lost its disk again before it met the others: they keep the row, and no peer would get the report.
test('what was typed before the document was there stays hidden when its author is gone, under the faults of seed 3016541338', () => {
  const application = new DocumentApplication({ goesOn: true })
  expect(runAll(3016541338, application)).toEqual([])
  expect(application.hidden).toBeGreaterThan(0)
})

// A document had more than 64 rows. Some were purged, and the index of keys grew: it gave the rows no more that had found no cell.
test('all rows of a document are read when many of it were purged, under the faults of seed 77606910', () => {
  expect(runAll(77606910, new DocumentApplication({ goesOn: true }))).toEqual([])
})

// A peer keeps everything in memory. After a restart it typed into the empty document, and met the others after that.
test.each([
  { seed: 8600272, direct: true },
  { seed: 8600475, direct: false },
])(
  'a peer in memory gets a report of what it typed before it had the document again, under the faults of seed $seed',
  ({ seed, direct }) => {
    const application = new DocumentApplication({ goesOn: true })
    const { violations } = simulate({ seed, direct, kinds: ALL_KINDS, more: () => [application] })
    expect(violations).toEqual([])
    expect(application.reported).toBeGreaterThan(0)
  },
)

// Structs of one author turned out to have no place, an earlier one after a later one. The search for more never ended.
test('edits that have no place are found in any order, under the faults of seed 8800259', () => {
  const application = new DocumentApplication({ goesOn: true })
  const { violations } = simulate({ seed: 8800259, direct: true, kinds: ALL_KINDS, more: () => [application] })
  expect(violations).toEqual([])
})

// A peer settled a generation before it had the row that settled the one before. It wrote that one down as not settled, without
// its content, so no peer found its way from the first generation to the current one.
test('a generation before a settled one is settled too, under the faults of seed 8900414', () => {
  const application = new DocumentApplication({ goesOn: true })
  const { violations } = simulate({ seed: 8900414, direct: true, kinds: ALL_KINDS, more: () => [application] })
  expect(violations).toEqual([])
  expect(application.compactions).toBeGreaterThan(0)
})

// A segment was damaged. Before all was written again, the blob was damaged too that said so. The vectors then claimed what had
// been in that segment, and no peer sent it again.
test('a second damage before the first is repaired hides nothing, under the faults of seed 9100014', () => {
  const application = new DocumentApplication({ goesOn: true })
  const { violations } = simulate({ seed: 9100014, direct: true, kinds: ALL_KINDS, more: () => [application] })
  expect(violations).toEqual([])
})
