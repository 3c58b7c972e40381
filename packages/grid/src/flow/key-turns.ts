/** Work on one key that reads and then writes: one after another, so that none misses what the one before it wrote. */
export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs `work` when all earlier work on the key has ended. */
  take<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key)
    const running = before === undefined ? work() : before.then(work, work)
    this.#last.set(key, running)
    const ended = (): void => {
      if (this.#last.get(key) === running) this.#last.delete(key)
    }
    running.then(ended, ended)
    return running
  }
}
