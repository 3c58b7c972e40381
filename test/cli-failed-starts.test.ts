import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../packages/cli/bin/gossipgrid.js', import.meta.url))
/** Kills a process that does not end by itself. */
const END_MAX_MS = 50_000

const folder = mkdtempSync(join(tmpdir(), 'gg-fail-'))
const runtimeDirectory = join(folder, 'run')
const children: ChildProcessWithoutNullStreams[] = []
let taken: Server
let port = 0

beforeAll(async () => {
  mkdirSync(runtimeDirectory, { mode: 0o700 })
  taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  port = (taken.address() as { port: number }).port
  writeFileSync(join(folder, 'file'), 'text')
})
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  taken.close()
  rmSync(folder, { recursive: true, force: true })
})

function run(...args: string[]): ChildProcessWithoutNullStreams {
  const { GOSSIPGRID_SOCKET: _, GOSSIPGRID_SECRET: __, ...environment } = process.env
  const env = { ...environment, GOSSIPGRID_RUNTIME_DIR: runtimeDirectory }
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    env,
    timeout: END_MAX_MS,
    killSignal: 'SIGKILL',
  })
  children.push(child)
  return child
}

/** How the command ended. A signal means that the test lost patience. */
async function ended(
  child: ChildProcessWithoutNullStreams,
): Promise<{ code: number | null; signal: string | null; said: string }> {
  const [said, [code, signal]] = await Promise.all([
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null, string | null]>,
    text(child.stdout),
  ])
  return { code, signal, said }
}

const here = ['--listen', '127.0.0.1:0', '--no-mdns']

describe('a command that cannot start ends by itself with exit code 1, says why, and leaves nothing behind', () => {
  it.each<[string, () => string[], string]>([
    ['a port that is taken', () => ['peer', '--no-mdns', '--listen', `127.0.0.1:${port}`], 'NETWORK_PORT_TAKEN'],
    [
      'a second port that is taken',
      () => ['peer', '--no-mdns', '--listen', '127.0.0.1:0', '--listen', `127.0.0.1:${port}`],
      'NETWORK_PORT_TAKEN',
    ],
    ['a port for metrics that is taken', () => ['peer', ...here, '--metrics', String(port)], 'NETWORK_PORT_TAKEN'],
    ['a socket that is a file', () => ['peer', ...here, '--socket', join(folder, 'file')], 'is no socket'],
    [
      'a socket in no directory',
      () => ['peer', ...here, '--socket', join(folder, 'none/s.sock')],
      'no socket can be made',
    ],
    [
      'a data directory that is a file',
      () => ['peer', ...here, '--data', join(folder, 'file')],
      'STORAGE_NOT_WRITABLE',
    ],
    ['a secret that cannot be read', () => ['peer', ...here, '--secret-file', join(folder, 'none')], 'cannot be read'],
    ['a relay whose port is taken', () => ['relay', '--listen', `127.0.0.1:${port}`], 'NETWORK_PORT_TAKEN'],
    [
      'a relay that cannot keep its identity',
      () => ['relay', '--listen', '127.0.0.1:0', '--identity', join(folder, 'none/identity')],
      'cannot be written',
    ],
  ])('%s', async (_, args, reason) => {
    const [command, ...rest] = args()
    const name = command === 'peer' ? ['--name', 'failing'] : []
    const { code, signal, said } = await ended(run(command!, ...name, ...rest))
    expect(said).toContain(reason)
    expect({ code, signal }).toEqual({ code: 1, signal: null })
    expect(readdirSync(runtimeDirectory)).toEqual([])
  })
})

it('a signal while a peer starts closes what is open, and the peer ends like a running one', async () => {
  const kept = join(folder, 'kept')
  const child = run('peer', '--name', 'early', ...here, '--data', kept)
  // The first line is printed long before the peer is up.
  child.stderr.once('data', () => child.kill('SIGTERM'))
  const { code, signal, said } = await ended(child)
  expect({ code, signal }).toEqual({ code: 0, signal: null })
  expect(said).toContain('closed; everything acknowledged is on disk')
  const again = run('peer', '--name', 'early', ...here, '--data', kept, '--json')
  await once(again.stdout, 'data')
  again.kill('SIGTERM')
  expect(await ended(again)).toMatchObject({ code: 0 })
  expect(readdirSync(runtimeDirectory)).toEqual([])
})
