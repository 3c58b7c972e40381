/** How a peer of the matrix is opened. */
export interface MatrixOpening {
  /** Its name among the others, which is part of the keys that only this peer writes. */
  readonly self: string
  /** Its data directory; in memory when left out. */
  readonly directory?: string
  /** Multiaddrs; when left out it listens where peers of its kind do. */
  readonly listen?: readonly string[]
  readonly join: readonly string[]
}

/** A short form of what a peer has: equal texts mean equal contents. */
export interface MatrixState {
  readonly neighbours: number
  readonly fingerprints: string
}

/** All contents of a peer, read piece by piece, in the order of the keys. */
export interface MatrixContent {
  readonly map: readonly (readonly [key: string, value: string])[]
  readonly counter: number
  readonly set: readonly string[]
  /** The text of the document: words with a space after each. */
  readonly text: string
}

/** The calls that a peer of the matrix answers on every runtime, with their arguments and results. */
export interface MatrixCalls {
  open: { ask: MatrixOpening; answer: { peerId: string; addresses: readonly string[] } }
  /** Returns when every write of the round is acknowledged. */
  write: { ask: { readonly round: number }; answer: null }
  /** Cuts the network between it and these peers; an empty list ends the split. */
  split: { ask: readonly string[]; answer: null }
  state: { ask: null; answer: MatrixState }
  content: { ask: null; answer: MatrixContent }
  close: { ask: null; answer: null }
}

/** A peer of the matrix as the test sees it: in a process, or in a tab. */
export interface RemotePeer {
  readonly name: string
  ask<Name extends keyof MatrixCalls>(call: Name, ask: MatrixCalls[Name]['ask']): Promise<MatrixCalls[Name]['answer']>
  /** Ends its process or tab, in any state. */
  abandon(): Promise<void>
}

/**
 * In each round each peer sets so many keys of its own and as many that all of them set, adds as many elements, and
 * types as many words. It takes the first of these words out again.
 */
export const WRITES_PER_ROUND = 20
