import type { Runtime } from '../runtime/runtime.ts'
import type { Convergence } from './convergence.ts'

/** Comparing takes a while in large grids, so changes are looked for at most this often. */
const LOOK_GAP_MS = 200
/** How soon after a step: what belongs together has come by then. */
const LOOK_AFTER_MS = 20

export interface ConvergenceWatchDeps {
  readonly runtime: Pick<Runtime, 'afterSteps' | 'closing'>
  /** The convergence when the first listener came. */
  readonly before: Convergence
  read(): Convergence
  /** Whether there is a listener. */
  isWanted(): boolean
  changed(convergence: Convergence): void
}

/** Reports when the convergence of a grid changes, as long as a listener wants to know. The returned promise then resolves. */
export function watchConvergence({ runtime, before, read, isWanted, changed }: ConvergenceWatchDeps): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let last = before
  let lookedAtMs = -Infinity
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = (): void => {
    timer = undefined
    if (runtime.closing.aborted || !isWanted()) {
      unwatch()
      resolve()
      return
    }
    lookedAtMs = performance.now()
    const now = read()
    if (isSame(now, last)) return
    last = now
    changed(now)
  }
  const lookSoon = (): void => {
    timer ??= setTimeout(look, Math.max(LOOK_AFTER_MS, lookedAtMs + LOOK_GAP_MS - performance.now()))
  }
  const unwatch = runtime.afterSteps(lookSoon)
  lookSoon()
  return promise
}

/** Ages change all the time, and so do the texts that name them. */
function isSame(one: Convergence, other: Convergence): boolean {
  const names = ['state', 'online', 'neighbours', 'equal', 'unknown'] as const
  return (
    names.every((name) => one[name] === other[name]) &&
    one.worst?.peerId === other.worst?.peerId &&
    one.worst?.writes === other.worst?.writes
  )
}
