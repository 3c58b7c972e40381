import type { GridError } from '@gossipgrid/core'
import { ChangeBuffer } from './change-buffer.ts'
import type { ChangeBufferOptions } from './change-buffer.ts'
import { STEPS_PER_TURN } from '../flow/pacing.ts'
import type { UnreadChange } from './unread-change.ts'

/** One step through what was there when a loop started. */
export interface InitialStep<Change> {
  readonly key: string
  /** What is there now; undefined if nothing is any more. */
  readonly entry: UnreadChange<Change> | undefined
}

/** The steps through what is there when a loop starts; undefined is a step past what the loop does not want. */
export type InitialSteps<Change> = Iterator<InitialStep<Change> | undefined, void>

/** What a loop asks of those who feed it. */
export interface ChangeSource<Change> {
  /** The first call of `next`. Returns what is to come before the changes. */
  started(): InitialSteps<Change> | undefined
  /** Whether a call of `next` waits: until it does not, the loop is needed, even if nothing else refers to it. */
  waits(waits: boolean): void
  /** The loop has ended. */
  ended(): void
}

/**
 * One reader of changes, as `for await` takes it. Calls of `next` are answered in their order. `return`, `throw` and an
 * aborted signal end it at once, and what waited is dropped.
 */
export class ChangeLoop<Change> implements AsyncIterableIterator<Change> {
  readonly #source: ChangeSource<Change>
  readonly #buffer: ChangeBuffer<Change>
  readonly #calls: PromiseWithResolvers<IteratorResult<Change>>[] = []
  #isStarted = false
  #initial: InitialSteps<Change> | undefined
  /** While there are initial entries to come: tickets of the changes in the buffer, by their keys. */
  readonly #tickets = new Map<string, number[]>()
  #steps = 0
  #pause: ReturnType<typeof setTimeout> | undefined
  #isEnded = false
  /** What the next call of `next` rejects with. */
  #error: unknown

  constructor(source: ChangeSource<Change>, options: ChangeBufferOptions<Change>) {
    this.#source = source
    this.#buffer = new ChangeBuffer(options)
  }

  /** Changes that wait to be read, and the bytes that they keep. */
  get waiting(): ChangeBuffer<Change>['waiting'] {
    return this.#buffer.waiting
  }

  next(): Promise<IteratorResult<Change>> {
    const call = Promise.withResolvers<IteratorResult<Change>>()
    this.#calls.push(call)
    this.#start()
    this.#answer()
    return call.promise
  }

  return(): Promise<IteratorResult<Change>> {
    this.#stop()
    return Promise.resolve({ done: true, value: undefined })
  }

  throw(error?: unknown): Promise<IteratorResult<Change>> {
    this.#stop()
    return Promise.reject(error as Error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Something has changed. */
  push(change: UnreadChange<Change>): void {
    if (this.#isEnded) return
    const ticket = this.#buffer.offer(change)
    if (this.#initial === undefined) this.#answer()
    else if (ticket !== undefined) {
      const tickets = this.#tickets.get(change.key)
      if (tickets === undefined) this.#tickets.set(change.key, [ticket])
      else tickets.push(ticket)
    }
  }

  /** Ends the loop after what waits to be read; at once if there are initial entries to come, which cannot be read later. */
  end(): void {
    try {
      if (!this.#isCaughtUp()) this.#drop()
    } catch {
      this.#drop()
    }
    this.#end()
  }

  /** Ends the loop at once, by throwing `error` into it. */
  abort(error: GridError): void {
    if (this.#isEnded) return
    this.#error = error
    this.#stop()
  }

  #start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    if (!this.#isEnded) this.#initial = this.#source.started()
  }

  /** Ends the loop at once. */
  #stop(): void {
    this.#drop()
    this.#end()
  }

  #end(): void {
    const wasEnded = this.#isEnded
    this.#isEnded = true
    clearTimeout(this.#pause)
    this.#pause = undefined
    this.#answer()
    if (!wasEnded) this.#source.ended()
  }

  #drop(): void {
    this.#buffer.clear()
    this.#initial = undefined
    this.#tickets.clear()
  }

  /** Answers calls of `next` in their order, as far as there is something to answer. */
  #answer(): void {
    while (this.#calls.length > 0 && this.#pause === undefined) {
      const result = this.#result()
      if (result === undefined) break
      this.#calls.shift()!.resolve(result)
    }
    this.#source.waits(this.#calls.length > 0)
  }

  #result(): IteratorResult<Change> | Promise<never> | undefined {
    let value: Change | undefined
    try {
      value = this.#nextInitial() ?? (this.#pause === undefined ? this.#buffer.take() : undefined)
    } catch (error) {
      this.#drop()
      this.#error = error
      this.#isEnded = true
      this.#source.ended()
    }
    if (value !== undefined) return { done: false, value }
    if (!this.#isEnded) return undefined
    const error = this.#error
    this.#error = undefined
    return error === undefined ? { done: true, value: undefined } : Promise.reject(error as Error)
  }

  /** The next entry of those that are there already; undefined after the last one, and when others are to have a turn. */
  #nextInitial(): Change | undefined {
    while (this.#initial !== undefined) {
      if (this.#steps === STEPS_PER_TURN) {
        this.#rest()
        return undefined
      }
      this.#steps += 1
      const { done, value: step } = this.#initial.next()
      if (done === true) this.#initial = undefined
      else if (step !== undefined) {
        this.#withdraw(step.key)
        if (step.entry !== undefined) return step.entry.read()
      }
    }
    return undefined
  }

  /** Whether all initial entries have been given, which shows only by asking for one more. */
  #isCaughtUp(): boolean {
    for (let steps = 0; this.#initial !== undefined; steps++) {
      const { done, value: step } = this.#initial.next()
      if (done === true) this.#initial = undefined
      else if (step?.entry !== undefined || steps === STEPS_PER_TURN) return false
      else if (step !== undefined) this.#withdraw(step.key)
    }
    return true
  }

  /** Changes that led to what is there now are not told a second time. */
  #withdraw(key: string): void {
    for (const ticket of this.#tickets.get(key) ?? []) this.#buffer.withdraw(ticket)
    this.#tickets.delete(key)
  }

  #rest(): void {
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      this.#steps = 0
      this.#answer()
    }, 0)
  }
}
