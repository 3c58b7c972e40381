import { CliError } from '../../cli-error.ts'
import { parsedRow } from './ndjson-rows.ts'
import type { RowStart } from './ndjson-rows.ts'
import { ROW_MAX_BYTES } from './row.ts'
import type { Row, RowShape } from './row.ts'

const [QUOTE, BACKSLASH, COMMA, LINE_FEED] = [34, 92, 44, 10]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125]
const SPACES: ReadonlySet<number> = new Set([9, 10, 13, 32])

/**
 * Rows of a JSON file, which is one array of objects. The array may be larger than memory: it is cut at the commas
 * between its elements, and each element is parsed by itself. Rejects with `BAD_ROW` where there is no array.
 */
export async function* jsonRows(
  source: AsyncIterable<Uint8Array>,
  shape: RowShape,
): AsyncGenerator<Row, void, undefined> {
  const cutter = new ArrayCutter()
  for await (const chunk of source) {
    for (const { bytes, line, start } of cutter.elements(chunk)) {
      if (bytes === undefined) yield { line, column: '', reason: `is longer than ${ROW_MAX_BYTES} bytes` }
      else
        yield (
          parsedRow(bytes, shape, line, start) ?? {
            line,
            column: '',
            reason: 'an element is missing between two commas',
          }
        )
    }
  }
  cutter.end()
}

interface Element {
  /** Undefined when it is too long. */
  readonly bytes: Uint8Array | undefined
  /** Where it begins, after the space before it. */
  readonly line: number
  /** Where its bytes begin. */
  readonly start: RowStart
}

/** Cuts a JSON array that arrives in pieces into its elements. */
class ArrayCutter {
  #place: 'before' | 'inside' | 'after' = 'before'
  #depth = 0
  #inText = false
  #escaped = false
  #line = 1
  /** Characters of the line so far. */
  #column = 0
  #start: RowStart = { line: 1, column: 1 }
  #elementLine = 0
  #count = 0
  #parts: Uint8Array[] = []
  #keptBytes = 0

  /** Throws `BAD_ROW` when the array has not ended. */
  end(): void {
    if (this.#place === 'before') throw broken('the file is empty; an array of objects was expected')
    if (this.#place === 'inside') throw broken(`the file ends in line ${this.#line}, before the array does`)
  }

  *elements(chunk: Uint8Array): Generator<Element, void, undefined> {
    let start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      this.#advance(byte)
      if (this.#place !== 'inside') {
        this.#outside(byte)
        start = i + 1
        continue
      }
      if (this.#elementLine === 0 && !SPACES.has(byte)) this.#elementLine = this.#line
      const ends = this.#step(byte)
      if (!ends) continue
      this.#hold(chunk.subarray(start, i))
      start = i + 1
      const last = byte === CLOSE_ARRAY
      if (!last || this.#count > 0 || this.#holdsMore()) yield this.#take()
      if (last) this.#place = 'after'
    }
    if (this.#place === 'inside' && start < chunk.length) this.#hold(chunk.slice(start))
  }

  #advance(byte: number): void {
    if (byte === LINE_FEED) {
      this.#line += 1
      this.#column = 0
    } else if ((byte & 0xc0) !== 0x80 && !(this.#place === 'before' && byte === 0xef)) this.#column += 1
  }

  /** True where this byte ends an element. */
  #step(byte: number): boolean {
    if (this.#inText) {
      if (this.#escaped) this.#escaped = false
      else if (byte === BACKSLASH) this.#escaped = true
      else if (byte === QUOTE) this.#inText = false
      return false
    }
    if (byte === QUOTE) this.#inText = true
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) this.#depth += 1
    else if (this.#depth > 0 && (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT)) this.#depth -= 1
    else return this.#depth === 0 && (byte === COMMA || byte === CLOSE_ARRAY)
    return false
  }

  #outside(byte: number): void {
    // The three bytes of a byte order mark may come first.
    if (SPACES.has(byte) || (this.#place === 'before' && (byte === 0xef || byte === 0xbb || byte === 0xbf))) return
    if (this.#place === 'before' && byte === OPEN_ARRAY) {
      this.#place = 'inside'
      this.#start = { line: this.#line, column: this.#column + 1 }
    } else if (this.#place === 'before') throw broken('the file is no JSON array; lines of JSON are --format ndjson')
    else throw broken(`something follows the end of the array, in line ${this.#line}`)
  }

  #hold(part: Uint8Array): void {
    this.#keptBytes += part.length
    if (this.#keptBytes > ROW_MAX_BYTES) this.#parts = []
    else this.#parts.push(part)
  }

  #holdsMore(): boolean {
    return this.#keptBytes > ROW_MAX_BYTES || Buffer.concat(this.#parts).toString().trim() !== ''
  }

  #take(): Element {
    const bytes = this.#keptBytes > ROW_MAX_BYTES ? undefined : Buffer.concat(this.#parts)
    const line = this.#elementLine
    const start = this.#start
    this.#start = { line: this.#line, column: this.#column + 1 }
    this.#parts = []
    this.#keptBytes = 0
    this.#elementLine = 0
    this.#count += 1
    return { bytes, line, start }
  }
}

function broken(complaint: string): CliError {
  return new CliError('BAD_ROW', complaint, 'Correct the file, or say with --format what it is.')
}
