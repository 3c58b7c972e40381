import { GridError } from '@gossipgrid/core'
import { isPromiseLike } from '../flow/application-calls.ts'
import { WRITE_OPTIONS, checkWriteOptions } from './checks.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { Receipt, WriteOptions } from '../runtime/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'

const BATCH_WRITES_MAX = 1000
const BATCH_MAX_BYTES: number = 512 * 1024

/** One collection in a batch: it collects what is to be written, and says at the end which rows that takes. */
export interface BatchPart {
  rows(): RowWrite[]
}

/** What the function of a batch asks for, while it runs. Nothing is written before it has returned. */
export class Batch {
  readonly #parts = new Map<object, BatchPart>()
  #writes = 0
  #sizeBytes = 0
  #over = false

  /** The part of a collection, made at its first use. */
  part<Part extends BatchPart>(collection: object, make: () => Part): Part {
    const known = this.#parts.get(collection) as Part | undefined
    const part = known ?? make()
    if (known === undefined) this.#parts.set(collection, part)
    return part
  }

  /** Throws `CLOSED` once the function has returned. */
  checkOpen(): void {
    if (!this.#over) return
    throw new GridError('CLOSED', 'the batch is over: it can be used only inside of its function, which does not wait')
  }

  /** Counts one write of `sizeBytes`, so that a batch without end is stopped early. Throws `BATCH_TOO_LARGE`, `CLOSED`. */
  count(sizeBytes: number): void {
    this.checkOpen()
    this.#writes += 1
    this.#sizeBytes += sizeBytes
    checkBatchSize(this.#writes, this.#sizeBytes)
  }

  /** Runs the function, and gives the rows to be written. Throws what it throws, `INVALID_OPTION`, `BATCH_TOO_LARGE`. */
  collect(run: () => unknown): RowWrite[] {
    try {
      const result = run()
      if (isPromiseLike(result)) {
        // Nobody waits for it.
        result.then(undefined, () => undefined)
        throw new GridError(
          'INVALID_OPTION',
          'the function of a batch must not be asynchronous: read before, write in it',
        )
      }
    } finally {
      this.#over = true
    }
    const rows = [...this.#parts.values()].flatMap((part) => part.rows())
    checkBatch(rows)
    return rows
  }
}

/** Writes what `run` asks for, in one piece; undefined when that is nothing. Rejects as `GridMap.transact` does. */
export async function writeBatch(
  writes: WritePath,
  run: (batch: Batch) => unknown,
  options?: WriteOptions,
): Promise<Receipt | undefined> {
  writes.pump.checkOpen()
  checkWriteOptions(options, WRITE_OPTIONS)
  const batch = new Batch()
  const rows = batch.collect(() => run(batch))
  return rows.length === 0 ? undefined : writes.writeAll(rows, options)
}

/** Throws `BATCH_TOO_LARGE` for more than goes in one piece. */
export function checkBatch(rows: readonly RowWrite[]): void {
  const sizeBytes = rows.reduce((sum, { key, bytes }) => sum + key.length + (bytes?.length ?? 0), 0)
  checkBatchSize(rows.length, sizeBytes)
}

function checkBatchSize(writes: number, sizeBytes: number): void {
  if (writes <= BATCH_WRITES_MAX && sizeBytes <= BATCH_MAX_BYTES) return
  const size = writes > BATCH_WRITES_MAX ? `${writes} writes` : `${sizeBytes} bytes`
  const limits = `${BATCH_WRITES_MAX} writes and ${BATCH_MAX_BYTES} bytes are allowed`
  throw new GridError('BATCH_TOO_LARGE', `${size} in one piece, and ${limits}; nothing was written`)
}
