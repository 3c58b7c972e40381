import type { Runtime } from '../runtime/runtime.ts'

/**
 * Tells a peer what becomes of its page. A page that nobody looks at is `asleep` to the others, since its timers hardly run
 * and it may be frozen; what it has written goes to the store at once. When it is looked at again, or comes out of the
 * browser's cache, it says so and dials whom it has lost.
 */
export function followPage(runtime: Pick<Runtime, 'step' | 'network'>): () => void {
  if (globalThis.document === undefined) return () => undefined
  const ended = new AbortController()
  const { signal } = ended
  const sleep = (): void => runtime.step({ type: 'asleep', asleep: true })
  const wake = (): void => {
    runtime.step({ type: 'asleep', asleep: document.visibilityState === 'hidden' })
    runtime.network.wake?.()
  }
  document.addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? sleep() : wake()), {
    signal,
  })
  document.addEventListener('freeze', sleep, { signal })
  document.addEventListener('resume', wake, { signal })
  addEventListener('pagehide', sleep, { signal })
  addEventListener('pageshow', wake, { signal })
  addEventListener('online', wake, { signal })
  if (document.visibilityState === 'hidden') sleep()
  return () => ended.abort()
}
