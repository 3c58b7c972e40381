/** When a document begins anew, and what follows. Tests take smaller ones: see `Documents.limits`. */
export interface GenerationLimits {
  /** Client ids that Yjs has of a document. */
  readonly clientsMax: number
  /** A document smaller than this is never too heavy, and one that takes so many times what it shows is. */
  readonly weighedMinBytes: number
  readonly weightMax: number
  /** Nobody may have edited it for so long. */
  readonly quietMs: number
  /** Documents are looked at this often. */
  readonly checkMs: number
  /** Writes that a member which is there may lack, or have in advance. */
  readonly lagMax: number
  /** What was before is taken out when all members have had the new generation for so long. */
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
