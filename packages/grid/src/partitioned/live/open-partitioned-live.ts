import { LiveQuery } from '../../live/live-query.ts'
import { checkLive } from '../../live/open-live.ts'
import { TimeSlices } from '../../flow/time-slices.ts'
import type { Logger } from '../../logger.ts'
import type { OwnerReadOptions } from '../partition-options.ts'
import { FollowedQuery } from './followed-query.ts'
import type { FollowedQueryDeps } from './followed-query.ts'

/** See `PartitionedMap.live`. */
export async function openPartitionedLive<Value>(
  deps: FollowedQueryDeps & { readonly logger: Logger },
  query: unknown,
  options: OwnerReadOptions,
): Promise<LiveQuery<Value>> {
  const checked = checkLive(query)
  const { logger, pump } = deps
  const followed = new FollowedQuery(deps, checked)
  try {
    await followed.begin(options)
    const slices = new TimeSlices(() => pump.checkOpen())
    const isComplete = (): boolean => followed.complete
    const live = await LiveQuery.open<Value>(
      { source: followed.rows, indexes: [], slices, pump, logger, isComplete },
      checked,
    )
    followed.onComplete(() => live.announce())
    return live
  } catch (error) {
    followed.stop()
    throw error
  }
}
