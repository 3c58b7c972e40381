import type { LoadSubsetOptions } from '@tanstack/db'
import { mayMatch } from './row-test.ts'

/** Rows that a live query asks for. */
export interface Subset {
  /** Its rows are being read: changes are newer than what will be found. */
  isLoading: boolean
  isComplete: boolean
  /** No query asks for them any more. */
  isGone: boolean
  /** Its rows are being read again. */
  beginAgain(): void
  /** Whether the row of that key has changed while the rows were being read. */
  hasChanged(key: string): boolean
}

interface KeptSubset extends Subset {
  readonly wants: (row: object) => boolean
  readonly changed: Set<string>
}

/** The rows that a collection has on demand: those that its live queries ask for, and those that it has written itself. */
export class Subsets {
  /** Keys of the rows that the collection has. */
  readonly known: Set<string> = new Set()
  readonly #kept = new Map<LoadSubsetOptions, KeptSubset[]>()
  readonly #expected = new Map<string, number>()

  get isComplete(): boolean {
    return [...this.#kept.values()].flat().every((subset) => subset.isComplete)
  }

  /** Changes that match are wanted from now on. */
  add(options: LoadSubsetOptions): Subset {
    const changed = new Set<string>()
    const subset: KeptSubset = {
      ...{ isLoading: true, isComplete: true, isGone: false, changed },
      beginAgain: () => {
        changed.clear()
        subset.isLoading = true
      },
      wants: options.where === undefined ? () => true : mayMatch(options.where),
      hasChanged: (key) => changed.has(key),
    }
    const same = this.#kept.get(options)
    if (same === undefined) this.#kept.set(options, [subset])
    else same.push(subset)
    return subset
  }

  /** Returns false if there is none. */
  remove(options: LoadSubsetOptions): boolean {
    const same = this.#kept.get(options)
    if (same === undefined) return false
    const last = same.pop()
    if (last !== undefined) last.isGone = true
    if (same.length === 0) this.#kept.delete(options)
    return true
  }

  /** Rows of these keys are wanted, whatever is in them. */
  expect(keys: readonly string[]): () => void {
    for (const key of keys) this.#expected.set(key, (this.#expected.get(key) ?? 0) + 1)
    return () => {
      for (const key of keys) {
        const left = this.#expected.get(key)! - 1
        if (left === 0) this.#expected.delete(key)
        else this.#expected.set(key, left)
      }
    }
  }

  /** Takes a change of a row. Returns whether it is one for the collection; then `known` says whether the row is there now. */
  changed(key: string, row: object | undefined): boolean {
    for (const subset of [...this.#kept.values()].flat()) if (subset.isLoading) subset.changed.add(key)
    const isWanted = row !== undefined && this.wants(key, row)
    if (isWanted) this.known.add(key)
    else if (!this.known.delete(key)) return false
    return true
  }

  wants(key: string, row: object): boolean {
    if (this.#expected.has(key)) return true
    for (const same of this.#kept.values()) if (same[0]!.wants(row)) return true
    return false
  }
}
