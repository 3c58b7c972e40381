import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Argument, CommandName, Request, Response } from './peer-commands.ts'

/** A call of a bench that takes longer than this has failed. */
const ANSWER_MAX_MS = 120_000
const CLOSE_MAX_MS = 15_000

const SOURCE = fileURLToPath(new URL('peer-program.ts', import.meta.url))

interface ForkedPeerOptions {
  readonly execArgv?: readonly string[]
  readonly program?: string
}

interface Waiting {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

/** A peer in its own process, and the commands it takes. */
export class ForkedPeer {
  readonly name: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 1

  /** `execArgv`: further options of Node, for instance to profile. `program`: the path of `peer-program.ts`, compiled. */
  constructor(name: string, { execArgv = [], program = SOURCE }: ForkedPeerOptions = {}) {
    this.name = name
    this.#child = fork(program, [], {
      execArgv: [...execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', (response) => this.#answered(response as Response))
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended with ${code ?? signal}`))
      this.#waiting.clear()
    })
  }

  async call<Name extends CommandName>(
    name: Name,
    argument: Argument<Name>,
    maxMs: number = ANSWER_MAX_MS,
  ): Promise<Answer<Name>> {
    const id = this.#nextId++
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { resolve, reject })
    const timer = setTimeout(() => reject(new Error(`${this.name}: no answer to '${name}' in ${maxMs} ms`)), maxMs)
    const request: Request = { id, name, argument }
    this.#child.send(request)
    try {
      return (await promise) as Answer<Name>
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(id)
    }
  }

  /** Closes the grid in good order where possible, and ends the process in any case. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    await this.call('close', {}, CLOSE_MAX_MS).catch(() => undefined)
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MAX_MS)
    await exited
    clearTimeout(timer)
  }

  #answered({ id, answer, error }: Response): void {
    const waiting = this.#waiting.get(id)
    if (error === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(`${this.name}: ${error}`))
  }
}
