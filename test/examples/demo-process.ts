import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { programLines } from '../runtimes/program-lines.ts'

const BUILD = fileURLToPath(new URL('../../examples/start/build-pages.ts', import.meta.url))
const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

/** `gossipgrid demo`, after its story, when it serves its pages. */
export class DemoProcess {
  readonly #child: ChildProcess

  static async start(options: readonly string[] = []): Promise<DemoProcess> {
    await promisify(execFile)(process.execPath, [BUILD])
    return new DemoProcess(spawn(process.execPath, [MAIN, 'demo', ...options], { stdio: ['ignore', 'pipe', 'ignore'] }))
  }

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** The address of its pages. */
  async url(): Promise<string> {
    const { stdout } = this.#child
    for await (const line of programLines(stdout!)) {
      const address = /^ *(http:\S+)$/.exec(line)?.[1]
      if (address === undefined) continue
      // Discard the rest of its output, or the pipe would fill up.
      stdout!.resume()
      return address
    }
    throw new Error('the demo ended without serving its pages')
  }

  /** Ends it like Ctrl-C. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGINT')
    await once(this.#child, 'exit')
  }
}
