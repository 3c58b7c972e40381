import { Checkpoint, Outgoing } from '@gossipgrid/core/internals'
import { replaceGetter } from './replacements.ts'

/** Lower limits for core, since a few minutes of small writes never reach the real ones. */
export interface SmallLimits {
  readonly logMinBytes: number
  readonly segmentMaxBytes: number
  readonly chunkMaxBytes: number
}

/** Runs `use` with lower limits, so that logs are cut, partitions have several segments and sessions several chunks. */
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
