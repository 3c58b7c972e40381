/** One listener for each signal. With thousands of listeners on one signal, adding another one would take time in proportion. */
const callsBySignal = new WeakMap<AbortSignal, { readonly calls: Set<() => void>; readonly listener: () => void }>()

/** Calls `call` once when the signal is aborted. The returned function cancels that. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const waiting = callsBySignal.get(signal) ?? listen(signal)
  const { calls, listener } = waiting
  // A new function each time: the same `call` may be registered several times.
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
