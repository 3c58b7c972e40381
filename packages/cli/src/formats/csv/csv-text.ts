import { CliError } from '../../cli-error.ts'

const [QUOTE, COMMA, LINE_FEED, CARRIAGE_RETURN] = [34, 44, 10, 13]
const UTF8_MARK = [0xef, 0xbb, 0xbf] as const

/** Where quotes are wrong: past that place, cells and the text between them cannot be distinguished. */
export interface WrongQuote {
  /** The line in which the quote opened, from 1. */
  readonly openedLine: number
  /** The line in which text follows the closing quote; undefined if the quote is never closed. */
  readonly closedLine: number | undefined
}

/**
 * The bytes of a CSV file on their way to the parser. Finds what the parser does not: in which line a quote opened, in which
 * line a record begins, and bytes that are no text.
 */
export class CsvText {
  readonly #lines = new LineCounter()
  readonly #quotes = new QuoteScanner()

  /**
   * The text as UTF-8. A file in UTF-16 (little endian) begins with a byte order mark. Throws `BAD_ROW` for bytes that are
   * neither: the parser would put U+FFFD in their place, and so make different keys one.
   */
  async *chunks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let decoder: TextDecoder | undefined
    const encoder = new TextEncoder()
    let line = 1
    try {
      for await (const chunk of source) {
        decoder ??= new TextDecoder(chunk[0] === 0xff ? 'utf-16le' : 'utf-8', { fatal: true })
        const text = decoder.decode(chunk, { stream: true })
        line += text.split('\n').length - 1
        yield this.#passed(decoder.encoding === 'utf-8' ? chunk : encoder.encode(text))
      }
      decoder?.decode()
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      throw new CliError('BAD_ROW', `the file is not UTF-8, in line ${line} or after it`, 'Save it as UTF-8.', {
        cause,
      })
    }
  }

  /** The line in which the record begins that ends before this byte of the text. Records are asked for in order. */
  startLine(endByte: number): number {
    return this.#lines.startLine(endByte)
  }

  get wrongQuote(): WrongQuote | undefined {
    return this.#quotes.wrong
  }

  #passed(chunk: Uint8Array): Uint8Array {
    this.#lines.add(chunk)
    this.#quotes.add(chunk)
    return chunk
  }
}

/** Counts lines between records. Keeps the chunks that the parser has not finished. */
class LineCounter {
  readonly #chunks: Uint8Array[] = []
  /** Offset in the text of the first kept chunk, and of what is counted. */
  #firstOffset = 0
  #offset = 0
  #line = 1
  #afterReturn = false

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
  }

  startLine(endByte: number): number {
    let startLine = 0
    while (this.#offset < endByte) {
      const chunk = this.#chunks[0]
      if (chunk === undefined) break
      const end = Math.min(chunk.length, endByte - this.#firstOffset)
      for (let i = this.#offset - this.#firstOffset; i < end; i++) {
        const byte = chunk[i]!
        if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
          if (!(byte === LINE_FEED && this.#afterReturn)) this.#line += 1
        } else if (startLine === 0) startLine = this.#line
        this.#afterReturn = byte === CARRIAGE_RETURN
      }
      this.#offset = this.#firstOffset + end
      if (end < chunk.length) break
      this.#chunks.shift()
      this.#firstOffset += chunk.length
    }
    return startLine === 0 ? this.#line : startLine
  }
}

/** Follows quotes as the parser does: one opens at the start of a cell, and a doubled one is part of the cell. */
class QuoteScanner {
  #state: 'start' | 'bare' | 'quoted' | 'closing' = 'start'
  #line = 1
  #openedLine = 0
  #closedLine: number | undefined
  #afterReturn = false
  #markBytes = 0

  get wrong(): WrongQuote | undefined {
    if (this.#closedLine !== undefined) return { openedLine: this.#openedLine, closedLine: this.#closedLine }
    return this.#state === 'quoted' ? { openedLine: this.#openedLine, closedLine: undefined } : undefined
  }

  add(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length && this.#closedLine === undefined; i++) {
      const byte = chunk[i]!
      if (this.#markBytes < UTF8_MARK.length) {
        if (byte === UTF8_MARK[this.#markBytes]) {
          this.#markBytes += 1
          continue
        }
        this.#markBytes = UTF8_MARK.length
      }
      if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
        if (!(byte === LINE_FEED && this.#afterReturn)) this.#line += 1
      }
      this.#afterReturn = byte === CARRIAGE_RETURN
      this.#step(byte)
    }
  }

  #step(byte: number): void {
    const ends = byte === COMMA || byte === LINE_FEED || byte === CARRIAGE_RETURN
    if (this.#state === 'quoted') {
      if (byte === QUOTE) this.#state = 'closing'
      return
    }
    if (this.#state === 'closing' && !ends) {
      if (byte === QUOTE) this.#state = 'quoted'
      else this.#closedLine = this.#line
      return
    }
    if (this.#state === 'start' && byte === QUOTE) {
      this.#state = 'quoted'
      this.#openedLine = this.#line
    } else this.#state = ends ? 'start' : 'bare'
  }
}
