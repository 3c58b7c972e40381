import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const TRIAL = fileURLToPath(new URL('failed-starts-trial.ts', import.meta.url))
/** Kills a process that does not end by itself. */
const END_MAX_MS = 110_000

it.each(RUNTIMES)(
  'on %s a start that fails leaves nothing open: the same ports and directory open again, and the process ends by itself',
  async (runtime) => {
    const directory = await mkdtemp(join(tmpdir(), 'gossipgrid-failed-starts-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const [binary, ...flags] = runtimeCommand(runtime)
    const child = spawn(binary, [...flags, TRIAL, directory], { timeout: END_MAX_MS, killSignal: 'SIGKILL' })
    const [printed, complained, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null, string | null]>,
    ])
    expect({ code, signal, complained }).toMatchObject({ code: 0, signal: null })
    expect(JSON.parse(printed.trim().split('\n').at(-1)!)).toEqual({
      'the port is taken': 'NETWORK_PORT_TAKEN',
      'the second port is taken': 'NETWORK_PORT_TAKEN',
      'the port of WebSockets is taken': 'NETWORK_PORT_TAKEN',
      'the port is taken while others are looked for': 'NETWORK_PORT_TAKEN',
      'an address is none': 'NETWORK_BAD_ADDRESS',
      'an address is not of this machine': 'NETWORK_START_FAILED',
      'the directory is a file': 'STORAGE_NOT_WRITABLE',
      'the network starts and fails then': 'NETWORK_START_FAILED',
      'the signal comes at once': 'ABORTED',
      'the signal comes while it starts': 'ABORTED',
    })
  },
)
