import { spawn } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const PRINTED_MAX_MS = 120_000

/**
 * Makes a grid tell the addresses that others can join by: what the person in front of two terminals need not know, because
 * multicast does it.
 */
const TELLING = `import { Grid } from 'gossipgrid'
const start = Grid.start
Grid.start = async (...args) => {
  const grid = await start.apply(Grid, args)
  console.log('addresses', grid.addresses.join(' '))
  return grid
}`

/** A program in a process of its own, and what it has printed. */
export class RunningProgram {
  /** The exit code. */
  readonly ended: Promise<number | null>
  readonly #child
  #output = ''

  /** `before` are words in front of the command, such as those that run it in another network. */
  constructor(folder: string, name: string, args: readonly string[] = [], before: readonly string[] = []) {
    const preload = `data:text/javascript,${encodeURIComponent(TELLING.replace("'gossipgrid'", `'${gridUrl()}'`))}`
    const path = join(folder, name)
    const [binary, ...words] = [...before, process.execPath, '--import', preload, path, ...args]
    this.#child = spawn(binary!, words, { cwd: folder })
    this.#child.stdout.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    this.ended = new Promise((resolve) => this.#child.once('close', resolve))
  }

  get output(): string {
    return this.#output
  }

  /** Resolves when it has printed `text`. */
  async prints(text: string): Promise<void> {
    const endMs = performance.now() + PRINTED_MAX_MS
    while (!this.#output.includes(text)) {
      if (this.#child.exitCode !== null || performance.now() > endMs)
        throw new Error(`it did not print "${text}", but:\n${this.#output}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** The addresses of its grid. */
  async addresses(): Promise<string[]> {
    await this.prints('addresses ')
    await new Promise((resolve) => setTimeout(resolve, 50))
    return /^addresses (.*)$/m.exec(this.#output)![1]!.split(' ')
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }
}

function gridUrl(): string {
  return pathToFileURL(join(import.meta.dirname, '../packages/grid/src/index.ts')).href
}
