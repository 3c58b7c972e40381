import { decodeValue } from '@gossipgrid/core'
import type { TimeSlices } from '../flow/time-slices.ts'
import { pathOf, reachedBy } from '../ordering/paths.ts'
import type { Path } from '../ordering/paths.ts'
import { noContent } from './entry-source.ts'
import type { EntrySource } from './entry-source.ts'
import { piecesOf } from './text-pieces.ts'

/** What a text index needs of an object of MiniSearch. */
export interface TextEngineObject {
  /** Takes in a document. */
  add(document: object): void
  /** Takes out a document. It has to be as it was added. */
  remove(document: object): void
  /** The documents that have one of the words, with how well they match. */
  search(words: string, options: object): readonly { readonly id: unknown; readonly score: number }[]
}

/** The class of MiniSearch 7, as `import MiniSearch from 'minisearch'` gives it. */
export type TextEngine = new (options: {
  fields: string[]
  idField: string
  extractField: (document: never, name: string) => unknown
}) => TextEngineObject

/** How a text index finds words. */
export interface TextSearch {
  /** Words also find longer ones that start so. */
  readonly prefix: boolean
  /** Letters that may differ, as a share of the letters of a word. */
  readonly fuzzy: number
  /** How much more some fields count, by name. */
  readonly boost: Readonly<Record<string, number>>
}

/** What the engine takes as a document: the texts of an entry by field, or a piece of them. */
interface TextDocument {
  readonly id: number
  readonly texts: readonly string[]
}

const ID = 'id'
/** More than an entry can have pieces. */
const PIECES_MAX: number = 2 ** 20

/**
 * The words of the entries of a map. It keeps the texts besides, since the engine needs them to take an entry out. Long texts are
 * several documents of the engine, each taken in with a step of its own; an entry matches as well as the best of them.
 */
export class TextIndex {
  readonly names: readonly string[]
  readonly #source: EntrySource
  readonly #search: TextSearch
  readonly #paths: readonly Path[]
  readonly #engine: TextEngineObject
  readonly #texts = new Map<number, readonly string[]>()
  /** Entries that have changed and are not taken in yet, and the order in which they are. */
  readonly #stale = new Set<number>()
  readonly #queue: number[] = []
  #first = 0
  /** The entry that is taken in just now, step by step. */
  #taking: Iterator<void, void, undefined> | undefined
  #isFollowing = false
  readonly #content = noContent()

  constructor(source: EntrySource, engine: TextEngine, names: readonly string[], search: TextSearch) {
    this.#source = source
    this.names = names
    this.#search = search
    this.#paths = names.map(pathOf)
    // Names with a digit in front: a field may be called as the id is.
    const fields = names.map((_, i) => String(i))
    const extractField = ({ id, texts }: TextDocument, name: string): unknown =>
      name === ID ? id : texts[Number(name)]
    this.#engine = new engine({ fields, idField: ID, extractField })
  }

  /** Entries with text in one of the fields, as far as they are taken in. */
  get size(): number {
    return this.#texts.size
  }

  /** Takes an entry in later: it takes ten times as long as the write, and a frame of another peer brings hundreds of them. */
  follow(entry: number, slices: () => TimeSlices): void {
    this.#note(entry)
    if (this.#isFollowing) return
    this.#isFollowing = true
    const following = async (): Promise<void> => {
      const own = slices()
      await own.next()
      while (this.#stale.size > 0) await this.catchUp(own)
    }
    const end = (): void => void (this.#isFollowing = false)
    // It ends when the grid closes. After another fault, the next search tells it.
    following().then(end, end)
  }

  /** Takes in all entries. */
  async build(slices: TimeSlices): Promise<void> {
    slices.begin()
    for (let entry = 0; entry < this.#source.span; entry++) {
      this.#note(entry)
      await this.catchUp(slices)
    }
  }

  /** Takes in what has changed by now. */
  async catchUp(slices: TimeSlices): Promise<void> {
    // What changes meanwhile comes last. Somebody else may take a part of it.
    let left = this.#stale.size + (this.#taking === undefined ? 0 : 1)
    while (left > 0) {
      if (this.#step()) left -= 1
      if (slices.isOverNow()) await slices.next()
    }
  }

  /** The entries with one of these words, and how well they match. */
  find(words: string): Map<number, number> {
    while (this.#stale.size > 0 || this.#taking !== undefined) this.#step()
    const { prefix, fuzzy, boost } = this.#search
    const byField = Object.fromEntries(this.names.flatMap((name, i) => (name in boost ? [[i, boost[name]]] : [])))
    const found = new Map<number, number>()
    for (const { id, score } of this.#engine.search(words, { prefix, fuzzy, boost: byField })) {
      const entry = Math.floor((id as number) / PIECES_MAX)
      // The best ones come first.
      if (!found.has(entry)) found.set(entry, score)
    }
    return found
  }

  #note(entry: number): void {
    if (this.#stale.has(entry)) return
    this.#stale.add(entry)
    this.#queue.push(entry)
  }

  #nextStale(): number | undefined {
    const entry = this.#queue[this.#first]
    if (entry === undefined) return undefined
    this.#stale.delete(entry)
    this.#first += 1
    if (this.#first === this.#queue.length) this.#first = this.#queue.length = 0
    return entry
  }

  /** Takes in a piece of an entry. Returns whether the entry is complete. */
  #step(): boolean {
    if (this.#taking === undefined) {
      const next = this.#nextStale()
      if (next === undefined) return true
      this.#taking = this.#take(next)
    }
    try {
      if (this.#taking.next().done !== true) return false
    } catch (error) {
      this.#taking = undefined
      throw error
    }
    this.#taking = undefined
    return true
  }

  /** Takes an entry as it is now. Each step ends with a piece. */
  *#take(entry: number): Generator<void, void, undefined> {
    const before = this.#texts.get(entry)
    const texts = this.#textsOf(entry)
    if (before !== undefined) {
      if (texts?.every((text, i) => text === before[i]) === true) return
      yield* this.#eachPiece(entry, before, (piece) => this.#engine.remove(piece))
      this.#texts.delete(entry)
    }
    if (texts === undefined) return
    yield* this.#eachPiece(entry, texts, (piece) => this.#engine.add(piece))
    this.#texts.set(entry, texts)
  }

  *#eachPiece(
    entry: number,
    texts: readonly string[],
    call: (piece: TextDocument) => void,
  ): Generator<void, void, undefined> {
    let id = entry * PIECES_MAX
    for (const piece of piecesOf(texts)) {
      if (id > entry * PIECES_MAX) yield
      call({ id, texts: piece })
      id += 1
    }
  }

  #textsOf(entry: number): readonly string[] | undefined {
    if (!this.#source.read(entry, this.#content)) return undefined
    const { bytes, start, end } = this.#content
    const value = decodeValue(bytes.subarray(start, end))
    const texts = this.#paths.map((path) => textOf(reachedBy(value, path)))
    return texts.some((text) => text !== '') ? texts : undefined
  }
}

/** Text, and the texts of arrays. */
function textOf(reached: readonly unknown[]): string {
  const [only] = reached
  if (reached.length === 1 && typeof only === 'string') return only
  return reached
    .flat()
    .filter((each) => typeof each === 'string')
    .join('\n')
}
