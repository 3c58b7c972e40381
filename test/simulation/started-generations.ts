import { generationKey, readGenerationKey, readGenerationStart } from '@gossipgrid/core'
import type { StartedGeneration } from '../../packages/grid/src/documents/rows/document-table.ts'

interface Started {
  readonly from: number
  /** The ids of the peers that the first peer to settle it knew at that time; undefined while no peer has settled it. */
  known: ReadonlySet<string> | undefined
}

/**
 * All generations of documents that the peers of a simulation have started, including those that no peer has any more.
 */
export class StartedGenerations {
  readonly #started = new Map<string, Started>()

  /** A peer that knows `known` has written a row. Rows that start no generation are ignored. */
  record(key: string, value: Uint8Array | undefined, known: () => Iterable<string>): void {
    const number = readGenerationKey(key)
    if (number === undefined || value === undefined) return
    const { from, settled } = readGenerationStart(value, number)
    const started = this.#started.get(key) ?? { from, known: undefined }
    this.#started.set(key, started)
    if (settled) started.known ??= new Set(known())
  }

  /**
   * Whether the current generation, the end of `line`, had to wait for the edits of a peer in another one. The peer
   * that settles a generation waits for the peers that it knows, so edits that others made during a split may be left
   * behind. `id` is any id under which `record` names the peers that are known.
   */
  wasToWaitFor(id: string, name: string, generation: number, line: readonly StartedGeneration[]): boolean {
    for (let number: number | undefined = generation; number !== undefined; number = this.#fromOf(name, number)) {
      const next = line.find(({ from }) => from === number)
      if (next !== undefined) return this.#started.get(next.key)?.known?.has(id) ?? true
    }
    return true
  }

  #fromOf(name: string, number: number): number | undefined {
    return this.#started.get(generationKey(name, number))?.from
  }
}
