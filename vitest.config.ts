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
  'test/documents-trial.test.ts',
  'test/copied-directory.test.ts',
  'test/kills.test.ts',
  'test/runtimes/packed.test.ts',
  'packages/testing/src/fuzz.test.ts',
  'packages/testing/src/simulator.test.ts',
  'test/demo.test.ts',
  'test/browser/twenty-tabs.test.ts',
  'packages/testing/src/calendar.test.ts',
  'packages/testing/src/mutants.test.ts',
  'test/browser/lasting.test.ts',
  'test/browser/coming-back.test.ts',
  'test/runtimes/matrix.test.ts',
  'test/examples/todo.test.ts',
  'test/examples/demo-pages.test.ts',
  'test/simulation/documents.test.ts',
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

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/hosts/**'],
    globalSetup: 'test/run/setup.ts',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // How long a test waits for what it expects, on a machine that is busy with other things.
    expect: { poll: { timeout: 120_000 } },
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
})

export default config
