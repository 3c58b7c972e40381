import type { Logger } from 'gossipgrid'

const SIGNALS: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGTERM', 15],
  ['SIGINT', 2],
  ['SIGHUP', 1],
]

/** Waits for the first signal to end, from its creation on. The second signal ends the process at once. */
export class EndSignal {
  readonly #first = Promise.withResolvers<string>()
  readonly #abort = new AbortController()

  constructor(log: Logger) {
    for (const [name, number] of SIGNALS) {
      process.on(name, () => {
        if (this.aborted) {
          log.warn(`${name} again: ending at once`)
          process.exit(128 + number)
        }
        this.#abort.abort(new Error(name))
        this.#first.resolve(name)
      })
    }
  }

  /** Ends for another reason than a signal. */
  end(reason: string): void {
    this.#abort.abort(new Error(reason))
    this.#first.resolve(reason)
  }

  /** Resolves to the name of the signal, or to the other reason. */
  get came(): Promise<string> {
    return this.#first.promise
  }

  /** Aborts operations under way when the signal comes. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get aborted(): boolean {
    return this.#abort.signal.aborted
  }
}
