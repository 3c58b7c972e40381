/** How a function of the application failed: it threw, or the promise that it returned rejected. */
export type Failure = 'threw' | 'rejected'

/**
 * Calls a function of the application, such as a listener or a logger. An error that it throws, or that its promise
 * rejects with, goes to `failed` and no further. Returns the function's result, or `otherwise` if it threw or returned a
 * promise.
 */
export function callApplication<Result>(
  call: () => Result,
  failed: (failure: Failure, error: unknown) => void,
  otherwise: NoInfer<Result>,
): Result {
  try {
    const result = call()
    if (!isPromiseLike(result)) return result
    result.then(undefined, (error: unknown) => failed('rejected', error))
    return otherwise
  } catch (error) {
    failed('threw', error)
    return otherwise
  }
}

/** True for promises of other libraries and of other realms, too. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'
}

/** A thrown value as text. Any value can be thrown, even one whose `toString` throws. */
export function textOfError(error: unknown): string {
  try {
    return String(error)
  } catch {
    return 'an error that cannot be shown'
  }
}
