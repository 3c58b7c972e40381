import { GridError } from '@gossipgrid/core'
import { GUESTS_FOLLOWED_PARTITIONS_MAX, GUEST_FOLLOWED_PARTITIONS_MAX } from '../guest-limits.ts'

/** How many partitions a member follows for its guests. */
export class FeedRoom {
  #followed = 0

  /** Takes room for a feed of a guest that follows `followed` partitions already. Throws `QUOTA_EXCEEDED`. */
  take(partitions: number, followed: number): void {
    if (followed + partitions > GUEST_FOLLOWED_PARTITIONS_MAX)
      throw new GridError('QUOTA_EXCEEDED', `a guest follows ${GUEST_FOLLOWED_PARTITIONS_MAX} partitions at most`)
    if (this.#followed + partitions > GUESTS_FOLLOWED_PARTITIONS_MAX)
      throw new GridError('QUOTA_EXCEEDED', 'the member follows as many partitions for guests as it can')
    this.#followed += partitions
  }

  give(partitions: number): void {
    this.#followed -= partitions
  }
}
