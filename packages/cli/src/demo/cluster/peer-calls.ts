/** A write of the conductor; `value` null deletes. */
export interface OrderedWrite {
  readonly key: string
  readonly value: object | null
}

/** The version that a peer gave to an acknowledged write: the larger (hlc, replica id) wins. */
export type AckedVersion = readonly [hlc: number, replicaId: string]

/** How a demo peer is opened. */
export interface PeerOpening {
  readonly name: string
  readonly directory: string
  readonly listen: readonly string[]
  readonly join: readonly string[]
  /** Peers to be cut off from, before the first connection is made. */
  readonly blocked: readonly string[]
  /** The cities are in a partitioned map. */
  readonly partitioned: boolean
}

/** The state that a peer reports whenever it has changed. */
export interface PeerState {
  readonly entries: number
  readonly fingerprint: string
  readonly neighbours: number
  /** Concurrent versions that this peer has seen lose. */
  readonly conflicts: number
  /** Bytes sent on sockets since it was started. */
  readonly sentBytes: number
  /** Where the cities are partitioned. */
  readonly partitions?: PartitionsState
}

/** What a peer has of the partitioned cities. */
export interface PartitionsState {
  /**
   * A letter for each partition: `w` for one that it owns and has whole, `c` for one that it owns and that is on its way here, `h` for
   * the copy of one that others own, until those have it, and `.` for none.
   */
  readonly picture: string
  /** Whole copies here of which an owner lacks something. */
  readonly underReplicated: number
  /** Writes here that wait for their owners. */
  readonly hints: number
  /** Rows that sessions have brought since the peer was started: those of partitions that move, and a few that writes have missed. */
  readonly movedRows: number
}

/** Reads and writes of partitioned cities, all at once. */
export interface PeerWork {
  readonly reads: readonly string[]
  readonly writes: readonly OrderedWrite[]
}

/** The result of `PeerWork`, in its order. */
export interface PeerWorked {
  readonly reads: readonly {
    readonly outcome: 'found' | 'missing' | 'failed'
    readonly tookMs: number
    /** Why it failed. */
    readonly why?: string
  }[]
  /** Null for a write that was not acknowledged: it may be there or not. */
  readonly writes: readonly (AckedVersion | null)[]
}

/** The copy of one partition at one peer: its live entries with the times of their writes, as the table of the peer has them. */
export interface PartitionCopy {
  readonly index: number
  readonly entries: readonly (readonly [key: string, hlc: number])[]
}

/** The conductor's calls to a peer, with their arguments and results. */
export interface PeerCalls {
  open: { ask: PeerOpening; answer: { peerId: string; addresses: readonly string[]; entriesFromDisk: number } }
  /** Returns when every write is durable on the peer's disk; where the cities are partitioned, on those of two owners. */
  write: { ask: readonly OrderedWrite[]; answer: readonly AckedVersion[] }
  read: { ask: string; answer: object | null }
  state: { ask: null; answer: PeerState }
  block: { ask: readonly string[]; answer: null }
  unblock: { ask: null; answer: null }
  /** Every key of the peer, with the hash of its value: read entry by entry, not from its counters. */
  audit: { ask: null; answer: readonly (readonly [key: string, valueHash: string])[] }
  /** Shows the peer under its number to the pages that join the grid. */
  seat: { ask: number; answer: null }
  /** Removes an entry without the grid noticing. */
  sabotage: { ask: string; answer: null }
  work: { ask: PeerWork; answer: PeerWorked }
  /** The copies of partitions at this peer, not read through the grid. */
  copies: { ask: null; answer: readonly PartitionCopy[] }
  /** Hands all partitions over and closes the grid. The argument is the time for that. */
  leave: { ask: number; answer: null }
  /** Declares by its id that another peer never comes back. */
  forget: { ask: string; answer: boolean }
  /** Removes an entry from a copy of this peer without the grid noticing. Returns its key. */
  sabotageCopy: { ask: null; answer: string }
  close: { ask: null; answer: null }
}

/** A message from the conductor to a peer. */
export type PeerRequest = {
  [Name in keyof PeerCalls]: { readonly id: number; readonly call: Name; readonly ask: PeerCalls[Name]['ask'] }
}[keyof PeerCalls]

/** A message from a peer to the conductor. */
export type PeerMessage =
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly text: string }
  | { readonly type: 'state'; readonly state: PeerState }
