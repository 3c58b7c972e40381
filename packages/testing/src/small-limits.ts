import { Checkpoint, Outgoing } from '@gossipgrid/core/internals'

/** Limits of core that a few minutes of small writes would never reach. */
export interface SmallLimits {
  readonly logMinBytes: number
  readonly chunkMaxBytes: number
}

/** Runs something with lower limits, so that logs are cut and sessions take several chunks. */
export function withSmallLimits<T>(limits: SmallLimits, run: () => T): T {
  const restoreLog = replaceGetter(Checkpoint.prototype, 'logMinBytes', limits.logMinBytes)
  const restoreChunk = replaceGetter(Outgoing.prototype, 'chunkMaxBytes', limits.chunkMaxBytes)
  try {
    return run()
  } finally {
    restoreLog()
    restoreChunk()
  }
}

function replaceGetter(prototype: object, name: string, value: number): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name)!
  Object.defineProperty(prototype, name, { ...original, get: () => value })
  return () => Object.defineProperty(prototype, name, original)
}
