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
}

/** The conductor's calls to a peer, with their arguments and results. */
export interface PeerCalls {
  open: { ask: PeerOpening; answer: { peerId: string; addresses: readonly string[]; entriesFromDisk: number } }
  /** Returns when every write is durable on the peer's disk. */
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
