import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'

/** Only Linux shows which run has started a process. */
const SHOWN = process.platform === 'linux'
const BEGUN = fileURLToPath(new URL('begun-run.ts', import.meta.url))
const started: ChildProcess[] = []

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

/** A run in its own process, in which a test has left a process. Returns the pid of that. */
async function begunRun(): Promise<{ run: ChildProcess; leftPid: number }> {
  const run = fork(BEGUN, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  started.push(run)
  const [leftPid] = (await once(run, 'message')) as [number]
  return { run, leftPid }
}

/** Whether it runs. The environment of an ended process is empty, also before its parent has read its exit code. */
async function runs(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')) !== ''
}

describe('a run of the tests', () => {
  it('that left a process fails, names it and kills it', async () => {
    const { run, leftPid } = await begunRun()
    run.send('end')
    const [complaint] = (await once(run, 'message')) as [string]
    if (SHOWN) expect(complaint).toMatch(new RegExp(`left them running:\n  ${leftPid} \\S*sleep 600$`))
    expect(await runs(leftPid)).toBe(false)
  })

  it('that is killed takes its started processes with it', async () => {
    const { run, leftPid } = await begunRun()
    expect(await runs(leftPid)).toBe(SHOWN)
    run.kill('SIGKILL')
    await expect.poll(() => runs(leftPid), { timeout: 30_000 }).toBe(false)
  })

  it('leaves alone processes that it has not started', async () => {
    const other = spawn('sleep', ['600'], { env: {} })
    started.push(other)
    const { run } = await begunRun()
    run.send('end')
    await once(run, 'message')
    expect(other.exitCode ?? other.signalCode).toBe(null)
  })
})
