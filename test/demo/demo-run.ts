import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const ARGUMENTS = [MAIN, 'demo', '--once', '--json', '--cities', '2000']
/** With partitions: seven processes, two more that join, and the minutes in which old copies are kept. */
const ENDS_MAX_MS = 600_000

interface Ended {
  readonly code: unknown
  readonly stdout: string
  readonly stderr: string
}

/** `gossipgrid demo` with a folder of its own for the disks of its peers. */
export class DemoRun {
  readonly #folder: string
  #process: ChildProcess | undefined

  static async create(): Promise<DemoRun> {
    return new DemoRun(await mkdtemp(join(tmpdir(), 'gossipgrid-test-')))
  }

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Runs it to its end. */
  ended(...options: string[]): Promise<Ended> {
    return new Promise((resolve) => {
      const settings = { env: this.#environment, timeout: ENDS_MAX_MS }
      this.#process = execFile(process.execPath, [...ARGUMENTS, ...options], settings, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : error.code, stdout, stderr })
      })
    })
  }

  /** Starts it. Resolves when its story has come to that text. */
  async tells(text: string): Promise<void> {
    const child = spawn(process.execPath, ARGUMENTS, { env: this.#environment, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = child
    await new Promise<void>((resolve) => {
      let output = ''
      child.stderr.on('data', (bytes: Buffer) => {
        output += bytes.toString()
        if (output.includes(text)) resolve()
      })
    })
  }

  kill(): void {
    this.#process?.kill('SIGKILL')
    this.#process = undefined
  }

  /** Folders of the demo that were not removed. */
  async leftovers(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => name.startsWith('gossipgrid-demo-'))
  }

  /** Kills it, if it still runs, and removes its folder. */
  async remove(): Promise<void> {
    this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, TMPDIR: this.#folder }
  }
}
