import { nextTurn } from './next-turn.ts'

/** How long work goes on in one turn of the event loop. */
const TURN_MS = 3
/** The clock is read once in so many steps. */
const STEPS_BETWEEN = 64

/** Cuts long work into turns of the event loop of 3 ms, so that timers and sockets get their turn in between. */
export class TimeSlices {
  readonly #check: () => void
  readonly #turn: () => Promise<void>
  #endMs = 0

  /** `check` ends the work by throwing. It is called at every new turn. `turn` resolves in a later one. */
  constructor(check: () => void, turn: () => Promise<void> = () => new Promise((resolve) => nextTurn(resolve))) {
    this.#check = check
    this.#turn = turn
  }

  begin(): void {
    this.#check()
    this.#endMs = performance.now() + TURN_MS
  }

  /** Whether this turn has lasted long enough. `step` counts the steps of the work. */
  isOver(step: number): boolean {
    return step % STEPS_BETWEEN === STEPS_BETWEEN - 1 && performance.now() >= this.#endMs
  }

  /** The same, for work of few and long steps. */
  isOverNow(): boolean {
    return performance.now() >= this.#endMs
  }

  async next(): Promise<void> {
    await this.#turn()
    this.begin()
  }
}
