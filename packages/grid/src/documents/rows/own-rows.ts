import { documentKey, mergeDeletes, writeYjsUpdate } from '@gossipgrid/core'
import type { DocumentLevel } from '@gossipgrid/core'
import type { DocumentRow } from './document-table.ts'

/** How many rows of a level there are before they are merged. */
const LEVEL_ROWS_MAX = 32
/** More than this at once goes to the last level, and so does nothing less. */
const SMALL_MAX_BYTES = 32 * 1024
/** The last row of the last level is written anew with more until it has this size; then another one begins. */
const SEALED_BYTES = 192 * 1024
/** Ranges of deletes in one row: each takes 15 bytes at most. */
export const RANGES_PER_ROW_MAX = 16_384
/** A document that is closed keeps so few rows of an author, or is merged. */
const CLOSED_ROWS_MAX = 8

/** A run of an author's structs, small enough for one row. */
export interface StructRun {
  readonly clock: number
  readonly end: number
  readonly count: number
  readonly bytes: Uint8Array
}

/** What an author's rows are made from. */
export interface OwnContent {
  /** The clock after the author's last struct. */
  readonly clock: number
  /** The author's structs from a clock on, merged as far as they can be. */
  structsFrom(clock: number): readonly StructRun[]
}

interface LevelRow {
  readonly index: number
  /** The first clock in it. */
  readonly from: number
  readonly sizeBytes: number
  /** What it deletes: three numbers for each range. */
  readonly deletes: readonly number[]
}

export interface OwnRow {
  readonly key: string
  /** Undefined takes the row out. */
  readonly update: Uint8Array | undefined
}

/** Says what a row holds: where its structs start, and what it deletes. */
export type ReadRow = (row: DocumentRow) => { readonly from: number; readonly deletes: readonly number[] }

/**
 * The rows that one author has in a document: a small log-structured merge tree, in which what is merged is never taken
 * out but overwritten by what is written later, so that no tombstones are left behind. New edits become rows of level
 * `a`; 32 of these become one of `b`, 32 of these a row of `c`. Every row goes on to the author's last struct: a level
 * holds what came after the levels above it.
 */
export class OwnRows {
  readonly #document: string
  readonly #generation: number
  readonly #nonce: number
  readonly #client: number
  readonly #rowsMax: number
  readonly #levels: Record<DocumentLevel, LevelRow[]> = { a: [], b: [], c: [] }
  /** Rows of `a` and `b` that were written, whether they still count or not. */
  readonly #written: Record<'a' | 'b', Set<number>> = { a: new Set(), b: new Set() }
  /** Where the next row of a level goes. */
  readonly #next: Record<'a' | 'b', number> = { a: 0, b: 0 }
  /** Keys that were asked for, by index: a ring comes back to the same ones. */
  readonly #keys: Record<DocumentLevel, string[]> = { a: [], b: [], c: [] }
  #clock = 0

  constructor(author: {
    readonly document: string
    readonly generation: number
    readonly nonce: number
    readonly client: number
    /** Smaller in tests. */
    readonly levelRowsMax?: number
  }) {
    this.#document = author.document
    this.#generation = author.generation
    this.#nonce = author.nonce
    this.#client = author.client
    this.#rowsMax = author.levelRowsMax ?? LEVEL_ROWS_MAX
  }

  /** The clock up to which there are rows. */
  get clock(): number {
    return this.#clock
  }

  /** Takes up what was written earlier, `clock` being the author's last. */
  restore(rows: readonly DocumentRow[], clock: number, read: ReadRow): void {
    this.#clock = clock
    let mergedHlc = -1
    for (const level of ['c', 'b', 'a'] as const) {
      const live: [number, LevelRow][] = []
      let latestHlc = mergedHlc
      let writtenHlc = -1
      for (const row of rows.filter(({ parts }) => parts.level === level)) {
        const { index } = row.parts
        if (level !== 'c') {
          this.#written[level].add(index)
          if (row.hlc > writtenHlc) this.#next[level] = (index + 1) % this.#ringRows
          writtenHlc = Math.max(writtenHlc, row.hlc)
        }
        // What was written before the last merge into a level above is in there.
        if (row.hlc < mergedHlc) continue
        live.push([row.hlc, { index, ...read(row), sizeBytes: row.sizeBytes }])
        latestHlc = Math.max(latestHlc, row.hlc)
      }
      this.#levels[level] = live.toSorted(([a], [b]) => a - b).map(([, row]) => row)
      if (level === 'c') this.#levels.c.sort((a, b) => a.index - b.index)
      mergedHlc = latestHlc
    }
  }

  /** What comes before a clock is not to be written. */
  skipTo(clock: number): void {
    this.#clock = clock
  }

