import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PeerCalls, PeerMessage, PeerRequest, PeerState } from './peer-calls.ts'

/** How long a peer may take to close in good order before it is killed. */
const CLOSE_MAX_MS = 3000
/** How much of a peer's warnings is kept, for the message when it ends unexpectedly. */
const WARNINGS_MAX_CHARACTERS = 4000

/** A call got no answer because the peer's process ended. It may have been carried out or not. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone'
}

export interface PeerProcessOptions {
  readonly onState: (state: PeerState) => void
  /** The process ended by itself. */
  readonly onDeath: (error: Error) => void
  /** Each line that the peer logs. */
  readonly onWarning: (line: string) => void
}

interface Waiting {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

/** The conductor's end of one peer's process. */
export class PeerProcess {
  readonly number: number
  readonly #options: PeerProcessOptions
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<void>
  #nextId = 0
  #ending = false
  #warnings = ''
  /** The start of an incomplete line. */
  #begunLine = ''

  constructor(number: number, options: PeerProcessOptions) {
    this.number = number
    this.#options = options
    // The published package has JavaScript under the same names.
    const script = new URL(import.meta.url.endsWith('.ts') ? './demo-peer.ts' : './demo-peer.js', import.meta.url)
    // Compiled modules are cached in Node's default place, which halves the time of the next start.
    const env = { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'), ...process.env }
    this.#child = fork(fileURLToPath(script), [], { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()))
    this.#child.on('message', (message: PeerMessage) => this.#receive(message))
    this.#child.on('error', (error) => this.#failAll(error))
    this.#child.on('exit', (code, signal) => this.#exited(signal ?? `code ${code}`))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#warned(text))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Sends a call to the peer. Rejects with `PeerGone` when its process ends before it answers. */
  call<Name extends keyof PeerCalls>(name: Name, ask: PeerCalls[Name]['ask']): Promise<PeerCalls[Name]['answer']> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject })
      this.#child.send({ id, call: name, ask } as PeerRequest, (error) => {
        if (error === null) return
        this.#waiting.delete(id)
        reject(new PeerGone(`peer ${this.number} cannot be asked to ${name}: ${error.message}`))
      })
    })
  }

  /** SIGKILL: the process cannot finish anything. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#ending = true
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Closes the peer in good order, or kills it when that takes too long. */
  async close(): Promise<void> {
    this.#ending = true
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MAX_MS)
    try {
      await this.call('close', null)
    } catch {
      this.#child.kill('SIGKILL')
    }
    await this.#ended
    clearTimeout(timer)
  }

  #receive(message: PeerMessage): void {
    if (message.type === 'state') {
      this.#options.onState(message.state)
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.type === 'answer') waiting?.resolve(message.answer)
    else waiting?.reject(new Error(`peer ${this.number}: ${message.text}`))
  }

  #exited(how: string): void {
    this.#failAll(new PeerGone(`peer ${this.number} ended (${how}) before it answered`))
    if (this.#ending) return
    const last = this.#warnings === '' ? '' : `; its last words:\n${this.#warnings.trimEnd()}`
    this.#options.onDeath(new Error(`peer ${this.number} ended unexpectedly (${how})${last}`))
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #warned(text: string): void {
    this.#warnings = (this.#warnings + text).slice(-WARNINGS_MAX_CHARACTERS)
    const lines = (this.#begunLine + text).split('\n')
    this.#begunLine = lines.pop()!.slice(-WARNINGS_MAX_CHARACTERS)
    for (const line of lines) if (line !== '') this.#options.onWarning(line)
  }
}
