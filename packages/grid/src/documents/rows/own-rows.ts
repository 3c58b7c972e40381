import { documentKey, mergeDeletes, writeYjsUpdate } from '@gossipgrid/core'
import type { DocumentLevel } from '@gossipgrid/core'
import type { DocumentRow } from './document-table.ts'

/** So many rows of a level are merged into one of the next level. */
const LEVEL_ROWS_MAX = 32
/** Larger edits go to the last level at once. */
const SMALL_MAX_BYTES = 32 * 1024
/** The last row of the last level is rewritten with more edits until it has this size. Then the next row begins. */
const SEALED_BYTES = 192 * 1024
/** Ranges of deletes in one row: each takes 15 bytes at most. */
export const RANGES_PER_ROW_MAX = 16_384
/** If an author has more rows than this, they are merged when the document is closed. */
const CLOSED_ROWS_MAX = 8

/** A run of an author's structs, small enough for one row. */
export interface StructRun {
  readonly clock: number
  readonly end: number
  readonly count: number
  readonly bytes: Uint8Array
}

/** The content for an author's rows. */
export interface OwnContent {
  /** The clock after the author's last struct. */
  readonly clock: number
  /** The author's structs from a clock on, merged as far as possible. */
  structsFrom(clock: number): readonly StructRun[]
}

interface LevelRow {
  readonly index: number
  /** The first clock in it. */
  readonly from: number
  readonly sizeBytes: number
  /** Deleted ranges: three numbers for each. */
  readonly deletes: readonly number[]
}

export interface OwnRow {
  readonly key: string
  /** Undefined deletes the row. */
  readonly update: Uint8Array | undefined
}

/** Returns where the structs of a row start, and what it deletes. */
export type ReadRow = (row: DocumentRow) => { readonly from: number; readonly deletes: readonly number[] }

/**
 * The rows of one author in a document: a small log-structured merge tree. Merged rows are not deleted, but overwritten by
 * later rows, so that they leave no tombstones. New edits become rows of level `a`; 32 of these are merged into one of `b`, and
 * 32 of these into one of `c`. A merged row reaches up to the author's last struct, so a level has what came after the levels
 * above it.
 */
export class OwnRows {
  readonly #document: string
  readonly #generation: number
  readonly #nonce: number
  readonly #client: number
  readonly #rowsMax: number
  readonly #waits: (key: string) => boolean
  readonly #levels: Record<DocumentLevel, LevelRow[]> = { a: [], b: [], c: [] }
  /** Indices of written rows of `a` and `b`, including merged ones. */
  readonly #written: Record<'a' | 'b', Set<number>> = { a: new Set(), b: new Set() }
  /** Index of the next row of a level. */
  readonly #next: Record<'a' | 'b', number> = { a: 0, b: 0 }
  /** Keys by index, since the indices of a ring repeat. */
  readonly #keys: Record<DocumentLevel, string[]> = { a: [], b: [], c: [] }
  #clock = 0

  constructor(author: {
    readonly document: string
    readonly generation: number
    readonly nonce: number
    readonly client: number
    /** Whether a row of a guest waits for members. A row of the last level is not overwritten while it does: the guest has deleted others for it, and members take writes in order. */
    readonly waits?: ((key: string) => boolean) | undefined
    /** Smaller in tests. */
    readonly levelRowsMax?: number
  }) {
    this.#document = author.document
    this.#generation = author.generation
    this.#nonce = author.nonce
    this.#client = author.client
    this.#rowsMax = author.levelRowsMax ?? LEVEL_ROWS_MAX
    this.#waits = author.waits ?? (() => false)
  }

  /** The clock up to which there are rows. */
  get clock(): number {
    return this.#clock
  }

  /** Restores the state from rows that were written earlier. `clock` is the author's last one. */
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
        // Rows that are older than the last merge into a level above are part of it.
        if (row.hlc < mergedHlc) continue
        live.push([row.hlc, { index, ...read(row), sizeBytes: row.sizeBytes }])
        latestHlc = Math.max(latestHlc, row.hlc)
      }
      this.#levels[level] = live.toSorted(([a], [b]) => a - b).map(([, row]) => row)
      if (level === 'c') this.#levels.c.sort((a, b) => a.index - b.index)
      mergedHlc = latestHlc
    }
  }

  /** Skips what comes before a clock. */
  skipTo(clock: number): void {
    this.#clock = clock
  }

  /** The rows for the new edits: the structs from `clock` on, and the deletes. To be written in one piece. */
  append(content: OwnContent, deleted: readonly number[]): OwnRow[] {
    const { a, b } = this.#levels
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
    const last = this.#unsealed
    const open = last !== undefined && !this.#waits(this.#key('c', last.index)) ? last : undefined
    const start = Math.min(from, open?.from ?? from, a[0]?.from ?? from, b[0]?.from ?? from)
    return this.#merge(content, start, open, [...(open?.deletes ?? []), ...deletesOf(b), ...deletesOf(a), ...deletes])
  }

  /** The rows to write and to delete so that few are left. None if there are few. */
  fold(content: OwnContent): OwnRow[] {
    const { a, b } = this.#levels
    if (this.#written.a.size + this.#written.b.size <= CLOSED_ROWS_MAX) return []
    const open = this.#unsealed
    // The rows are merged at a later closing.
    if (open !== undefined && this.#waits(this.#key('c', open.index))) return []
    const rows = a.length + b.length > 0 ? this.#fold(content) : []
    for (const level of ['a', 'b'] as const) {
      // Another Y.Doc of this guest may have built on a row that waits, and its edits come before this merge. The next one deletes it.
      for (const index of this.#written[level]) {
        const key = this.#key(level, index)
        if (this.#waits(key)) continue
        rows.push({ key, update: undefined })
        this.#written[level].delete(index)
      }
    }
    return rows
  }

  #fold(content: OwnContent): OwnRow[] {
    const { a, b } = this.#levels
    const open = this.#unsealed
    const start = Math.min(...[open, a[0], b[0]].map((row) => row?.from ?? Infinity))
    return this.#merge(content, start, open, [...(open?.deletes ?? []), ...deletesOf(b), ...deletesOf(a)])
  }

  /** The last row of the last level, if more goes into it. */
  get #unsealed(): LevelRow | undefined {
    const last = this.#levels.c.at(-1)
    return last !== undefined && last.sizeBytes < SEALED_BYTES ? last : undefined
  }

  /** Merges everything from `start` on into rows of the last level, beginning with the row `open`. */
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
   * Size of a level's ring. A merged row is overwritten only after as many others were written: a peer that missed the result
   * of the merge in a broadcast gets it in a session meanwhile, and until then still has the rows that were merged.
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
