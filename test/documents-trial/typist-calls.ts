/** How a typist's peer is opened. */
export interface TypistOpening {
  /** Which slice of the trace it types, and by which markers it is known. */
  readonly seat: number
  readonly directory: string
  readonly join: readonly string[]
}

/** One character: the id that Yjs has given to it, and what it is. */
export type TypedCharacter = readonly [client: number, clock: number, text: string]
export type ErasedCharacter = readonly [client: number, clock: number]

/** What one typist has done, noted as it was done. */
export interface TypingLedger {
  readonly typed: readonly TypedCharacter[]
  readonly erased: readonly ErasedCharacter[]
  /** Characters that occur once in all texts of all typists: those it has typed and left alone, and those it has taken out. */
  readonly markersKept: readonly string[]
  readonly markersErased: readonly string[]
}

/** What a typist's peer holds, in short. */
export interface TypistState {
  readonly neighbours: number
  readonly fingerprint: string
  /** Of its Y.Doc, in base64. */
  readonly stateVector: string
}

/** What a typist is asked. */
export interface TypistCalls {
  open: { ask: TypistOpening; answer: { peerId: string; addresses: readonly string[] } }
  /** Answered when so many more edits are on disk. */
  type: { ask: number; answer: null }
  /** Cuts the network between it and these peers; with none, all is connected again. */
  split: { ask: readonly string[]; answer: null }
  state: { ask: null; answer: TypistState }
  text: { ask: null; answer: string }
  /** All characters that its Y.Doc shows, in the order of their ids. */
  characters: { ask: null; answer: readonly TypedCharacter[] }
  ledger: { ask: null; answer: TypingLedger }
  close: { ask: null; answer: null }
}
