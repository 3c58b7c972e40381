import { createHash } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { CliError, errorText, systemCode } from '../cli-error.ts'
import { destinationOf } from '../files/destination.ts'
import { parseJson } from '../formats/json/json-fault.ts'
import { readAtMost } from '../files/read-at-most.ts'
import { writeWholeFile } from '../files/whole-file.ts'

/** How often a journal is written at most; what was acknowledged since is written again after a kill, to no harm. */
const SAVE_GAP_MS = 500
const JOURNAL_MAX_BYTES = 1024 * 1024

/** What makes two runs the same import. */
export interface ImportIdentity {
  /** The grid, and for peers that keep data in memory also which run of which peer. */
  readonly target: string
  readonly collection: string
  /** The source: size and time of a file; a stream is taken at the user's word. */
  readonly source: string
  /** How the source is read. */
  readonly reading: string
}

/** How far an import has come. */
export interface ImportState {
  /** Rows of the source, from its start, that are acknowledged or were skipped as bad. */
  readonly rows: number
  readonly skipped: number
  /** How many collections of that name were dropped before the one that has the rows; undefined while none of them has come to it. */
  readonly drops?: number | undefined
}

interface Stored extends ImportState, ImportIdentity {
  readonly journal: 1
}

/** Where an import that belongs to this file and collection notes how far it is. */
export function journalPath(file: string, target: string, collection: string): string {
  const hash = createHash('sha256').update(`${target}\n${collection}`).digest('hex').slice(0, 6)
  return `${file}.import-${hash}.json`
}

/** Notes in a file how far an import is, so that a later run can go on from there. */
export class Journal {
  readonly path: string
  readonly #identity: ImportIdentity
  readonly #dropsNow: number | undefined
  #savedAtMs = 0
  #failure: unknown

  /** `dropsNow` is what the collection says, if it is there. */
  constructor(path: string, identity: ImportIdentity, dropsNow?: number) {
    this.path = path
    this.#identity = identity
    this.#dropsNow = dropsNow
  }

  /**
   * Where to go on: undefined when there is no journal. Throws `FILE` for one of another import, and where the collection has been
   * dropped since.
   */
  read(): ImportState | undefined {
    const stored = this.#stored()
    if (stored === undefined) return undefined
    const { target, collection, source, reading } = this.#identity
    if (stored.source !== source) throw this.#foreign('is of another file, or the file has changed since')
    if (stored.reading !== reading) throw this.#foreign('is of an import that read the file in another way')
    if (stored.collection !== collection || stored.target !== target) {
      throw this.#foreign('is of an import into another grid or collection, or of a peer whose memory is gone')
    }
    if (stored.drops !== undefined && stored.drops !== this.#dropsNow) {
      throw this.#foreign(`is of an import into a collection '${collection}' that was dropped since`)
    }
    return { rows: stored.rows, skipped: stored.skipped, drops: stored.drops }
  }

  /** Throws `FILE` where something else than a journal is there, which would be replaced, and removed at the end. */
  check(): void {
    this.#stored()
  }

  #stored(): Stored | undefined {
    let stored: Partial<Stored> | null
    try {
      if (!statSync(this.path).isFile()) throw new Error('it is no ordinary file')
      const text = readAtMost(this.path, JOURNAL_MAX_BYTES).toString()
      // A crash can leave a journal without contents.
      if (/^\0*$/.test(text)) return undefined
      stored = parseJson(text) as Partial<Stored> | null
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      if (error instanceof SyntaxError) throw this.#foreign(errorText(error))
      throw this.#foreign(`cannot be read: ${errorText(error)}`)
    }
    if (stored?.journal === 1 && Number.isSafeInteger(stored.rows) && Number.isSafeInteger(stored.skipped)) {
      return stored as Stored
    }
    throw this.#foreign('is no journal of an import')
  }

  /** Writes it down, now or when it is time. A journal that cannot be written does not stop an import. */
  save(state: ImportState, now: boolean = false): void {
    if (this.#failure !== undefined) return
    if (!now && performance.now() - this.#savedAtMs < SAVE_GAP_MS) return
    const stored: Stored = { journal: 1, ...this.#identity, ...state }
    try {
      writeWholeFile(this.path, `${JSON.stringify(stored)}\n`, { mode: 0o600, durable: now })
    } catch (error) {
      this.#failure = error
    }
    this.#savedAtMs = performance.now()
  }

  /** Why it could not be written, if so: the import cannot be resumed then. */
  get failure(): unknown {
    return this.#failure
  }

  /** Of a journal that is reached by a symbolic link, the link stays. */
  remove(): void {
    if (statSync(this.path, { throwIfNoEntry: false })?.isFile() === true) rmSync(destinationOf(this.path).path)
  }

  #foreign(complaint: string): CliError {
    return new CliError(
      'FILE',
      `the journal ${this.path} ${complaint}`,
      'Name another journal with --resume FILE, or remove this file if it is of no use; --restart begins an import again.',
    )
  }
}
