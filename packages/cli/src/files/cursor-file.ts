import { CliError, systemCode } from '../cli-error.ts'
import { writeTrouble } from './file-trouble.ts'
import { readAtMost } from './read-at-most.ts'
import { writeWholeFile } from './whole-file.ts'

const CURSOR_MAX_BYTES = 16 * 1024 * 1024
/** How often it is written at most. After a kill, the changes since then come a second time. */
const SAVE_GAP_MS = 500

/** Keeps in a file how far a watch has come. */
export class CursorFile {
  readonly #path: string
  #unsaved: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #savedAtMs = -Infinity
  #failure: CliError | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** The kept cursor; undefined without a file, or with an empty one. Throws `FILE` for a file of another kind. */
  read(): string | undefined {
    let text: string
    try {
      text = readAtMost(this.#path, CURSOR_MAX_BYTES).toString().trim()
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw this.#failed('cannot be read', error)
    }
    // A crash can leave a file without contents.
    if (/^\0*$/.test(text)) return undefined
    if (/^[\w-]+$/.test(text)) return text
    throw new CliError('FILE', `${this.#path} holds no cursor`, 'Name another file with --cursor.')
  }

  /** Keeps a cursor, now or soon. Throws `FILE` if an earlier one could not be written. */
  save(cursor: string): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#unsaved = cursor
    const leftMs = this.#savedAtMs + SAVE_GAP_MS - performance.now()
    if (leftMs <= 0) this.flush()
    else this.#timer ??= setTimeout(() => this.#write(), leftMs)
  }

  /** Writes what is not written yet. Throws `FILE` if it cannot be. */
  flush(): void {
    this.#write()
    if (this.#failure !== undefined) throw this.#failure
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#unsaved === undefined) return
    try {
      writeWholeFile(this.#path, `${this.#unsaved}\n`, { mode: 0o600 })
      this.#unsaved = undefined
    } catch (error) {
      this.#failure = error instanceof CliError ? error : this.#failed('cannot be written', error)
    }
    this.#savedAtMs = performance.now()
  }

  #failed(complaint: string, cause: unknown): CliError {
    const message = `the cursor file ${this.#path} ${complaint}: ${writeTrouble(cause)}`
    return new CliError('FILE', message, 'Name a file that you can read and write with --cursor.', { cause })
  }
}
