import { GridError } from '@gossipgrid/core'
import { onAbort } from '../flow/on-abort.ts'

/** Throws `INVALID_OPTION` unless the signal, where given, is one. */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !isSignal(signal)) throw noSignal()
}

/** By its shape: the signal of a frame, or of a test environment, is made by another class of the same name. */
function isSignal(signal: unknown): signal is AbortSignal {
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>
  return (
    typeof aborted === 'boolean' &&
    [addEventListener, removeEventListener].every((method) => typeof method === 'function')
  )
}

function noSignal(): GridError {
  return new GridError('INVALID_OPTION', 'signal is an AbortSignal')
}

/** Throws `ABORTED`, with the signal's reason as cause, when the signal has been aborted. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal)
}

/** The error of a wait that its signal ended. */
export function aborted(signal: AbortSignal): GridError {
  return new GridError('ABORTED', 'aborted by the signal that was passed', { cause: signal.reason })
}

/**
 * Settles as `promise` does, or rejects with `ABORTED` as soon as the signal is aborted, with `INVALID_OPTION` for what is
 * no signal. Leaves no listener behind.
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (!isSignal(signal) || signal.aborted) {
    // Whatever becomes of it later, its caller knows already.
    promise.catch(() => undefined)
    return Promise.reject(isSignal(signal) ? aborted(signal) : noSignal())
  }
  return new Promise((resolve, reject) => {
    const off = onAbort(signal, () => reject(aborted(signal)))
    promise.then(resolve, reject).finally(off)
  })
}

/** As `orAborted`, for what has to be closed: what comes after the signal was aborted is given to `close`. */
export function openedOrAborted<T>(
  opening: Promise<T>,
  signal: AbortSignal | undefined,
  close: (opened: T) => Promise<unknown>,
): Promise<T> {
  const opened = orAborted(opening, signal)
  opened.catch(() => opening.then(close).catch(() => undefined))
  return opened
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