  /** The rows that say what is new: the structs from `clock` on, and what was deleted. To be written in one piece. */
  append(content: OwnContent, deleted: readonly number[]): OwnRow[] {
    const { a, b, c } = this.#levels
    const deletes = mergeDeletes(deleted)
    const runs = content.structsFrom(this.#clock)
    let sizeBytes = deletes.length * 4
    for (const { bytes } of runs) sizeBytes += bytes.length
    const from = this.#clock
    this.#clock = content.clock
    if (sizeBytes <= SMALL_MAX_BYTES && runs.length <= 1) {
      if (a.length < this.#rowsMax) return [this.#put('a', this.#nextIndex('a'), from, runs[0], deletes)]
      const all = mergeDeletes([...deletesOf(a), ...deletes])
      const merged = content.structsFrom(a[0]!.from)
      if (b.length < this.#rowsMax && merged.length <= 1 && all.length <= RANGES_PER_ROW_MAX * 3) {
        const start = a[0]!.from
        this.#levels.a = []
        return [this.#put('b', this.#nextIndex('b'), start, merged[0], all)]
      }
    }
    const last = c.at(-1)
    const open = last !== undefined && last.sizeBytes < SEALED_BYTES ? last : undefined
    const start = Math.min(from, open?.from ?? from, a[0]?.from ?? from, b[0]?.from ?? from)
    return this.#merge(content, start, open, [...(open?.deletes ?? []), ...deletesOf(b), ...deletesOf(a), ...deletes])
  }

  /** The rows to write, and to take out, so that few are left; none while there are few. */
  fold(content: OwnContent): OwnRow[] {
    const { a, b } = this.#levels
    if (this.#written.a.size + this.#written.b.size <= CLOSED_ROWS_MAX) return []
    const rows = a.length + b.length > 0 ? this.#fold(content) : []
    for (const level of ['a', 'b'] as const) {
      for (const index of this.#written[level]) rows.push({ key: this.#key(level, index), update: undefined })
      this.#written[level].clear()
    }
    return rows
  }

  #fold(content: OwnContent): OwnRow[] {
    const { a, b, c } = this.#levels
    const last = c.at(-1)
    const open = last !== undefined && last.sizeBytes < SEALED_BYTES ? last : undefined
    const start = Math.min(...[open, a[0], b[0]].map((row) => row?.from ?? Infinity))
    return this.#merge(content, start, open, [...(open?.deletes ?? []), ...deletesOf(b), ...deletesOf(a)])
  }

  /** Everything from `start` on becomes rows of the last level, from `open` on. */
  #merge(content: OwnContent, start: number, open: LevelRow | undefined, deletes: readonly number[]): OwnRow[] {
    this.#levels.a = []
    this.#levels.b = []
    let index = open?.index ?? (this.#levels.c.at(-1)?.index ?? -1) + 1
    if (open !== undefined) this.#levels.c.pop()
    const runs: (StructRun | undefined)[] = [...content.structsFrom(start)]
    const parts = chunks(mergeDeletes(deletes), RANGES_PER_ROW_MAX * 3)
    while (runs.length < Math.max(parts.length, 1)) runs.push(undefined)
    return runs.map((run, i) => this.#put('c', index++, run?.clock ?? this.#clock, run, parts[i] ?? []))
  }

  #put(
    level: DocumentLevel,
    index: number,
    from: number,
    run: StructRun | undefined,
    deletes: readonly number[],
  ): OwnRow {
    const structs =
      run === undefined ? [] : [{ client: this.#client, clock: run.clock, count: run.count, pieces: [run.bytes] }]
    const update = writeYjsUpdate(structs, deletes)
    this.#levels[level].push({ index, from, sizeBytes: update.length, deletes })
    if (level !== 'c') this.#written[level].add(index)
    return { key: this.#key(level, index), update }
  }

  /**
   * Rows that were merged are overwritten only after as many others: who has missed the merged row in a broadcast gets it
   * in a session meanwhile, and until then still has what went into it.
   */
  get #ringRows(): number {
    return 2 * this.#rowsMax
  }

  #nextIndex(level: 'a' | 'b'): number {
    const index = this.#next[level]
    this.#next[level] = (index + 1) % this.#ringRows
    return index
  }

  #key(level: DocumentLevel, index: number): string {
    return (this.#keys[level][index] ??= documentKey({
      document: this.#document,
      generation: this.#generation,
      nonce: this.#nonce,
      client: this.#client,
      level,
      index,
    }))
  }
}

function deletesOf(rows: readonly LevelRow[]): number[] {
  return rows.flatMap(({ deletes }) => deletes)
}

function chunks(numbers: readonly number[], sizeMax: number): number[][] {
  const parts: number[][] = []
  for (let i = 0; i < numbers.length; i += sizeMax) parts.push(numbers.slice(i, i + sizeMax))
  return parts
}
