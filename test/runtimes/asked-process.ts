import { spawn } from 'node:child_process'
import { programLines } from './program-lines.ts'

/** The calls that a program answers, by name. */
export type Calls<All> = { readonly [Name in keyof All]: { readonly ask: unknown; readonly answer: unknown } }

interface Answer {
  readonly id: number
  readonly answer?: unknown
  readonly failure?: string
}

/** A program that runs in its own process and answers calls: the other end of `answerLines`. */
export class AskedProcess<All extends Calls<All>> {
  readonly name: string
  /** Resolves with the exit code when it has ended. */
  readonly ended: Promise<number | null>
  readonly #child
  readonly #waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  #nextId = 0
  #complaint = ''

  constructor(name: string, [binary, ...words]: readonly [binary: string, ...words: string[]]) {
    this.name = name
    this.#child = spawn(binary, words)
    this.#child.stdin.on('error', () => undefined)
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#complaint += chunk.toString()))
    const read = this.#readAnswers()
    const closed = new Promise<number | null>((resolve) => this.#child.once('close', (code) => resolve(code)))
    this.ended = Promise.all([closed, read]).then(([code]) => code)
    void this.ended.then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} has ended: ${this.#complaint}`))
    })
  }

  ask<Name extends keyof All & string>(call: Name, ask: All[Name]['ask']): Promise<All[Name]['answer']> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject })
      this.#child.stdin.write(`${JSON.stringify({ id, call, ask })}\n`)
      if (call === 'close') this.#child.stdin.end()
    })
  }

  /** Null while it runs. */
  get exitCode(): number | null {
    return this.#child.exitCode
  }

  /** Kills it, if it still runs. */
  async abandon(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  async #readAnswers(): Promise<void> {
    for await (const line of programLines(this.#child.stdout)) this.#take(JSON.parse(line) as Answer)
  }

  #take({ id, answer, failure }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (failure === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(`${this.name}: ${failure}`))
  }
}
