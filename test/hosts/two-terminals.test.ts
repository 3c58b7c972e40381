import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { saveProgram } from '../docs-programs.ts'
import { RunningProgram } from '../running-program.ts'

const namespace = `gossipgrid-two-${process.pid}`
let folder: string

function ip(...args: string[]): void {
  execFileSync('ip', args, { timeout: 60_000 })
}

/** mDNS has no option for the interface to use, so the programs get a network that has only loopback. */
describe('two terminals', () => {
  beforeEach(async () => {
    folder = await mkdtemp(fileURLToPath(new URL('../../examples/.generated-', import.meta.url)))
    ip('netns', 'add', namespace)
    ip('-n', namespace, 'link', 'set', 'lo', 'up', 'multicast', 'on')
    ip('-n', namespace, 'route', 'add', '224.0.0.0/4', 'dev', 'lo')
  })
  afterEach(async () => {
    ip('netns', 'del', namespace)
    await rm(folder, { recursive: true, force: true })
  })

  it.each(['README.md', 'docs/getting-started.md'])(
    'the programs of %s find each other as they are printed',
    async (page) => {
      await saveProgram(page, 'a.ts', folder)
      await saveProgram(page, 'b.ts', folder)
      const start = (name: string): RunningProgram => {
        const program = new RunningProgram(folder, name, [], ['ip', 'netns', 'exec', namespace])
        onTestFinished(() => program.kill())
        return program
      }
      const a = start('a.ts')
      await a.prints('addresses ')
      const b = start('b.ts')
      expect(await b.ended, b.output).toBe(0)
      await a.prints('greeting hello from b')
    },
  )
})
