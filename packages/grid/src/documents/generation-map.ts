import type { GenerationStart } from '@gossipgrid/core'
import * as Y from 'yjs'
import { IdRanges } from './id-ranges.ts'

type Shared = Y.Doc['share'] extends Map<string, infer Type> ? Type : never

interface Run {
  readonly client: number
  readonly clock: number
  readonly length: number
  readonly item: Y.Item
}

/** Where what stands in one generation belongs in another one. */
export interface Placement {
  /** What the other one has of it already. */
  readonly covers: IdRanges
  /** What of that was deleted by then. */
  readonly deletes: IdRanges
  isLate(id: Y.ID): boolean
  /** What an id is in the other one; undefined where it has none. */
  find(id: Y.ID): Y.ID | undefined
  /** Deletes as they read in the other one. */
  translate(deletes: readonly number[]): number[]
}

/**
 * Where the content of a generation stands in the one that started from it. The new one holds a copy of what the old one
 * showed, in the same order and under the same parents, so that walking both side by side tells which id became which.
 */
export class GenerationMap implements Placement {
  readonly covers: IdRanges
  /** What was deleted already when the new one started. */
  readonly deletes: IdRanges
  readonly #start: GenerationStart
  readonly #runs = new Map<number, { readonly clock: number; readonly end: number; readonly to: number }[]>()

  /** `from` has what is known of the old generation and `to` of the new one. Throws when they do not match. */
  constructor(start: GenerationStart, from: Y.Doc, to: Y.Doc) {
    this.#start = start
    this.covers = new IdRanges(start.covers)
    this.deletes = new IdRanges(start.deletes)
    for (const [key, type] of from.share) {
      const copy = to.share.get(key)
      if (copy !== undefined) this.#pair(type, copy)
    }
    for (const runs of this.#runs.values()) runs.sort((a, b) => a.clock - b.clock)
  }

  /** Whether the new generation started without it. */
  isLate({ client, clock }: Y.ID): boolean {
    return clock >= this.covers.endOf(client)
  }

  /** What an id of the old generation is in the new one; undefined where it has none. */
  find({ client, clock }: Y.ID): Y.ID | undefined {
    const runs = this.#runs.get(client) ?? []
    let low = 0
    let high = runs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (runs[middle]!.end > clock) high = middle
      else low = middle + 1
    }
    const run = runs[low]
    if (run === undefined || run.clock > clock) return undefined
    return Y.createID(this.#start.client, run.to + clock - run.clock)
  }

  /** What the copies `[clock, end)` are copies of. */
  originsOf(clock: number, end: number): (readonly [client: number, clock: number, length: number])[] {
    const origins: (readonly [number, number, number])[] = []
    for (const [client, runs] of this.#runs) {
      for (const run of runs) {
        const from = Math.max(clock, run.to)
        const length = Math.min(end, run.to + run.end - run.clock) - from
        if (length > 0) origins.push([client, run.clock + from - run.to, length])
      }
    }
    return origins
  }

  /** Deletes of the old generation as they read in the new one, without those it started with. */
  translate(deletes: readonly number[]): number[] {
    const translated: number[] = []
    for (let i = 0; i < deletes.length; i += 3) {
      const client = deletes[i]!
      const end = deletes[i + 1]! + deletes[i + 2]!
      const known = this.covers.endOf(client)
      const late = Math.max(deletes[i + 1]!, known)
      if (late < end) translated.push(client, late, end - late)
      for (const run of this.#runs.get(client) ?? []) {
        const from = Math.max(run.clock, deletes[i + 1]!)
        const to = Math.min(run.end, end)
        if (from < to) translated.push(this.#start.client, run.to + from - run.clock, to - from)
      }
    }
    return translated
  }

  #pair(old: Shared, copy: Shared): void {
    this.#zip(this.#shown(listOf(old)), this.#copied(listOf(copy)))
    for (const [key, item] of old._map) {
      const there = copy._map.get(key)
      if (there !== undefined) this.#zip(this.#shown(entriesOf(item)), this.#copied(entriesOf(there)))
    }
  }

  #zip(old: readonly Run[], copies: readonly Run[]): void {
    const [length, copied] = [old, copies].map((runs) => runs.reduce((sum, run) => sum + run.length, 0))
    if (length !== copied) throw new Error(`${length} places have ${copied} copies`)
    let at = 0
    let offset = 0
    for (const run of old) {
      for (let done = 0; done < run.length;) {
        const copy = copies[at]!
        const taken = Math.min(run.length - done, copy.length - offset)
        this.#add(run.client, run.clock + done, taken, copy.clock + offset)
        const [content, copiedContent] = [run.item.content, copy.item.content]
        if (content instanceof Y.ContentType && copiedContent instanceof Y.ContentType) {
          this.#pair(content.type, copiedContent.type)
        }
        done += taken
        offset += taken
        if (offset < copy.length) continue
        at += 1
        offset = 0
      }
    }
  }

  #add(client: number, clock: number, length: number, to: number): void {
    const runs = this.#runs.get(client) ?? []
    this.#runs.set(client, runs)
    runs.push({ clock, end: clock + length, to })
  }

  /** What the old generation showed when the new one started. */
  #shown(items: Iterable<Y.Item>): Run[] {
    const runs: Run[] = []
    for (const item of items) {
      const { client, clock } = item.id
      const end = Math.min(clock + item.length, this.covers.endOf(client))
      for (const [from, to] of this.deletes.without(client, clock, end)) {
        runs.push({ client, clock: from, length: to - from, item })
      }
    }
    return runs
  }

  #copied(items: Iterable<Y.Item>): Run[] {
    const runs: Run[] = []
    for (const item of items) {
      const { client, clock } = item.id
      const length = Math.min(clock + item.length, this.#start.end) - clock
      if (client === this.#start.client && length > 0) runs.push({ client, clock, length, item })
    }
    return runs
  }
}

function* listOf(type: Shared): Generator<Y.Item, void, undefined> {
  for (let item = type._start; item !== null; item = item.right) yield item
}

/** The values that stood under one key of a map. */
function* entriesOf(last: Y.Item): Generator<Y.Item, void, undefined> {
  for (let item: Y.Item | null = last; item !== null; item = item.left) yield item
}
