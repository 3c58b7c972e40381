import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RUN, killStarted, startedProcesses } from './started-processes.ts'

const KILL_STARTED = fileURLToPath(new URL('kill-started.ts', import.meta.url))

/** How long the processes of a run may take to end after its last test. */
const END_MAX_MS = 5000

export interface RunOptions {
  readonly endMaxMs: number
}

/**
 * Begins a test run. The returned function ends it: it waits for the processes that the tests have started, kills those
 * that do not end, and rejects with their names.
 */
export function beginRun({ endMaxMs }: RunOptions = { endMaxMs: END_MAX_MS }): () => Promise<void> {
  const runId = randomUUID()
  const watch = spawn(process.execPath, [KILL_STARTED, runId], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  watch.unref()
  process.env[RUN] = runId
  // Hundreds of the processes that tests start load the same modules. This is Node's default place.
  process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache')
  return async () => {
    const endMs = performance.now() + endMaxMs
    let left = await startedProcesses(runId)
    while (left.length > 0 && performance.now() < endMs) {
      await delay(100)
      left = await startedProcesses(runId)
    }
    await killStarted(runId)
    watch.stdin.end()
    if (left.length === 0) return
    const lines = left.map(({ pid, command }) => `  ${pid} ${command.slice(0, 300)}`)
    throw new Error(`The tests have started processes and left them running:\n${lines.join('\n')}`)
  }
}

/** The set-up of tests that need nothing else. */
export function setup(): () => Promise<void> {
  return beginRun()
}
