import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** For tests: the server runtimes, and how a script is run there. */
export const RUNTIMES: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['Node', [binary('node'), '--expose-gc']],
  ['Deno', [binary('deno'), 'run', '--allow-all', '--no-lock', '--node-modules-dir=manual', '--v8-flags=--expose-gc']],
  ['Bun', [binary('bun'), '--expose-gc']],
]

/** What a peer has used since it was last asked. */
export interface Use {
  readonly cpuMs: number
  readonly heapBytes: number
  readonly addresses: readonly string[]
}

/** For tests: a peer in a process of its own, so that what the strangers themselves use is not counted. */
export class TrialPeer {
  readonly #child
  readonly #lines

  constructor(command: readonly string[]) {
    const trial = fileURLToPath(new URL('cost-trial.ts', import.meta.url))
    const [program = '', ...words] = command
    this.#child = spawn(program, [...words, trial], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = linesOf(this.#child.stdout)
  }

  async ask<Answer>(line: string): Promise<Answer> {
    this.#child.stdin.write(`${line}\n`)
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('the peer has ended')
    return JSON.parse(value) as Answer
  }

  async end(): Promise<void> {
    this.#child.stdin.end()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}

async function* linesOf(output: Readable): AsyncGenerator<string, void, undefined> {
  let begun = ''
  for await (const text of output.setEncoding('utf8')) {
    const lines = (begun + String(text)).split('\n')
    begun = lines.pop() ?? ''
    yield* lines
  }
}

function binary(name: string): string {
  return fileURLToPath(new URL(`../../../../node_modules/.bin/${name}`, import.meta.url))
}
