import { nextTurn } from './next-turn.ts'

/** Long work of many kinds at once: in each turn of the event loop, one of them goes on, one after the other. */
export class SharedTurns {
  readonly #waiting: (() => void)[] = []

  /** Resolves when it is the caller's turn. */
  readonly next = (): Promise<void> => {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) nextTurn(this.#run)
    })
  }

  readonly #run = (): void => {
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) nextTurn(this.#run)
  }
}
