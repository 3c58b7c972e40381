import { GridError } from '@gossipgrid/core'
import { afterPatience } from '../flow/patience.ts'

/** How to close one thing that was opened. */
export interface TeardownStep {
  /** Its name in errors: "the store". */
  readonly what: string
  /** How long closing may take, in a process that gets time to run. */
  readonly limitMs: number
  close(): unknown
}

/**
 * Closes what was opened, in reverse order. Every step runs, even if earlier ones failed, and none may take longer than its
 * limit. So both a failed opening and a close leave nothing open that can be closed.
 */
export class Teardown {
  readonly #steps: TeardownStep[] = []
  #closing: Promise<void> | undefined

  /** Closing has begun. */
  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  add(step: TeardownStep): void {
    this.#steps.push(step)
  }

  /** Runs all steps. Rejects with the failure; with `CLOSE_INCOMPLETE` if there are several, or if a step took too long. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const failures: unknown[] = []
    for (const step of this.#steps.toReversed()) {
      try {
        await closeWithin(step)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length === 0) return
    const reasons = failures.map((error) => (error instanceof Error ? error.message : String(error)))
    throw new GridError('CLOSE_INCOMPLETE', reasons.join('; '), { cause: new AggregateError(failures) })
  }
}

async function closeWithin({ what, limitMs, close }: TeardownStep): Promise<void> {
  const late = Promise.withResolvers<never>()
  const error = new GridError('CLOSE_INCOMPLETE', `${what} did not close within ${limitMs} ms`)
  const cancel = afterPatience(limitMs, () => late.reject(error))
  try {
    await Promise.race([close(), late.promise])
  } finally {
    cancel()
  }
}
