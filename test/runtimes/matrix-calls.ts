/** How a peer of the matrix is opened. */
export interface MatrixOpening {
  /** What it is called among the others: it stands in the keys that only this peer writes. */
  readonly self: string
  /** Where it keeps its data; left out: in memory. */
  readonly directory?: string
  /** Multiaddrs; left out: where a peer of its kind listens. */
  readonly listen?: readonly string[]
  readonly join: readonly string[]
}

/** What a peer says of what it holds, in short: equal texts, equal contents. */
export interface MatrixState {
  readonly neighbours: number
  readonly fingerprints: string
}

/** All that a peer holds, read piece by piece, in the order of the keys. */
export interface MatrixContent {
  readonly map: readonly (readonly [key: string, value: string])[]
  readonly counter: number
  readonly set: readonly string[]
  /** The text of the document: words with a space after each. */
  readonly text: string
}

/** Everything that the matrix asks of a peer, whatever it runs on: what it gives and what it gets. */
export interface MatrixCalls {
  open: { ask: MatrixOpening; answer: { peerId: string; addresses: readonly string[] } }
  /** Answered when every write of the round is acknowledged. */
  write: { ask: { readonly round: number }; answer: null }
  /** Cuts the network between it and these peers; with none, all is connected again. */
  split: { ask: readonly string[]; answer: null }
  state: { ask: null; answer: MatrixState }
  content: { ask: null; answer: MatrixContent }
  close: { ask: null; answer: null }
}

/** A peer of the matrix as the test sees it: in a process, or in a tab. */
export interface RemotePeer {
  readonly name: string
  ask<Name extends keyof MatrixCalls>(call: Name, ask: MatrixCalls[Name]['ask']): Promise<MatrixCalls[Name]['answer']>
  /** Lets go of where it runs, whatever its state. */
  abandon(): Promise<void>
}

/**
 * Per round, each peer sets so many keys of its own and as many that all of them set, adds as many elements, and types as
 * many words, of which it takes the first out again.
 */
export const WRITES_PER_ROUND = 20
