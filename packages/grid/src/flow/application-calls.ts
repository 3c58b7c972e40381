/** How a function of the application failed: it threw, or the promise that it returned was rejected. */
export type Failure = 'threw' | 'rejected'

/**
 * Calls a function that the application has given, such as a listener or a logger. What it throws, and what its promise
 * rejects with, goes to `failed`, and never further. Returns its result; `otherwise` if it threw or gave a promise.
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

/** Also for a promise of another library, or of another realm. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'
}

/** What was thrown, as text. Anything can be thrown, also what refuses to become text. */
export function textOfError(error: unknown): string {
  try {
    return String(error)
  } catch {
    return 'an error that cannot be shown'
  }
}
