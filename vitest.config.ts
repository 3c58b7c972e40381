import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ViteUserConfig } from 'vitest/config'
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'

/**
 * Files that last long and are short to read, the longest first. On a machine that has never run the tests vitest begins
 * with the files of the most bytes: these would come last, and keep one worker busy while the others have nothing to do.
 */
const LONGEST = [
  'test/demo/partitioned-demo.test.ts',
  'test/documents-trial.test.ts',
  'test/kills.test.ts',
  'test/examples/demo-pages.test.ts',
  'packages/testing/src/partition-simulation.test.ts',
  'test/cli.test.ts',
  'packages/network/src/strangers-trial/cost.test.ts',
  'packages/network/src/libp2p-network.test.ts',
  'test/demo/demo.test.ts',
  'test/cli-file-errors.test.ts',
  'test/docs-programs.test.ts',
  'test/refused-directory.test.ts',
  'test/browser/many-tabs.test.ts',
  'test/runtimes/matrix.test.ts',
  'packages/grid/src/partitioned/queries/owner-queries.test.ts',
  'test/simulation/documents.test.ts',
  'packages/network/src/strangers-trial/silent.test.ts',
  'test/browser/twenty-tabs.test.ts',
  'packages/testing/src/fuzz.test.ts',
  'packages/testing/src/calendar.test.ts',
  'test/runtimes/packed.test.ts',
  'packages/testing/src/simulator.test.ts',
  'packages/testing/src/mutants.test.ts',
].map((path) => fileURLToPath(new URL(path, import.meta.url)))

const moved = LONGEST.find((path) => !existsSync(path))
if (moved !== undefined)
  throw new Error(`there is no ${moved}: the tests that last longest are named in vitest.config.ts`)

class LongestFirst extends BaseSequencer {
  override async sort(...[files]: Parameters<BaseSequencer['sort']>): ReturnType<BaseSequencer['sort']> {
    const sorted = await super.sort(files)
    const rankOf = (path: string): number => (LONGEST.includes(path) ? LONGEST.indexOf(path) : LONGEST.length)
    return sorted.toSorted((a, b) => rankOf(a.moduleId) - rankOf(b.moduleId))
  }
}

/** Every test that `npm test` runs. */
const TESTS = ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts']
/** Core has no state but that of its objects: its tests may share processes, which saves each file the start of one. */
const PURE = 'packages/core/src/**/*.test.ts'

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: 'test/run/setup.ts',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // How long a test waits for what it expects, on a machine that is busy with other things.
    expect: { poll: { timeout: 120_000 } },
    pool: 'forks',
    // Others may work on this machine. Where none does, more workers are faster: many tests wait for timers, disks and processes.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'pure', include: [PURE], isolate: false } },
      { extends: true, test: { name: 'all', include: TESTS, exclude: ['**/node_modules/**', 'test/hosts/**', PURE] } },
    ],
  },
})

export default config
