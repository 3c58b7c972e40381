/** Steps of a walk through a collection in one turn of the event loop. */
export const STEPS_PER_TURN = 2048

/**
 * Walks through a collection in slices, so that timers and sockets get their turn in between. Skips steps that are
 * undefined. `check` is called at every result and every new turn; it ends the walk by throwing.
 */
export async function* paced<Result>(
  steps: Iterable<Result | undefined>,
  check: () => void,
): AsyncGenerator<Result, void, undefined> {
  let taken = 0
  check()
  for (const result of steps) {
    if (result !== undefined) {
      yield result
      check()
    }
    if (++taken % STEPS_PER_TURN > 0) continue
    await nextTurn()
    check()
  }
}

/** Gives timers and sockets their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 0))
}
