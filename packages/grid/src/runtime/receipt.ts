/** A write's place in the order of all writes to its key: the larger (hlc, replicaId) wins everywhere. */
export interface Version {
  /** Reading of the hybrid logical clock: 41 bits of milliseconds since 2025 and 12 bits of counter in one number. */
  readonly hlc: number
  /** Identifies the writer's replica: 16 hexadecimal digits. A peer that lost its data gets a new one. */
  readonly replicaId: string
  /** Counts the writes of that replica id to the partition. */
  readonly sequence: number
}

/** How safe a write is when its promise resolves. */
export interface Receipt {
  readonly version: Version
  /** The write is synced to this peer's disk: it survives a crash and a power cut. False on a memory-only peer. */
  readonly durable: boolean
  /** Durable copies known to exist, this peer's included. 1 unless more were requested; 0 on a memory-only peer. */
  readonly copies: number
}

/** What the promise of a write waits for. */
export interface WriteOptions {
  /**
   * Resolve when this many durable copies exist, this peer's included: 1 to 64. Default 1, which waits for this peer
   * alone; on a memory-only peer it waits for no copy.
   */
  readonly copies?: number
  /** How long to wait for copies at other peers, in milliseconds. Then rejects with `COPIES_TIMEOUT`. Default 10,000. */
  readonly timeoutMs?: number
  /** Ends the waiting, not the write: rejects with `ABORTED`. If aborted before the call, nothing is written. */
  readonly signal?: AbortSignal
}
