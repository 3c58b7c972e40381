import { putCount } from '../counters/share.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A change of a counter under a key, made here or at another peer. A plain object that only this reader has. */
export interface CountersChange {
  /**
   * `delete`: no counts are left under the key. `lagged`: the reader was too slow, and `missed` changes were left out. Read
   * the counters to continue.
   */
  readonly type: 'change' | 'delete' | 'lagged'
  /** '' if lagged. */
  readonly key: string
  /** The count after the change. Undefined for a delete, and if lagged. Throws `COUNTER_RANGE` as `peek` does. */
  readonly value: number | undefined
  /** The difference to the count before. 0 if lagged. */
  readonly delta: number
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

export function countersLagged(missed: number): CountersChange {
  return { type: 'lagged', key: '', value: undefined, delta: 0, missed }
}

/** A change with exact numbers. */
export class KeyCountChange implements UnreadChange<CountersChange> {
  readonly key: string
  readonly #after: bigint | undefined
  readonly #before: bigint

  constructor(key: string, after: bigint | undefined, before: bigint = 0n) {
    this.key = key
    this.#after = after
    this.#before = before
  }

  get sizeBytes(): number {
    return this.key.length
  }

  kept(): this {
    return this
  }

  read(): CountersChange {
    const after = this.#after
    const change = {
      type: after === undefined ? ('delete' as const) : ('change' as const),
      key: this.key,
      value: undefined as number | undefined,
      delta: 0,
      missed: 0,
    }
    if (after !== undefined) putCount(change, 'value', after)
    putCount(change, 'delta', (after ?? 0n) - this.#before)
    return change
  }
}
