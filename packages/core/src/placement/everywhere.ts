import { EVERYONE } from './placement.ts'
import type { Audience, SharedPartitions, Placement } from './placement.ts'

/** Every peer holds everything. */
export class Everywhere implements Placement {
  holds(): boolean {
    return true
  }

  owners(): Audience {
    return EVERYONE
  }

  shares(): boolean {
    return true
  }

  audience(): Audience {
    return EVERYONE
  }

  hasAllOwn(): boolean {
    return true
  }

  publishes(): undefined {
    return undefined
  }

  sharedWith(): SharedPartitions {
    return () => true
  }
}
