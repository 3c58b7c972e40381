import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

describe('a clone, with nothing built', () => {
  let directory = ''
  let program = ''

  beforeAll(async () => {
    // Inside the repository, so that the packages are found by name.
    directory = await mkdtemp(join(ROOT, 'examples/.generated-'))
    program = join(directory, 'hello.ts')
    const hello = await readFile(join(ROOT, 'examples/hello.ts'), 'utf8')
    const tamed = hello.replace('openGrid({', "openGrid({ listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false,")
    await writeFile(program, tamed)
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('has a hello world of at most ten lines', async () => {
    const lines = (await readFile(join(ROOT, 'examples/hello.ts'), 'utf8')).trim().split('\n')
    expect(lines.length).toBeLessThanOrEqual(10)
  })

  it.each(RUNTIMES)('says hello on %s, and the process ends by itself', async (runtime) => {
    const [binary, ...flags] = runtimeCommand(runtime)
    const { stdout } = await run(binary, [...flags, program], { timeout: 170_000 })
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/^\{ age: 36,? \} $/)
  })

  it('has types that Deno accepts', async () => {
    const [binary] = runtimeCommand('deno')
    await run(binary, ['check', program], { cwd: ROOT })
  })
})
