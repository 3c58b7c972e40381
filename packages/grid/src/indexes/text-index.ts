import { decodeValue } from '@gossipgrid/core'
import type { TimeSlices } from '../flow/time-slices.ts'
import { pathOf, reachedBy } from '../ordering/paths.ts'
import type { Path } from '../ordering/paths.ts'
import { noContent } from './entry-source.ts'
import type { EntrySource } from './entry-source.ts'

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

/** The texts of an entry, one for each field: '' for none. */
interface TextDocument {
  readonly entry: number
  readonly texts: readonly string[]
}

const ENTRY = 'entry'

/** The words of the entries of a map. It keeps the texts besides, since the engine needs them to take an entry out. */
export class TextIndex {
  readonly names: readonly string[]
  readonly #source: EntrySource
  readonly #search: TextSearch
  readonly #paths: readonly Path[]
  readonly #engine: TextEngineObject
  readonly #documents = new Map<number, TextDocument>()
  /** Entries that have changed and are not taken in yet. */
  readonly #stale = new Set<number>()
  #isFollowing = false
  readonly #content = noContent()

  constructor(source: EntrySource, engine: TextEngine, names: readonly string[], search: TextSearch) {
    this.#source = source
    this.names = names
    this.#search = search
    this.#paths = names.map(pathOf)
    // Names with a digit in front: a field may be called as the id is.
    const fields = names.map((_, i) => String(i))
    const extractField = ({ entry, texts }: TextDocument, name: string): unknown =>
      name === ENTRY ? entry : texts[Number(name)]
    this.#engine = new engine({ fields, idField: ENTRY, extractField })
  }

  /** Entries with text in one of the fields, as far as they are taken in. */
  get size(): number {
    return this.#documents.size
  }

  /** Takes an entry in later: it takes ten times as long as the write, and a frame of another peer brings hundreds of them. */
  follow(entry: number, slices: () => TimeSlices): void {
    this.#stale.add(entry)
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

  /** Takes in what has changed by now. */
  async catchUp(slices: TimeSlices): Promise<void> {
    for (const entry of [...this.#stale]) {
      if (this.#stale.has(entry)) {
        this.update(entry)
        this.#stale.delete(entry)
      }
      // One entry can have much text.
      if (slices.isOverNow()) await slices.next()
    }
  }

  /** Takes an entry as it is now. */
  update(entry: number): void {
    const before = this.#documents.get(entry)
    const texts = this.#textsOf(entry)
    if (before !== undefined) {
      if (texts?.every((text, i) => text === before.texts[i]) === true) return
      this.#engine.remove(before)
      this.#documents.delete(entry)
    }
    if (texts === undefined) return
    const document = { entry, texts }
    this.#engine.add(document)
    this.#documents.set(entry, document)
  }

  /** The entries with one of these words, and how well they match. */
  find(words: string): Map<number, number> {
    for (const entry of this.#stale) this.update(entry)
    this.#stale.clear()
    const { prefix, fuzzy, boost } = this.#search
    const byField = Object.fromEntries(this.names.flatMap((name, i) => (name in boost ? [[i, boost[name]]] : [])))
    const found = this.#engine.search(words, { prefix, fuzzy, boost: byField })
    return new Map(found.map(({ id, score }) => [id as number, score]))
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
