import type { Runtime } from '../runtime/runtime.ts'

/**
 * Reports to a peer when its page is hidden, frozen or shown. A hidden page is `asleep` to other peers, since its timers
 * hardly run and the browser may freeze it; its writes go to the store at once. When the page is shown again, or restored
 * from the browser's cache, the peer tells the others and dials the neighbours that it has lost.
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
