import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { programLines } from '../runtimes/program-lines.ts'
import { runtimeCommand } from '../runtimes/runtime.ts'
import type { Runtime } from '../runtimes/runtime.ts'

const PROGRAM = fileURLToPath(new URL('trial-peer.ts', import.meta.url))

/** The contents of its directory that a peer reported. */
export interface TrialOpened {
  readonly replicaId: string
  readonly recoveries: readonly { readonly reason: string }[]
  readonly warnings: readonly string[]
  /** The number of the write under each key. */
  readonly entries: Readonly<Record<string, number>>
}

/** A running `trial-peer.ts`. */
export class TrialProcess {
  /** The number of the last acknowledged write, -1 before the first. */
  acknowledged = -1
  checkpoints = 0
  logBytes = 0
  readonly rejected: { readonly n: number; readonly code: string }[] = []
  readonly health: { readonly healthy: boolean; readonly error: string }[] = []
  found: TrialOpened | undefined
  refused: { readonly code: string; readonly message: string } | undefined
  readonly #child
  readonly #ended: Promise<void>
  readonly #waiting = new Set<() => void>()
  #over = false
  #closed = false
  #complaint = ''

  constructor(runtime: Runtime, directory: string, round: number) {
    const [binary, ...flags] = runtimeCommand(runtime)
    this.#child = spawn(binary, [...flags, PROGRAM, directory, String(round)])
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#complaint += chunk.toString()))
    this.#child.stdin.on('error', () => undefined)
    const read = this.#readOutput()
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        void read.then(() => {
          this.#over = true
          for (const look of [...this.#waiting]) look()
          resolve()
        })
      })
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Resolves with the contents it found; rejects when the peer ends before. */
  opened(): Promise<TrialOpened> {
    return this.until('an opened grid', () => this.found)
  }

  /** Resolves with the result of `look` as soon as that is defined; rejects when the peer ends before. */
  async until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    return await new Promise((resolve, reject) => {
      const again = (): void => {
        const found = look()
        if (found !== undefined && found !== false) resolve(found)
        else if (this.#over) reject(new Error(`The peer ended, without ${what}: ${this.#complaint}`))
        else return
        this.#waiting.delete(again)
      }
      this.#waiting.add(again)
      again()
    })
  }

  /** Kills it. Resolves when it is gone and all its output is read. Rejects when it had ended by itself. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
    if (this.#child.signalCode !== 'SIGKILL') throw new Error(`The peer ended by itself: ${this.#complaint}`)
  }

  /** Kills it in any state, for the end of a failed test. */
  abandon(): void {
    this.#child.kill('SIGKILL')
  }

  /** Lets it close its grid; rejects unless that went well. */
  async close(): Promise<void> {
    this.#child.stdin.end()
    await this.until('having closed', () => this.#closed)
    await this.#ended
  }

  /** Stops it where it is. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  #logged(logBytes: number): void {
    if (logBytes < this.logBytes) this.checkpoints += 1
    this.logBytes = logBytes
  }

  async #readOutput(): Promise<void> {
    for await (const line of programLines(this.#child.stdout)) this.#take(line)
  }

  #take(line: string): void {
    const [, type, content] = /^(\w+) (.*)$/.exec(line) ?? []
    const report = JSON.parse(content ?? 'null') as never
    if (type === 'opened') this.found = report
    else if (type === 'acknowledged') this.acknowledged = Math.max(this.acknowledged, report)
    else if (type === 'log') this.#logged(report)
    else if (type === 'rejected') this.rejected.push(report)
    else if (type === 'health') this.health.push(report)
    else if (type === 'refused') this.refused = report
    else if (type === 'closed') this.#closed = true
    for (const look of [...this.#waiting]) look()
  }
}
