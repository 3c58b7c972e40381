import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const TRIAL = fileURLToPath(new URL('left-alive-trial.ts', import.meta.url))
/** Kills a process that does not end by itself. */
const END_MAX_MS = 110_000

it.each(RUNTIMES)('on %s nothing of a grid keeps the process alive after it is closed', async (runtime) => {
  const [binary, ...flags] = runtimeCommand(runtime)
  const child = spawn(binary, [...flags, TRIAL], { timeout: END_MAX_MS, killSignal: 'SIGKILL' })
  const [printed, complained, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null, string | null]>,
  ])
  expect({ code, signal, complained }).toMatchObject({ code: 0, signal: null })
  const left = JSON.parse(printed.trim().split('\n').at(-1)!) as Record<string, readonly string[]>
  expect(Object.keys(left).length).toBeGreaterThan(5)
  expect(Object.fromEntries(Object.entries(left).filter(([, all]) => all.length > 0))).toEqual({})
})
