import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../packages/cli/bin/gossipgrid.js', import.meta.url))
const PEER = ['--listen', '127.0.0.1:0', '--no-mdns', '--json']
const WAIT_MAX_MS = 120_000

/** The environment of the program in the tests of one file: folders, output and running processes. */
export const folder: string = mkdtempSync(join(tmpdir(), 'gg-cli-'))
const children = new Set<ChildProcess>()

/** Ends all running processes and removes the folder. */
export async function removeAll(): Promise<void> {
  await Promise.all([...children].map((child) => killed(child)))
  rmSync(folder, { recursive: true, force: true })
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly name: string
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly join: readonly string[]
  readonly tabs: string
  readonly socket: string
}

/** The program in an isolated environment: its peers cannot be found from another one. */
export class Surroundings {
  readonly #environment: NodeJS.ProcessEnv

  constructor(name: string, variables: NodeJS.ProcessEnv = {}) {
    const { GOSSIPGRID_SOCKET: _, GOSSIPGRID_SECRET: __, FORCE_COLOR: ___, ...environment } = process.env
    this.#environment = { ...environment, GOSSIPGRID_RUNTIME_DIR: join(folder, `run-${name}`), ...variables }
  }

  get runtimeDirectory(): string {
    return this.#environment['GOSSIPGRID_RUNTIME_DIR']!
  }

  spawn(...args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: folder, env: this.#environment, stdio: 'pipe' })
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }

  async run(args: readonly string[], input: string | Uint8Array = ''): Promise<Ended> {
    const child = this.spawn(...args)
    child.stdin!.on('error', () => undefined)
    child.stdin!.end(input)
    return ended(child)
  }

  /** Runs a line of the shell in which `"$@"` is the program. */
  async shell(line: string): Promise<Ended> {
    const child = spawn('sh', ['-c', line, 'sh', process.execPath, PROGRAM], { cwd: folder, env: this.#environment })
    children.add(child)
    child.once('exit', () => children.delete(child))
    return ended(child)
  }

  /** Runs a command that has to succeed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args)
    if (code !== 0) throw new Error(`gossipgrid ${args.join(' ')} ended with ${code}: ${stderr}`)
    return stdout
  }

  async json<Answer>(...args: readonly string[]): Promise<Answer> {
    return JSON.parse(await this.ok(...args, '--json')) as Answer
  }

  /** Runs a command that has to fail. Returns the error as a program gets it. */
  async error(
    ...args: readonly string[]
  ): Promise<{ exit: number | null; code: string; message: string; advice?: string }> {
    const { code, stderr, stdout } = await this.run([...args, '--json'])
    if (code === 0 || stdout !== '') throw new Error(`gossipgrid ${args.join(' ')} did not fail: ${stdout}`)
    const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!) as { error: { code: string; message: string } }
    return { exit: code, ...error }
  }

  async peer(...args: readonly string[]): Promise<{ child: ChildProcess; started: Started }> {
    const child = this.spawn('peer', ...PEER, ...args)
    let log = ''
    child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()))
    const line = await Promise.race([firstLine(child), once(child, 'exit').then(() => '')])
    if (line === '') throw new Error(`the peer did not start: ${log}`)
    return { child, started: JSON.parse(line) as Started }
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
  })
}

export async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

export async function killed(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
  return child.exitCode
}

export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + WAIT_MAX_MS
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`still not: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
