import { Checkpoint, Outgoing } from '@gossipgrid/core/internals'
import { replaceGetter } from './replacements.ts'

/** Limits of core that a few minutes of small writes would never reach. */
export interface SmallLimits {
  readonly logMinBytes: number
  readonly segmentMaxBytes: number
  readonly chunkMaxBytes: number
}

/** Runs something with lower limits, so that logs are cut, partitions take several segments and sessions several chunks. */
export function withSmallLimits<T>(limits: SmallLimits, run: () => T): T {
  const restores = [
    replaceGetter(Checkpoint.prototype, 'logMinBytes', () => limits.logMinBytes),
    replaceGetter(Checkpoint.prototype, 'segmentMaxBytes', () => limits.segmentMaxBytes),
    replaceGetter(Outgoing.prototype, 'chunkMaxBytes', () => limits.chunkMaxBytes),
  ]
  try {
    return run()
  } finally {
    for (const restore of restores) restore()
  }
}
