import { GridError } from '@gossipgrid/core'
import { isPromiseLike } from '../flow/application-calls.ts'
import { WRITE_OPTIONS, checkWriteOptions, requireKind } from './checks.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'

const BATCH_WRITES_MAX = 1000
const BATCH_MAX_BYTES: number = 512 * 1024

/** The writes to one collection in a batch. */
export interface BatchPart {
  /** The rows to write, once the function of the batch has returned. */
  rows(): RowWrite[]
}

/** Collects the writes of a batch while its function runs. Nothing is written before the function has returned. */
export class Batch {
  readonly #parts = new Map<object, BatchPart>()
  #writes = 0
  #sizeBytes = 0
  #over = false

  /** The writes to a collection, made at its first use. */
  part<Part extends BatchPart>(collection: object, make: () => Part): Part {
    const known = this.#parts.get(collection) as Part | undefined
    const part = known ?? make()
    if (known === undefined) this.#parts.set(collection, part)
    return part
  }

  /** Throws `CLOSED` once the function has returned. */
  checkOpen(): void {
    if (!this.#over) return
    throw new GridError('CLOSED', 'the batch is over: use it only within its function, and wait for nothing there')
  }

  /** Counts one write of `sizeBytes`, so that a batch that grows too large ends early. Throws `BATCH_TOO_LARGE`, `CLOSED`. */
  count(sizeBytes: number): void {
    this.checkOpen()
    this.#writes += 1
    this.#sizeBytes += sizeBytes
    checkBatchSize(this.#writes, this.#sizeBytes)
  }

  /** Runs the function and returns the rows to write. Throws what `run` throws, `INVALID_OPTION`, `BATCH_TOO_LARGE`. */
  collect(run: () => unknown): RowWrite[] {
    try {
      const result = run()
      if (isPromiseLike(result)) {
        // Its error would be unhandled.
        result.then(undefined, () => undefined)
        throw new GridError(
          'INVALID_OPTION',
          'the function of a batch must not be asynchronous: read before, and only write within it',
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

/** Writes in one piece what `write` asks for. Undefined if that is nothing. Rejects as `GridMap.transact` does. */
export async function writeBatch<Part>(
  writes: WritePath,
  write: (part: Part) => unknown,
  partOf: (batch: Batch) => Part,
  options?: WriteOptions,
): Promise<Receipt | undefined> {
  writes.pump.checkOpen()
  requireKind('what a batch is to do', write, 'function')
  checkWriteOptions(options, WRITE_OPTIONS)
  const batch = new Batch()
  const rows = batch.collect(() => write(partOf(batch)))
  return rows.length === 0 ? undefined : writes.writeAll(rows, options)
}

/** Throws `BATCH_TOO_LARGE` for more rows or bytes than fit in one piece. */
export function checkBatch(rows: readonly Pick<RowWrite, 'key' | 'bytes'>[]): void {
  const sizeBytes = rows.reduce((sum, { key, bytes }) => sum + key.length + (bytes?.length ?? 0), 0)
  checkBatchSize(rows.length, sizeBytes)
}

function checkBatchSize(writes: number, sizeBytes: number): void {
  if (writes <= BATCH_WRITES_MAX && sizeBytes <= BATCH_MAX_BYTES) return
  const size = writes > BATCH_WRITES_MAX ? `${writes} writes` : `${sizeBytes} bytes`
  const limits = `${BATCH_WRITES_MAX} writes and ${BATCH_MAX_BYTES} bytes are allowed`
  throw new GridError('BATCH_TOO_LARGE', `${size} in one piece, but ${limits}; nothing was written`)
}
