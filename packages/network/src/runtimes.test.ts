import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const trial = fileURLToPath(new URL('runtime-trial.ts', import.meta.url))
const binary = (name: string): string => fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url))

describe('peers talk, stop and let the process end', () => {
  it.each([
    ['Node', 'node', [trial]],
    ['Deno', 'deno', ['run', '--allow-all', '--no-lock', '--node-modules-dir=manual', trial]],
    ['Bun', 'bun', [trial]],
  ])('on %s', async (_name, command, args) => {
    const { stdout } = await run(binary(command), args, { timeout: 170_000 })
    const { stopMs } = JSON.parse(stdout.trim().split('\n').at(-1) as string) as { stopMs: number }
    // A connection that is waited for holds it up for 30 s and more.
    expect(stopMs).toBeLessThan(20_000)
  })
})
