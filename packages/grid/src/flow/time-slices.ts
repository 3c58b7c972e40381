import { nextTurn } from './next-turn.ts'

/** How long work goes on in one turn of the event loop. */
const TURN_MS = 3
/** The clock is read once in so many steps. */
const STEPS_BETWEEN = 64

/** Cuts long work into turns of the event loop of 3 ms, so that timers and sockets get their turn in between. */
export class TimeSlices {
  readonly #check: () => void
  #endMs = 0

  /** `check` ends the work by throwing. It is called at every new turn. */
  constructor(check: () => void) {
    this.#check = check
  }

  begin(): void {
    this.#check()
    this.#endMs = performance.now() + TURN_MS
  }

  /** Whether this turn has lasted long enough. `step` counts the steps of the work. */
  isOver(step: number): boolean {
    return step % STEPS_BETWEEN === STEPS_BETWEEN - 1 && performance.now() >= this.#endMs
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => nextTurn(resolve))
    this.begin()
  }
}
