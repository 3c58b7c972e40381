import { STEPS_PER_TURN } from '../flow/pacing.ts'

/** Sorted keys that are not read yet. */
interface Run {
  readonly keys: readonly string[]
  at: number
}

/**
 * Keys in order of their UTF-16 code units, as `<` compares them. Sorting a million at once would hold up the event loop for
 * seconds. So they are sorted in runs, one a turn, and the runs are merged while they are read. Undefined stands for a key to
 * skip. `turn` gives the event loop its turn.
 */
export async function* orderedKeys(
  keys: Iterable<string | undefined>,
  turn: () => Promise<void>,
): AsyncGenerator<string, void, undefined> {
  const runs: Run[] = []
  let run: string[] = []
  let taken = 0
  const endRun = (): void => {
    if (run.length > 0) runs.push({ keys: run.sort(), at: 0 })
    run = []
  }
  for (const key of keys) {
    if (key !== undefined) run.push(key)
    if (++taken % STEPS_PER_TURN > 0) continue
    endRun()
    await turn()
  }
  endRun()
  // A binary heap: the run with the least next key is the first one.
  for (let i = Math.floor(runs.length / 2) - 1; i >= 0; i--) sink(runs, i)
  for (let read = 0; runs.length > 0; read++) {
    if (read % STEPS_PER_TURN === STEPS_PER_TURN - 1) await turn()
    const first = runs[0]!
    yield first.keys[first.at]!
    first.at += 1
    if (first.at === first.keys.length) {
      const last = runs.pop()!
      if (runs.length > 0) runs[0] = last
    }
    sink(runs, 0)
  }
}

function sink(runs: Run[], from: number): void {
  for (let i = from; ;) {
    let least = i
    for (const child of [2 * i + 1, 2 * i + 2])
      if (child < runs.length && isLess(runs[child]!, runs[least]!)) least = child
    if (least === i) return
    ;[runs[i], runs[least]] = [runs[least]!, runs[i]!]
    i = least
  }
}

function isLess(one: Run, other: Run): boolean {
  return one.keys[one.at]! < other.keys[other.at]!
}
