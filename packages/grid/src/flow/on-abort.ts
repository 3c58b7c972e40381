/** One listener for each signal: with one for each of thousands of waits, adding one would cost as much as there are. */
const callsBySignal = new WeakMap<AbortSignal, { readonly calls: Set<() => void>; readonly listener: () => void }>()

/** Calls `call` once when the signal is aborted; the function returned ends that. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const waiting = callsBySignal.get(signal) ?? listen(signal)
  const { calls, listener } = waiting
  // The same function may wait several times.
  const once = (): void => call()
  calls.add(once)
  return () => {
    calls.delete(once)
    if (calls.size > 0 || callsBySignal.get(signal) !== waiting) return
    signal.removeEventListener('abort', listener)
    callsBySignal.delete(signal)
  }
}

function listen(signal: AbortSignal): { readonly calls: Set<() => void>; readonly listener: () => void } {
  const calls = new Set<() => void>()
  const listener = (): void => {
    callsBySignal.delete(signal)
    for (const call of calls) call()
  }
  const waiting = { calls, listener }
  callsBySignal.set(signal, waiting)
  signal.addEventListener('abort', listener, { once: true })
  return waiting
}
