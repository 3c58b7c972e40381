import type { GridError } from '@gossipgrid/core'
import { ChangeBuffer } from './change-buffer.ts'
import type { ChangeBufferOptions } from './change-buffer.ts'
import { STEPS_PER_TURN } from '../flow/pacing.ts'
import type { UnreadChange } from './unread-change.ts'

/** One of the entries that are there when a loop starts. */
export interface InitialStep<Change> {
  readonly key: string
  /** The entry as it is now. Undefined if it is gone. */
  readonly entry: UnreadChange<Change> | undefined
}

/** A walk through the entries that are there when a loop starts. Undefined stands for an entry that the loop does not want. */
export type InitialSteps<Change> = Iterator<InitialStep<Change> | undefined, void>

/** Where a loop gets its changes from. */
export interface ChangeSource<Change> {
  /** Called at the first `next`. Returns the entries to come before the changes. */
  started(): InitialSteps<Change> | undefined
  /** Called with true while a call of `next` waits: then the loop must stay alive, even if nothing else refers to it. */
  waits(waits: boolean): void
  /** The loop has ended. */
  ended(): void
}

/**
 * A loop over changes, for `for await`. Calls of `next` are answered in order. `return`, `throw` and an aborted signal end
 * the loop at once and drop the changes that wait.
 */
export class ChangeLoop<Change> implements AsyncIterableIterator<Change> {
  readonly #source: ChangeSource<Change>
  readonly #buffer: ChangeBuffer<Change>
  readonly #calls: PromiseWithResolvers<IteratorResult<Change>>[] = []
  #isStarted = false
  #initial: InitialSteps<Change> | undefined
  /** While initial entries are still to come: the tickets of buffered changes, by key. */
  readonly #tickets = new Map<string, number[]>()
  #steps = 0
  #pause: ReturnType<typeof setTimeout> | undefined
  #isEnded = false
  /** The next call of `next` rejects with this. */
  #error: unknown

  constructor(source: ChangeSource<Change>, options: ChangeBufferOptions<Change>) {
    this.#source = source
    this.#buffer = new ChangeBuffer(options)
  }

  /** Changes that wait to be read, and the bytes that they take. */
  get waiting(): ChangeBuffer<Change>['waiting'] {
    return this.#buffer.waiting
  }

  /** Its reader has been given all changes. */
  get isCaughtUp(): boolean {
    return this.#initial === undefined && this.#buffer.isEmpty
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

  /** Adds a change. */
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

  /**
   * Ends the loop after the changes that wait to be read. Ends it at once if initial entries are still to come: they cannot
   * be read later.
   */
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

  /** Answers calls of `next` in order, while there are answers. */
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

  /** The next initial entry. Undefined after the last one, and when the event loop should run first. */
  #nextInitial(): Change | undefined {
    while (this.#initial !== undefined) {
      if (this.#steps === STEPS_PER_TURN) {
        this.#pauseWalk()
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

  /** True if there are no more initial entries. Only asking for one more shows that. */
  #isCaughtUp(): boolean {
    for (let steps = 0; this.#initial !== undefined; steps++) {
      const { done, value: step } = this.#initial.next()
      if (done === true) this.#initial = undefined
      else if (step?.entry !== undefined || steps === STEPS_PER_TURN) return false
      else if (step !== undefined) this.#withdraw(step.key)
    }
    return true
  }

  /** Removes changes that the initial entry of their key already shows. */
  #withdraw(key: string): void {
    for (const ticket of this.#tickets.get(key) ?? []) this.#buffer.withdraw(ticket)
    this.#tickets.delete(key)
  }

  #pauseWalk(): void {
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      this.#steps = 0
      this.#answer()
    }, 0)
  }
}
