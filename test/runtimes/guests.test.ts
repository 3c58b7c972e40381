import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const TRIAL = fileURLToPath(new URL('guests-trial.ts', import.meta.url))
const run = promisify(execFile)

it.each(RUNTIMES)('a member serves a guest on %s: what its pass allows, and no more', async (runtime) => {
  const [binary, ...flags] = runtimeCommand(runtime)
  const { stdout } = await run(binary, [...flags, TRIAL], { timeout: 160_000 })
  expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual({
    read: 'sun',
    refused: 'FORBIDDEN',
    heard: [{ subject: 'ada', value: 'hello' }],
  })
})
