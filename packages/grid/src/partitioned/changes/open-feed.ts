import type { RunningFeed } from './map-changes.ts'
import type { Coverage, PartitionFeed } from './partition-changes.ts'

const NONE: Coverage = { complete: false, unanswered: [] }

/** The changes that `start` gives, with what they cover once it has begun. */
export function openFeed<Change>(
  start: (begun: (running: RunningFeed) => void) => Promise<AsyncGenerator<Change, void, undefined>>,
): PartitionFeed<Change> {
  let running: RunningFeed | undefined
  async function* steps(): AsyncGenerator<Change, void, undefined> {
    yield* await start((begun) => (running = begun))
  }
  return covered(
    steps(),
    () => running?.coverage() ?? NONE,
    () => running?.stop(),
  )
}

/** Steps, with what they cover. `stop` ends them also while one is waited for. */
export function covered<Shown>(
  steps: AsyncGenerator<Shown, void, undefined>,
  coverage: () => Coverage,
  stop: () => void = () => undefined,
): AsyncIterableIterator<Shown, void, undefined> & Coverage {
  return {
    next: () => steps.next(),
    return: () => {
      stop()
      return steps.return()
    },
    [Symbol.asyncIterator]() {
      return this
    },
    get complete() {
      return coverage().complete
    },
    get unanswered() {
      return coverage().unanswered
    },
  }
}
