import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { programLines } from '../runtimes/program-lines.ts'

const COMMAND = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

/** A running command of `gossipgrid`, and its addresses. */
export interface Program {
  readonly addresses: string[]
  kill(): Promise<void>
}

/** Commands of `gossipgrid` in processes that a test may kill at any time. */
export class Programs {
  readonly #running = new Set<ChildProcess>()

  /** Starts a command that prints its addresses as JSON. */
  async start(...words: string[]): Promise<Program> {
    const program = spawn(process.execPath, [COMMAND, ...words, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#running.add(program)
    for await (const line of programLines(program.stdout)) {
      const { addresses } = JSON.parse(line) as { addresses: string[] }
      return { addresses, kill: () => this.#kill(program) }
    }
    throw new Error(`gossipgrid ${words.join(' ')} ended`)
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running].map((program) => this.#kill(program)))
  }

  async #kill(program: ChildProcess): Promise<void> {
    this.#running.delete(program)
    if (program.exitCode !== null || program.signalCode !== null) return
    program.kill('SIGKILL')
    await once(program, 'exit')
  }
}
