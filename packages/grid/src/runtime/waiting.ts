import { GridError, shown } from '@gossipgrid/core'
import { onAbort } from '../flow/on-abort.ts'
import { afterPatience } from '../flow/patience.ts'

/** Throws `INVALID_OPTION` unless the signal is undefined or an `AbortSignal`. */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !isSignal(signal)) throw noSignal(signal)
}

/** Checks the shape, because signals of frames and of test environments have another class of the same name. */
function isSignal(signal: unknown): signal is AbortSignal {
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>
  return (
    typeof aborted === 'boolean' &&
    [addEventListener, removeEventListener].every((method) => typeof method === 'function')
  )
}

function noSignal(given: unknown): GridError {
  return new GridError('INVALID_OPTION', `signal is an AbortSignal, not ${shown(given)}`)
}

/** Throws `ABORTED`, with the signal's reason as cause, if the signal is aborted. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal)
}

/** The error of a wait that was ended by its signal. */
export function aborted(signal: AbortSignal): GridError {
  return new GridError('ABORTED', 'aborted by its signal', { cause: signal.reason })
}

/**
 * Settles as `promise` does, or rejects with `ABORTED` as soon as the signal is aborted. Rejects with `INVALID_OPTION` if
 * `signal` is no signal. Leaves no listener behind.
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (!isSignal(signal) || signal.aborted) {
    // The caller already gets an error, so a later one is ignored.
    promise.catch(() => undefined)
    return Promise.reject(isSignal(signal) ? aborted(signal) : noSignal(signal))
  }
  return new Promise((resolve, reject) => {
    const off = onAbort(signal, () => reject(aborted(signal)))
    promise.then(resolve, reject).finally(off)
  })
}

/** As `orAborted`, for things to be closed: one that opens after the signal was aborted is given to `close`. */
export function openedOrAborted<T>(
  opening: Promise<T>,
  signal: AbortSignal | undefined,
  close: (opened: T) => Promise<unknown>,
): Promise<T> {
  const opened = orAborted(opening, signal)
  opened.catch(() => opening.then(close).catch(() => undefined))
  return opened
}

/** How a wait ends before its time. */
export interface WaitEnds {
  /** Of the caller: the wait rejects with `ABORTED`. */
  readonly signal?: AbortSignal | undefined
  /** Of the grid: the wait rejects with its reason. */
  readonly closed?: AbortSignal | undefined
}

/**
 * Resolves to true if `promise` settles within `timeoutMs`, else to false. However the wait ends, it leaves no timer behind, which would
 * keep the process alive. Rejects with `ABORTED`, with `INVALID_OPTION` if `signal` is no signal, and with the reason of `closed`.
 */
export function settlesWithin(promise: Promise<unknown>, timeoutMs: number, ends: WaitEnds = {}): Promise<boolean> {
  const begin = (late: () => void): (() => void) => {
    const timer = setTimeout(late, timeoutMs)
    return () => clearTimeout(timer)
  }
  return settlesBefore(promise, begin, ends)
}

/** The same with patience for a process that gets little time to run: see `afterPatience`. */
export function settlesInPatience(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  return settlesBefore(promise, (late) => afterPatience(limitMs, late))
}

async function settlesBefore(
  promise: Promise<unknown>,
  begin: (late: () => void) => () => void,
  { closed, signal }: WaitEnds = {},
): Promise<boolean> {
  const end = Promise.withResolvers<boolean>()
  const cancel = begin(() => end.resolve(false))
  const off = closed === undefined ? undefined : onAbort(closed, () => end.reject(closed.reason))
  const settled = promise.then(
    () => true,
    () => true,
  )
  try {
    if (closed?.aborted === true) throw closed.reason
    return await orAborted(Promise.race([settled, end.promise]), signal)
  } finally {
    cancel()
    off?.()
  }
}
