import { GridError } from '@gossipgrid/core'

/** One thing that was opened, and how it is closed. */
export interface TeardownStep {
  /** What it is, as an error calls it: "the store". */
  readonly what: string
  /** How long closing it may take. */
  readonly limitMs: number
  close(): unknown
}

/**
 * What was opened, in order, to be closed in the reverse order. Every step is taken, whatever became of those before it, and
 * none takes longer than its limit: so a failed opening and a close both leave nothing behind that can be closed at all.
 */
export class Teardown {
  readonly #steps: TeardownStep[] = []
  #closing: Promise<void> | undefined

  add(step: TeardownStep): void {
    this.#steps.push(step)
  }

  /** Rejects once all steps were taken: with what failed, and with `CLOSE_INCOMPLETE` for several failures or one that hangs. */
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
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const give = (): void => reject(new GridError('CLOSE_INCOMPLETE', `${what} did not close within ${limitMs} ms`))
    timer = setTimeout(give, limitMs)
  })
  try {
    await Promise.race([close(), late])
  } finally {
    clearTimeout(timer)
  }
}
