/** When a document is compacted, and when its old generations are deleted. Tests set smaller limits: see `Documents.limits`. */
export interface GenerationLimits {
  /** A document with more client ids is compacted. */
  readonly clientsMax: number
  /** A document with fewer bytes of rows is not compacted for its size. */
  readonly weighedMinBytes: number
  /** A document is compacted if its rows take more than this many times the bytes of its visible content. */
  readonly weightMax: number
  /** It is compacted only if there were no edits for this time. */
  readonly quietMs: number
  /** How often documents are checked. */
  readonly checkMs: number
  /** It is compacted only if no connected member is known to be more writes behind or ahead than this. */
  readonly lagMax: number
  /** Old generations are deleted when all members have had the new one for this time, as their reports show. */
  readonly settledAfterMs: number
}

export const GENERATION_LIMITS: GenerationLimits = {
  clientsMax: 256,
  weighedMinBytes: 64 * 1024,
  weightMax: 10,
  quietMs: 10_000,
  checkMs: 5000,
  lagMax: 0,
  settledAfterMs: 60_000,
}
