import type { GenerationStart } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { IdRange } from './id-ranges.ts'
import { splitRange } from './id-ranges.ts'

/** A start of a generation to which edits can still be rebased. */
export interface OpenStart extends GenerationStart {
  readonly copied: readonly number[]
}

/** Maps positions of one generation to another one. */
export interface Placement {
  /** Structs of a client from this clock on must be rebased. They keep their ids. */
  lateFrom(client: number): number
  /** The id in the other generation. Undefined if there is none. */
  find(id: Y.ID): Y.ID | undefined
  /**
   * The id of the first or last copied struct of a range in the other generation. Ignores late edits of other authors, since
   * not every peer that rebases edits has them.
   */
  nearest(range: IdRange, last: boolean): Y.ID | undefined
  /** The parts of a range that exist in the other generation, with their ids there. */
  translate(range: IdRange): IdRange[]
}

/** Maps a generation to one that started from it: copied structs have new ids, and later ones keep theirs. */
export class GenerationMap implements Placement {
  readonly #client: number
  readonly #covers = new Map<number, number>()
  readonly #runs = new Map<number, { readonly clock: number; readonly end: number; readonly to: number }[]>()

  constructor({ client, covers, copied }: OpenStart) {
    this.#client = client
    for (let i = 0; i < covers.length; i += 2) this.#covers.set(covers[i]!, covers[i + 1]!)
    let to = 0
    for (let i = 0; i < copied.length; i += 3) {
      const [from, clock, length] = copied.slice(i, i + 3) as [number, number, number]
      const runs = this.#runs.get(from) ?? []
      this.#runs.set(from, runs)
      runs.push({ clock, end: clock + length, to })
      to += length
    }
    for (const runs of this.#runs.values()) runs.sort((a, b) => a.clock - b.clock)
  }

  lateFrom(client: number): number {
    return this.#covers.get(client) ?? 0
  }

  find({ client, clock }: Y.ID): Y.ID | undefined {
    const [found] = this.translate({ client, clock, length: 1 })
    return found === undefined ? undefined : Y.createID(found.client, found.clock)
  }

  nearest({ client, clock, length }: IdRange, last: boolean): Y.ID | undefined {
    const parts = [...splitRange(this.#runs.get(client) ?? [], clock, clock + length)]
    const part = last ? parts.at(-1) : parts[0]
    if (part === undefined) return undefined
    return Y.createID(this.#client, part.of.to + (last ? part.end - 1 : part.clock) - part.of.clock)
  }

  translate({ client, clock, length }: IdRange): IdRange[] {
    const end = clock + length
    const late = Math.max(clock, this.lateFrom(client))
    const found: IdRange[] = late < end ? [{ client, clock: late, length: end - late }] : []
    for (const run of splitRange(this.#runs.get(client) ?? [], clock, end)) {
      found.push({ client: this.#client, clock: run.of.to + run.clock - run.of.clock, length: run.end - run.clock })
    }
    return found
  }
}

/** Maps a generation to its sibling: both started from the same one, and the sibling is the current one. */
export class SiblingMap implements Placement {
  readonly #start: OpenStart
  readonly #copies: readonly { readonly clock: number; readonly end: number; readonly from: IdRange }[]
  readonly #forward: GenerationMap
  readonly #hereOf: (client: number) => number

  /**
   * `forward` maps the common predecessor to the current generation. `hereOf` returns the clock up to which edits of a client id can
   * still be rebased from the predecessor: they are gone if the sibling was settled.
   */
  constructor(start: OpenStart, forward: GenerationMap, hereOf: (client: number) => number) {
    const copies: { clock: number; end: number; from: IdRange }[] = []
    let clock = 0
    for (let i = 0; i < start.copied.length; i += 3) {
      const [client, from, length] = start.copied.slice(i, i + 3) as [number, number, number]
      copies.push({ clock, end: clock + length, from: { client, clock: from, length } })
      clock += length
    }
    this.#start = start
    this.#copies = copies
    this.#forward = forward
    this.#hereOf = hereOf
  }

  lateFrom(client: number): number {
    return client === this.#start.client ? this.#start.end : this.#forward.lateFrom(client)
  }

  find({ client, clock }: Y.ID): Y.ID | undefined {
    const [found] = this.translate({ client, clock, length: 1 })
    return found === undefined ? undefined : Y.createID(found.client, found.clock)
  }

  nearest({ client, clock, length }: IdRange, last: boolean): Y.ID | undefined {
    if (client !== this.#start.client) return undefined
    const origins = this.#originsOf(clock, clock + length)
    for (const origin of last ? origins.toReversed() : origins) {
      const found = this.#forwarded(origin)
      const late = found.find((range) => range.client === origin.client)
      if (late !== undefined && (last || found.length === 1)) {
        return Y.createID(late.client, last ? late.clock + late.length - 1 : late.clock)
      }
      const copied = this.#forward.nearest(origin, last)
      if (copied !== undefined) return copied
    }
    return undefined
  }

  translate(range: IdRange): IdRange[] {
    const { client, clock, length } = range
    // It was rebased to this generation from the common predecessor.
    if (client !== this.#start.client) return this.#forward.translate(range)
    return this.#originsOf(clock, clock + length).flatMap((origin) => this.#forwarded(origin))
  }

  /** The parts of an original range in the current generation. Those that are not copied keep their ids, and may be gone. */
  #forwarded(origin: IdRange): IdRange[] {
    const end = this.#hereOf(origin.client)
    return this.#forward.translate(origin).flatMap((range) => {
      if (range.client !== origin.client) return [range]
      const length = Math.min(range.length, end - range.clock)
      return length > 0 ? [{ ...range, length }] : []
    })
  }

  #originsOf(clock: number, end: number): IdRange[] {
    return [...splitRange(this.#copies, clock, end)].map((copy) => {
      const { from, clock: first } = copy.of
      return { client: from.client, clock: from.clock + copy.clock - first, length: copy.end - copy.clock }
    })
  }
}
