import { readFile, readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** A variable in the environment of all processes of a run: each inherits it from the one that started it. */
export const RUN = 'GOSSIPGRID_TEST_RUN'

export interface StartedProcess {
  readonly pid: number
  readonly command: string
}

/** Vitest ends its own processes. */
const OF_VITEST = /\/vitest\/dist\/workers\/|^vitest-watchdog\b/

/**
 * The running processes that a test run has started, directly or not, except those of vitest. Linux shows the
 * environment of each process; on other systems none is found.
 */
export async function startedProcesses(runId: string): Promise<StartedProcess[]> {
  const names = await readdir('/proc').catch(() => [])
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => startedProcess(name, runId)))
  return found.filter((each) => each !== undefined)
}

async function startedProcess(name: string, runId: string): Promise<StartedProcess | undefined> {
  // The process may end meanwhile, and those of other users show nothing.
  const read = (file: string): Promise<string> => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')
  if (!(await read('environ')).split('\0').includes(`${RUN}=${runId}`)) return undefined
  const command = (await read('cmdline')).split('\0').join(' ').trim()
  return command === '' || OF_VITEST.test(command) ? undefined : { pid: Number(name), command }
}

/** How long killed processes may take to end. */
const KILL_MAX_MS = 10_000

/** Kills them, and those that they start meanwhile. */
export async function killStarted(runId: string): Promise<void> {
  const endMs = performance.now() + KILL_MAX_MS
  let left = await startedProcesses(runId)
  while (left.length > 0 && performance.now() < endMs) {
    for (const { pid } of left) kill(pid)
    await delay(50)
    left = await startedProcesses(runId)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
