import { createReadStream, statSync } from 'node:fs'
import type { ReadStream, Stats } from 'node:fs'
import { CliError } from '../cli-error.ts'
import { fileError } from '../files/file-trouble.ts'

/** So much of a stream is kept in memory while the types of its columns are found. */
const SAMPLE_MAX_BYTES = 16 * 1024 * 1024

/** Where the rows of an import come from. */
export interface Source {
  readonly identity: string
  /** 0 when it is not known. */
  readonly sizeBytes: number
  readonly readBytes: () => number
  /** The bytes from the start, to look at before they are imported. Those of a stream reject with `USAGE` past 16 MiB. */
  readonly sample: () => AsyncIterable<Uint8Array>
  /** All bytes, once. */
  readonly bytes: () => AsyncIterable<Uint8Array>
  readonly stop: () => void
}

/** The file of that name, or stdin. Throws `FILE`, `USAGE`. */
export function sourceOf(file: string | undefined): Source {
  if (file === undefined || file === '-') return stdinSource()
  const found = foundFile(file)
  const read = (): ReadStream => createReadStream(file, { highWaterMark: 256 * 1024 })
  const identity = `${found.size} bytes of ${new Date(found.mtimeMs).toISOString()}`
  if (!found.isFile()) {
    const stream = read()
    return new StreamSource(chunksOf(stream, file), () => stream.destroy(), identity)
  }
  const open = new Set<ReadStream>()
  let last: ReadStream | undefined
  const opened = (): AsyncIterable<Uint8Array> => {
    last = read()
    open.add(last)
    return chunksOf(last, file)
  }
  return {
    identity,
    sizeBytes: found.size,
    readBytes: () => last?.bytesRead ?? 0,
    sample: opened,
    bytes: opened,
    stop: () => open.forEach((stream) => stream.destroy()),
  }
}

/** Throws `FILE` where the system does not let read. */
async function* chunksOf(stream: ReadStream, file: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array
  } catch (error) {
    throw fileError(`${file} cannot be read`, 'Check its permissions and the disk.', error)
  }
}

function foundFile(file: string): Stats {
  try {
    const found = statSync(file)
    if (found.isDirectory()) throw new CliError('FILE', `${file} is a directory`, 'Name a file in it.')
    return found
  } catch (error) {
    throw fileError(`${file} cannot be read`, 'Check its name and permissions.', error)
  }
}

function stdinSource(): Source {
  if (process.stdin.isTTY) {
    throw new CliError('USAGE', 'there is nothing to import', 'Name a file, or pipe rows into stdin.')
  }
  return new StreamSource(process.stdin, () => process.stdin.destroy(), 'stdin')
}

/** What can be read only once. Chunks that were sampled are kept, and come first when all are read. */
class StreamSource implements Source {
  readonly identity: string
  readonly sizeBytes = 0
  readonly stop: () => void
  readonly #chunks: AsyncIterator<Uint8Array>
  /** Promises, since a reader of the sample may have stopped while a chunk was on its way. */
  readonly #sampled: Promise<IteratorResult<Uint8Array>>[] = []

  constructor(stream: AsyncIterable<Uint8Array>, stop: () => void, identity: string) {
    this.#chunks = stream[Symbol.asyncIterator]()
    this.stop = stop
    this.identity = identity
  }

  readBytes(): number {
    return 0
  }

  async *sample(): AsyncGenerator<Uint8Array, void, undefined> {
    let sizeBytes = 0
    for (let i = 0; ; i++) {
      this.#sampled[i] ??= this.#chunks.next()
      const { done, value } = await this.#sampled[i]!
      if (done === true) return
      sizeBytes += value.length
      if (sizeBytes > SAMPLE_MAX_BYTES) throw tooLong()
      yield value
    }
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const { done, value } = await (this.#sampled.shift() ?? this.#chunks.next())
      if (done === true) return
      yield value
    }
  }
}

function tooLong(): CliError {
  return new CliError(
    'USAGE',
    `the types of columns are found by reading all rows, and a stream of CSV is kept in memory for that up to ${SAMPLE_MAX_BYTES} bytes`,
    "Import it from a file, or say how all columns are read: --types 'age=number,*=text', or --strings.",
  )
}
