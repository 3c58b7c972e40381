import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { linesOf } from './lines-of.ts'
import { fileURLToPath } from 'node:url'
import type { OpenGridOptions } from 'gossipgrid'
import type { Ask } from './peer-program.ts'

const PROGRAM = fileURLToPath(new URL('peer-program.ts', import.meta.url))

interface Said {
  readonly id?: number
  readonly result?: unknown
  readonly code?: string
  readonly peerId: string
  readonly addresses: readonly string[]
}

/** A peer that runs as a process of its own, with the partitioned map `users`. */
export class PartitionedPeer {
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly #child: ChildProcess
  readonly #waiting: Map<number, (said: Said) => void>
  #asked = 0

  private constructor(child: ChildProcess, waiting: Map<number, (said: Said) => void>, opened: Said) {
    this.#child = child
    this.#waiting = waiting
    this.peerId = opened.peerId
    this.addresses = opened.addresses
  }

  /** `within`: the words that run a program somewhere else, such as in a network namespace. */
  static async start(options: Partial<OpenGridOptions>, within: readonly string[] = []): Promise<PartitionedPeer> {
    const words = [...within, process.execPath, PROGRAM, JSON.stringify({ name: 'partitioned', ...options })]
    const child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
    const waiting = new Map<number, (said: Said) => void>()
    const opened = Promise.withResolvers<Said>()
    const listen = async (): Promise<void> => {
      for await (const line of linesOf(child.stdout)) {
        const said = JSON.parse(line) as Said
        if (said.id === undefined) opened.resolve(said)
        else waiting.get(said.id)?.(said)
      }
    }
    void listen()
    child.once('exit', (code) => opened.reject(new Error(`a peer ended with ${code}`)))
    return new PartitionedPeer(child, waiting, await opened.promise)
  }

  /** Rejects with the code of the error of the peer. */
  ask<Result>(ask: Ask): Promise<Result> {
    const id = ++this.#asked
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ code, result }) => {
        this.#waiting.delete(id)
        if (code === undefined) resolve(result as Result)
        else reject(new Error(code))
      })
      this.#child.stdin!.write(`${JSON.stringify({ id, ask })}\n`)
    })
  }

  /** SIGSTOP: it stands still, with all its connections, until `goOn`. */
  standStill(): void {
    this.#child.kill('SIGSTOP')
  }

  /** SIGCONT. */
  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGKILL. What was asked and not answered stays so. */
  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit')
    await this.ask({ call: 'close' })
    this.#child.stdin!.end()
    await ended
  }
}
