import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const TRIAL = fileURLToPath(new URL('hard-texts-trial.ts', import.meta.url))
const run = promisify(execFile)

it.each(RUNTIMES)(
  'text with any character of Unicode comes back as it was on %s: from another peer, and from the disk',
  async (runtime) => {
    const directory = await mkdtemp(join(tmpdir(), 'gossipgrid-hard-texts-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const [binary, ...flags] = runtimeCommand(runtime)
    const { stdout } = await run(binary, [...flags, TRIAL, directory], { timeout: 160_000 })
    const found = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>
    const { texts, names, ...wrong } = found
    expect(texts).toBeGreaterThan(400)
    expect(names).toBeGreaterThan(150)
    expect(wrong).toEqual({ atReader: [], topics: [], presence: [], zone: '\ufeffzone', onDisk: [], tagged: [] })
  },
)
