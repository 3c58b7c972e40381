import type { ViteUserConfig } from 'vitest/config'
import { defineConfig } from 'vitest/config'

/** Tests that mount file systems and cut off disks: they need root on Linux. Each has file systems and networks of its own. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/hosts/**/*.test.ts'],
    globalSetup: 'test/run/test-run.ts',
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    // They mostly wait.
    maxWorkers: 3,
  },
})

export default config
