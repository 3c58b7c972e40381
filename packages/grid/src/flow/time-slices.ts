import { nextTurn } from './next-turn.ts'

/** How long work goes on in one turn of the event loop. */
const TURN_MS = 3
/** The clock is read once in so many steps. */
const STEPS_BETWEEN = 64
/** After a step of more work than this, in bytes or the like, the clock is read at once. */
const SHORT_STEP_MAX = 1024

/** Cuts long work into turns of the event loop of 3 ms, so that timers and sockets get their turn in between. */
export class TimeSlices {
  readonly #check: (workedMs: number) => void
  readonly #turn: () => Promise<void>
  #endMs = 0

  /**
   * `check` ends the work by throwing. It is called at every new turn, with how long the one before has lasted. `turn` resolves in a
   * later one.
   */
  constructor(
    check: (workedMs: number) => void,
    turn: () => Promise<void> = () => new Promise((resolve) => nextTurn(resolve)),
  ) {
    this.#check = check
    this.#turn = turn
  }

  /** `workedMs`: how long the turn before has lasted. */
  begin(workedMs = 0): void {
    this.#check(workedMs)
    this.#endMs = performance.now() + TURN_MS
  }

  /** Whether this turn has lasted long enough. `step` counts the steps of the work, and `work` is what the last one took. */
  isOver(step: number, work = 0): boolean {
    const isTime = work > SHORT_STEP_MAX || step % STEPS_BETWEEN === STEPS_BETWEEN - 1
    return isTime && performance.now() >= this.#endMs
  }

  /** The same, for work of few and long steps. */
  isOverNow(): boolean {
    return performance.now() >= this.#endMs
  }

  async next(): Promise<void> {
    const workedMs = performance.now() - this.#endMs + TURN_MS
    await this.#turn()
    this.begin(workedMs)
  }
}
