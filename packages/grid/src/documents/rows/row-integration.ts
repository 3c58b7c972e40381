import { writeYjsUpdate } from '@gossipgrid/core'
import type { YjsStructs, YjsUpdate } from '@gossipgrid/core'

/** A row waits until the document has the struct of a client at a clock. */
export interface Awaited {
  readonly client: number
  readonly clock: number
}

interface Candidate {
  readonly key: string
  readonly client: number
  readonly update: YjsUpdate
  /** Index of the first struct that is not taken, and of its first need. */
  struct: number
  need: number
  /** Deletes that are not taken. */
  deletes: number[]
  awaited: Awaited | undefined
}

interface Section {
  readonly client: number
  readonly clock: number
  count: number
  /** Its structs, as few runs of bytes as possible. */
  readonly runs: { readonly bytes: Uint8Array; readonly start: number; end: number }[]
}

/**
 * Finds the parts of rows that a document can take: structs of contiguous clocks whose references are all there, and deletes
 * of structs that are there. Works struct by struct, since rows of two authors may refer to each other alternately. Yjs would
 * keep the rest as pending in its own state, and include it in its updates.
 */
export class RowIntegration {
  readonly #stateOf: (client: number) => number
  readonly #byClient = new Map<number, Candidate[]>()
  #reached = new Map<number, number>()
  #sections = new Map<number, Section>()

  /** `stateOf` returns the clock after a client's last struct in the document. */
  constructor(stateOf: (client: number) => number) {
    this.#stateOf = stateOf
  }

  offer(key: string, client: number, update: YjsUpdate): void {
    const candidates = this.#byClient.get(client) ?? []
    this.#byClient.set(client, candidates)
    candidates.push({ key, client, update, struct: 0, need: 0, deletes: update.deletes, awaited: undefined })
  }

  /** The next update that the document can take as a whole. Undefined if there is none. The caller must apply it. */
  next(): Uint8Array | undefined {
    this.#reached = new Map()
    this.#sections = new Map()
    for (const candidates of this.#byClient.values()) candidates.sort((a, b) => a.update.from - b.update.from)
    let going = true
    while (going) {
      going = false
      for (const candidates of this.#byClient.values()) {
        for (const candidate of candidates) if (this.#advance(candidate)) going = true
      }
    }
    const deletes = this.#knownDeletes()
    const structs: YjsStructs[] = [...this.#sections.values()].map(({ client, clock, count, runs }) => {
      return { client, clock, count, pieces: runs.map(({ bytes, start, end }) => bytes.subarray(start, end)) }
    })
    return structs.length === 0 && deletes.length === 0 ? undefined : writeYjsUpdate(structs, deletes)
  }

  /** The rows that are not completely taken, with what they wait for. */
  *waiting(): Generator<[key: string, awaited: Awaited], void, undefined> {
    for (const candidates of this.#byClient.values()) {
      for (const { key, awaited } of candidates) if (awaited !== undefined) yield [key, awaited]
    }
  }

  /** Takes all structs of a row that can be taken. Returns true if there was one. */
  #advance(candidate: Candidate): boolean {
    const { client, update } = candidate
    const { structs } = update
    const count = structs.length / 3
    let taken = false
    candidate.awaited = undefined
    for (; candidate.struct < count; candidate.struct++) {
      const at = candidate.struct * 3
      const clock = structs[at]!
      const end = candidate.struct + 1 < count ? structs[at + 3]! : update.to
      const reached = this.#clockOf(client)
      if (end <= reached) continue
      if (clock > reached) {
        candidate.awaited = { client, clock: reached }
        break
      }
      // A part of it is known. Clocks within one update are contiguous, so this must begin another update.
      if (clock < reached && this.#sections.has(client)) break
      if (!this.#hasNeeds(candidate)) break
      this.#take(client, clock, update.bytes, structs[at + 1]!, structs[at + 2]!)
      this.#reached.set(client, end)
      taken = true
    }
    return taken
  }

  #hasNeeds(candidate: Candidate): boolean {
    const { needs } = candidate.update
    for (; candidate.need < needs.length; candidate.need += 3) {
      if (needs[candidate.need]! > candidate.struct) break
      if (needs[candidate.need]! < candidate.struct) continue
      const client = needs[candidate.need + 1]!
      const clock = needs[candidate.need + 2]!
      if (this.#clockOf(client) > clock) continue
      candidate.awaited = { client, clock }
      return false
    }
    return true
  }

  #take(client: number, clock: number, bytes: Uint8Array, start: number, end: number): void {
    const section = this.#sections.get(client) ?? { client, clock, count: 0, runs: [] }
    this.#sections.set(client, section)
    section.count += 1
    const last = section.runs.at(-1)
    if (last?.bytes === bytes && last.end === start) last.end = end
    else section.runs.push({ bytes, start, end })
  }

  #knownDeletes(): number[] {
    const known: number[] = []
    for (const candidates of this.#byClient.values()) {
      for (const candidate of candidates) {
        const { deletes } = candidate
        if (deletes.length === 0) continue
        const left: number[] = []
        for (let i = 0; i < deletes.length; i += 3) {
          const [client, clock, length] = [deletes[i]!, deletes[i + 1]!, deletes[i + 2]!]
          const isKnown = this.#clockOf(client) >= clock + length
          const ranges = isKnown ? known : left
          ranges.push(client, clock, length)
          if (!isKnown) candidate.awaited ??= { client, clock: clock + length - 1 }
        }
        candidate.deletes = left
      }
    }
    return known
  }

  #clockOf(client: number): number {
    const reached = this.#reached.get(client)
    if (reached !== undefined) return reached
    const clock = this.#stateOf(client)
    this.#reached.set(client, clock)
    return clock
  }
}
