import type { Content, EntrySource } from '../../indexes/entry-source.ts'
import type { HeldEntries } from './held-entries.ts'

/** Those entries of the copies of this peer that are in certain partitions. */
export class AskedEntries implements EntrySource {
  readonly #held: HeldEntries
  readonly #partitions: ReadonlySet<number>

  constructor(held: HeldEntries, partitions: ReadonlySet<number>) {
    this.#held = held
    this.#partitions = partitions
  }

  get span(): number {
    return this.#held.span
  }

  key(entry: number): string {
    return this.#held.key(entry)
  }

  find(key: string): number | undefined {
    return this.#held.find(key)
  }

  read(entry: number, into: Content): boolean {
    const partition = this.#held.partitionOf(entry)
    return partition !== undefined && this.#partitions.has(partition) && this.#held.read(entry, into)
  }

  isHidden(): boolean {
    return false
  }

  observe(changed: (entry: number) => void): () => void {
    return this.#held.observe(changed)
  }

  refresh(): void {
    this.#held.refresh()
  }
}
