import { settlesWithin } from './waiting.ts'

const LEAVING_MAX_MS = 1000

/** What leaving asks of the peer. */
export interface LeavingDeps {
  /** Marks this peer as one that has left: it does not register again. */
  markLeft(): void
  /** Deletes this peer from the registry. Settles when that is durable, or has failed. */
  forget(): Promise<unknown>
}

/**
 * Deletes a peer that leaves for good from the registry of durable members. Waits until that is durable, for a second at most,
 * since the goodbye says the same.
 */
export async function leaveRegistry({ markLeft, forget }: LeavingDeps): Promise<void> {
  markLeft()
  await settlesWithin(forget(), LEAVING_MAX_MS)
}
