import { GridError } from '@gossipgrid/core'

/** Throws `ABORTED`, with the signal's reason as cause, when the signal has been aborted. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal)
}

/** The error of a wait that its signal ended. */
export function aborted(signal: AbortSignal): GridError {
  return new GridError('ABORTED', 'aborted by the signal that was passed', { cause: signal.reason })
}

/** Settles as `promise` does, or rejects with `ABORTED` as soon as the signal is aborted. Leaves no listener behind. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    // Whatever becomes of it later, its caller knows already.
    promise.catch(() => undefined)
    return Promise.reject(aborted(signal))
  }
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(aborted(signal))
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** Resolves to true when `promise` settles within `timeoutMs`, to false when it does not. */
export async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  const settled = promise.then(
    () => true,
    () => true,
  )
  try {
    return await Promise.race([settled, late])
  } finally {
    clearTimeout(timer)
  }
}
