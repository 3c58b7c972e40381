import type { Peer } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { Receipt, WriteOptions } from '../../runtime/receipt.ts'
import type { WritePath } from '../../runtime/write-path.ts'

/** Rows that were written in one piece. */
export interface SavedRows {
  /** Resolves as a write does that was given these options. */
  follow(options?: WriteOptions): Promise<Receipt>
}

/** What documents need of the peer they live in: a grid's runtime, or a simulated machine. */
export interface DocumentHost {
  readonly peer: Pick<Peer, 'collections' | 'housekeeping' | 'lag' | 'membership' | 'peerId' | 'replicaId' | 'slotId'>
  readonly closed: boolean
  readonly wallMs: number
  readonly monotonicMs: number
  /** Calls back once the step of the peer that is under way is over. */
  afterStep(call: () => void): void
  /** Calls back at the end of this turn. */
  soon(call: () => void): void
  /** Calls back later. */
  later(ms: number, call: () => void): void
  /** Writes rows in one piece; `settled` is called once that is durable or has failed. Throws what keeps it from being applied. */
  write(rows: readonly RowWrite[], options: WriteOptions | undefined, settled: () => void): SavedRows
}

export function hostOf(writes: WritePath): DocumentHost {
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
    write: (rows, options, settled) => {
      const { durable, parts } = writes.beginAll(rows, options)
      durable.then(settled, settled)
      return { follow: (following) => writes.copies.followAll(parts, durable, following) }
    },
  }
}
