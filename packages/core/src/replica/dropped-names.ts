import { splitKey } from '../bytes/composite-key.ts'
import { generationName, isGeneration, splitGeneration } from '../kinds/generations.ts'
import { rulesOf } from '../kinds/kinds.ts'
import type { Replica } from './replica.ts'

/**
 * The names of collections that were dropped, each with the highest generation that was: it and all before it are gone for good.
 * So the state is a join-semilattice: a map of maxima. Read from the rows of the collection of drops, (name, generation).
 */
export class DroppedNames {
  /** Called for every drop that is news, in the middle of a merge. */
  onDrop: (() => void) | undefined
  readonly #latest = new Map<string, number>()

  /** Number of names. */
  get size(): number {
    return this.#latest.size
  }

  /** Whether a collection, as it is stored and travels, was dropped. */
  isDropped({ collection, kind }: { readonly collection: string; readonly kind: number }): boolean {
    if (this.#latest.size === 0 || rulesOf(kind)?.internalName !== undefined) return false
    const { name, generation } = splitGeneration(collection)
    return generation <= (this.#latest.get(name) ?? -1)
  }

  /** The generation that a name has now. */
  generationOf(name: string): number {
    return (this.#latest.get(name) ?? -1) + 1
  }

  /** The name under which a collection of an application is stored and travels now. */
  current(name: string): string {
    return generationName({ name, generation: this.generationOf(name) })
  }

  /** Reads the rows of drops from here on. */
  follow(replica: Replica): void {
    replica.observe({ changedSlot: (slot) => this.#read(replica, slot) })
  }

  #read({ table }: Replica, slot: number): void {
    const { main: name, sub } = splitKey(table.key(slot))
    // A row is deleted only by a peer that knows a later drop, which may come after this. A restart must not forget that.
    const generation = Number(sub) + (table.deleted(slot) ? 1 : 0)
    if (!isGeneration(generation) || generation < this.generationOf(name)) return
    this.#latest.set(name, generation)
    this.onDrop?.()
  }
}
