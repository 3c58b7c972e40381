/** A write's place in the order of all writes to its key: the larger (hlc, replicaId) wins everywhere. */
export interface Version {
  /** Reading of the hybrid logical clock: 41 bits of milliseconds since 2025 and 12 bits of counter in one number. */
  readonly hlc: number
  /** The writer's durable life, 16 hexadecimal digits. */
  readonly replicaId: string
  /** Counts the writes of that life to the partition. */
  readonly sequence: number
}

/** How safe a write is at the moment its promise resolves. */
export interface Receipt {
  readonly version: Version
  /** The write is on this peer's disk, synced: it survives a crash and a power cut. False on a memory-only peer. */
  readonly durable: boolean
  /** Durable copies known to exist, this peer's own included. 1 unless more were asked for; 0 on a memory-only peer. */
  readonly copies: number
}

/** What a write can be asked to wait for. */
export interface WriteOptions {
  /**
   * Resolve only when so many durable copies exist, this peer's included: 1 to 64. Default 1, which waits for this peer
   * alone, and on a peer in memory for no copy at all.
   */
  readonly copies?: number
  /** How long to wait for copies of other peers, in milliseconds, before `COPIES_TIMEOUT`. Default 10,000. */
  readonly timeoutMs?: number
  /** Stops the waiting, not the write: rejects with `ABORTED`. Aborted before the call, nothing is written. */
  readonly signal?: AbortSignal
}
