import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { MatrixCalls, RemotePeer } from './matrix-calls.ts'
import { runtimeCommand } from './runtime.ts'
import type { Runtime } from './runtime.ts'

const PROGRAM = fileURLToPath(new URL('matrix-process.ts', import.meta.url))

interface Told {
  readonly id: number
  readonly answer?: unknown
  readonly failure?: string
}

/** A running `matrix-process.ts`. */
export class PeerProcess implements RemotePeer {
  readonly name: Runtime
  /** Resolves with the exit code once it has ended. */
  readonly ended: Promise<number | null>
  readonly #child
  readonly #waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  #nextId = 0
  #complaint = ''

  constructor(runtime: Runtime) {
    this.name = runtime
    const [binary, ...flags] = runtimeCommand(runtime)
    this.#child = spawn(binary, [...flags, PROGRAM])
    this.#child.stdin.on('error', () => undefined)
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#complaint += chunk.toString()))
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(JSON.parse(line) as Told))
    this.ended = new Promise((resolve) => this.#child.once('close', (code) => resolve(code)))
    void this.ended.then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${runtime} has ended: ${this.#complaint}`))
    })
  }

  ask<Name extends keyof MatrixCalls>(call: Name, ask: MatrixCalls[Name]['ask']): Promise<MatrixCalls[Name]['answer']> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject })
      this.#child.stdin.write(`${JSON.stringify({ id, call, ask })}\n`)
    })
  }

  async abandon(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  #take({ id, answer, failure }: Told): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (failure === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(`${this.name}: ${failure}`))
  }
}
