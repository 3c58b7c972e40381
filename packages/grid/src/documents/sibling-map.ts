import type { GenerationStart } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { GenerationMap, Placement } from './generation-map.ts'
import { IdRanges } from './id-ranges.ts'

/** Where the content of a generation belongs in another one that started from the same one, and that counts in its place. */
export class SiblingMap implements Placement {
  readonly covers: IdRanges
  readonly deletes: IdRanges = new IdRanges([])
  readonly #back: GenerationMap
  readonly #forward: GenerationMap

  /** `back` leads from the generation that both come from to this one, and `forward` to the one that counts. */
  constructor({ client, end }: GenerationStart, back: GenerationMap, forward: GenerationMap) {
    this.covers = new IdRanges([client, 0, end])
    this.#back = back
    this.#forward = forward
  }

  isLate({ client, clock }: Y.ID): boolean {
    return clock >= this.covers.endOf(client)
  }

  find({ clock }: Y.ID): Y.ID | undefined {
    const [origin] = this.#back.originsOf(clock, clock + 1)
    if (origin === undefined) return undefined
    const id = Y.createID(origin[0], origin[1])
    return this.#forward.isLate(id) ? id : this.#forward.find(id)
  }

  translate(deletes: readonly number[]): number[] {
    const translated: number[] = []
    for (let i = 0; i < deletes.length; i += 3) {
      const [client, clock, length] = deletes.slice(i, i + 3) as [number, number, number]
      const known = this.covers.endOf(client)
      const late = Math.max(clock, known)
      if (late < clock + length) translated.push(client, late, clock + length - late)
      if (clock >= known) continue
      const origins = this.#back.originsOf(clock, Math.min(clock + length, known))
      translated.push(...this.#forward.translate(origins.flat()))
    }
    return translated
  }
}
