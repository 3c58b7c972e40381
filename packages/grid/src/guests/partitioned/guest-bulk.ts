import { BulkError } from '../../bulk/bulk-error.ts'
import { isCollection } from '../../bulk/bulk-source.ts'
import type { BulkSource } from '../../bulk/bulk-source.ts'
import type {
  PartitionBulkOptions,
  PartitionBulkResult,
  PartitionReceipt,
} from '../../partitioned/partition-options.ts'
import { checkAborted } from '../../runtime/waiting.ts'

/** Entries that are written together, and their bytes: whichever is reached first. */
const SLICE_ENTRIES_MAX = 64
const SLICE_MAX_BYTES: number = 512 * 1024

/** An entry to write. */
export interface PlannedWrite {
  readonly sizeBytes: number
  /** Writes it. Undefined for the delete of what is not there. */
  write(): Promise<PartitionReceipt | undefined>
}

/** Writes many entries through a member, slice by slice. Entries that were written stand if a later one fails. Rejects with a `BulkError`. */
export async function writeMany<Entry>(
  source: BulkSource<Entry>,
  plan: (entry: Entry) => PlannedWrite,
  { onProgress, signal }: Pick<PartitionBulkOptions, 'onProgress' | 'signal'>,
): Promise<PartitionBulkResult> {
  const done = { written: 0, durable: 0, hinted: 0 }
  let slice: PlannedWrite[] = []
  let sliceBytes = 0
  const flush = async (): Promise<void> => {
    const settled = await Promise.allSettled(slice.map((each) => each.write()))
    slice = []
    sliceBytes = 0
    for (const each of settled) {
      if (each.status === 'rejected' || each.value === undefined) continue
      done.written += 1
      if (each.value.durable) done.durable += 1
      if (each.value.hinted) done.hinted += 1
    }
    const failed = settled.find((each) => each.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    onProgress?.({ written: done.written, durable: done.durable })
  }
  try {
    const planned = isCollection(source) ? Array.from(source, plan) : plans(source, plan)
    for await (const each of planned) {
      checkAborted(signal)
      slice.push(each)
      sliceBytes += each.sizeBytes
      if (slice.length >= SLICE_ENTRIES_MAX || sliceBytes >= SLICE_MAX_BYTES) await flush()
    }
    if (slice.length > 0) await flush()
  } catch (error) {
    throw new BulkError(error, { written: done.written, durable: done.durable })
  }
  return { written: done.written, hinted: done.hinted }
}

async function* plans<Entry>(
  source: BulkSource<Entry>,
  plan: (entry: Entry) => PlannedWrite,
): AsyncGenerator<PlannedWrite, void, undefined> {
  for await (const entry of source) yield plan(entry)
}
