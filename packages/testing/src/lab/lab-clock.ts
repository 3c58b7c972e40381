import { GridError, shown } from '@gossipgrid/core'

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A length of time: milliseconds, or a number with `ms`, `s`, `m`, `h` or `d`, as in `'90s'` and `'1.5h'`. */
export type Duration = number | string

/** Milliseconds of a duration. Throws `INVALID_OPTION`. */
export function durationMs(duration: Duration): number {
  const text = typeof duration === 'string' ? duration : ''
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = typeof duration === 'number' ? duration : Number(count) * UNITS_MS[unit ?? '']!
  if (Number.isFinite(ms) && ms >= 0) return ms
  throw new GridError(
    'INVALID_OPTION',
    `${shown(duration)} is no length of time: pass milliseconds, or text such as '90s' or '1h'`,
  )
}

/** The wall clock of one peer. It starts right, and goes on at the usual speed after a jump. */
export class LabClock {
  #offsetMs = 0

  /** Milliseconds since 1970, as this peer believes. */
  get nowMs(): number {
    return Date.now() + this.#offsetMs
  }

  /** Sets the clock ahead of where it is. Throws `INVALID_OPTION`. */
  ahead(duration: Duration): void {
    this.#offsetMs += durationMs(duration)
  }

  /** Sets the clock back from where it is. Throws `INVALID_OPTION`. */
  behind(duration: Duration): void {
    this.#offsetMs -= durationMs(duration)
  }

  /** Sets the clock right. */
  right(): void {
    this.#offsetMs = 0
  }
}
