/** How a typist's peer is opened. */
export interface TypistOpening {
  /** Which slice of the trace it types, and its markers. */
  readonly seat: number
  readonly directory: string
  readonly join: readonly string[]
}

/** One character and the id that Yjs gave it. */
export type TypedCharacter = readonly [client: number, clock: number, text: string]
export type ErasedCharacter = readonly [client: number, clock: number]

/** The record of one typist. */
export interface TypingLedger {
  readonly typed: readonly TypedCharacter[]
  readonly erased: readonly ErasedCharacter[]
  /**
   * Markers, characters that occur once in the texts of all typists: those it typed and left, and those it took out.
   */
  readonly markersKept: readonly string[]
  readonly markersErased: readonly string[]
}

/** A short form of what a typist's peer has. */
export interface TypistState {
  readonly neighbours: number
  readonly fingerprint: string
  /** Of its Y.Doc, in base64. */
  readonly stateVector: string
}

/** The calls that a typist answers. */
export interface TypistCalls {
  open: { ask: TypistOpening; answer: { peerId: string; addresses: readonly string[] } }
  /** Returns when so many more edits are on disk. */
  type: { ask: number; answer: null }
  /** Cuts the network between it and these peers; an empty list ends the split. */
  split: { ask: readonly string[]; answer: null }
  state: { ask: null; answer: TypistState }
  text: { ask: null; answer: string }
  /** All characters that its Y.Doc shows, in the order of their ids. */
  characters: { ask: null; answer: readonly TypedCharacter[] }
  ledger: { ask: null; answer: TypingLedger }
  close: { ask: null; answer: null }
}
