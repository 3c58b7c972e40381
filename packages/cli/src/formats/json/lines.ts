const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** What a line is kept in while its end has not arrived: it doubles, so a line in many pieces costs two copies. */
const START_BYTES = 64 * 1024

/**
 * The lines of a stream of bytes. A line ends at "\n" and at nothing else: U+2028, U+2029, U+0085, "\r" and NUL may be
 * part of a line, as they may be part of a text in JSON. The last line needs no "\n". A line of more than
 * `lineMaxBytes` is `undefined`; it is read to its end without being kept.
 */
export async function* byteLines(
  source: AsyncIterable<Uint8Array>,
  lineMaxBytes: number,
): AsyncGenerator<Uint8Array | undefined, void, undefined> {
  const begun = new BegunLine(lineMaxBytes)
  for await (const chunk of source) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      yield begun.finish(chunk.subarray(start, end))
      start = end + 1
    }
    begun.add(chunk.subarray(start))
  }
  if (!begun.empty) yield begun.finish(new Uint8Array(0))
}

/**
 * The same lines as text, without the "\r" before a "\n" and without a byte order mark at the start of the stream.
 * Throws `RangeError` at a line that is too long, `TypeError` at one that is not UTF-8.
 */
export async function* textLines(
  source: AsyncIterable<Uint8Array>,
  lineMaxBytes: number,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let line = 0
  for await (const bytes of byteLines(source, lineMaxBytes)) {
    line += 1
    if (bytes === undefined) throw new RangeError(`line ${line} is longer than ${lineMaxBytes} bytes`)
    const text = decoder.decode(bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes)
    yield line === 1 && text.startsWith('\ufeff') ? text.slice(1) : text
  }
}

/** A line whose end has not arrived. */
class BegunLine {
  readonly #maxBytes: number
  #kept = new Uint8Array(0)
  #sizeBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get empty(): boolean {
    return this.#sizeBytes === 0
  }

  add(part: Uint8Array): void {
    const before = this.#sizeBytes
    this.#sizeBytes += part.length
    if (this.#sizeBytes > this.#maxBytes) {
      this.#kept = new Uint8Array(0)
      return
    }
    if (this.#sizeBytes > this.#kept.length) {
      const larger = new Uint8Array(Math.max(START_BYTES, this.#sizeBytes, this.#kept.length * 2))
      larger.set(this.#kept.subarray(0, before))
      this.#kept = larger
    }
    this.#kept.set(part, before)
  }

  /** The whole line, of which `rest` is the end; undefined where it is too long. */
  finish(rest: Uint8Array): Uint8Array | undefined {
    if (this.empty) return rest.length > this.#maxBytes ? undefined : rest
    this.add(rest)
    const line = this.#sizeBytes > this.#maxBytes ? undefined : this.#kept.subarray(0, this.#sizeBytes)
    this.#kept = new Uint8Array(0)
    this.#sizeBytes = 0
    return line
  }
}
