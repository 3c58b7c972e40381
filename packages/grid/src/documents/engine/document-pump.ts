import type { Partition, Peer } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { Receipt, WriteOptions } from '../../receipts/receipt.ts'
import type { WritePath } from '../../runtime/write-path.ts'

/** Rows that were written in one piece. */
export interface SavedRows {
  /** Resolves as a write with these options does. */
  follow(options?: WriteOptions): Promise<Receipt>
}

/** Drives the peer of documents: the write path of a grid, or a simulated machine. */
export interface DocumentPump {
  readonly peer: Pick<Peer, 'collections' | 'housekeeping' | 'lag' | 'membership' | 'peerId' | 'replicaId' | 'slotId'>
  readonly closed: boolean
  readonly wallMs: number
  readonly monotonicMs: number
  /** Runs `call` after the current step of the peer, or at once when there is none. */
  afterStep(call: () => void): void
  /** Runs `call` at the end of the current task. */
  soon(call: () => void): void
  /** Runs `call` after a time. */
  later(ms: number, call: () => void): void
  /** Whether a row still waits to be sent to members, or for their answer: only at a guest. */
  waits(partition: Partition, key: string): boolean
  /** Writes rows in one piece. Calls `settled` when that is durable or has failed. Throws if the rows cannot be applied. */
  write(rows: readonly RowWrite[], options: WriteOptions | undefined, settled: () => void): SavedRows
}

export function pumpOf(writes: WritePath): DocumentPump {
  return {
    peer: writes.pump.peer,
    get closed() {
      return writes.pump.closed
    },
    get wallMs() {
      return writes.pump.wallMs
    },
    get monotonicMs() {
      return performance.now()
    },
    afterStep: (call) => writes.pump.afterStep(call),
    soon: (call) => queueMicrotask(call),
    later: (ms, call) => void setTimeout(call, ms),
    waits: (partition, key) => writes.overlay?.has(partition, key) === true,
    write: (rows, options, settled) => {
      const { durable, parts } = writes.beginAll(rows, options)
      durable.then(settled, settled)
      return { follow: (following) => writes.copies.followAll(parts, durable, following) }
    },
  }
}
