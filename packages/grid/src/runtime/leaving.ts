import { settlesWithin } from './waiting.ts'

const LEAVING_MAX_MS = 1000
const LOOK_GAP_MS = 5

/** What leaving asks of the peer. */
export interface LeavingDeps {
  /** Marks this peer as one that has left: it does not register again. */
  markLeft(): void
  /** Deletes this peer from the registry. Settles when that is durable, or has failed. */
  forget(): Promise<unknown>
  /** True when all writes have been given to the network. */
  isBroadcast(): boolean
}

/**
 * Deletes a peer that leaves for good from the registry of durable members. Waits until that is durable, and with the
 * network, before connections close; for a second at most, since the goodbye says the same.
 */
export async function leaveRegistry({ markLeft, forget, isBroadcast }: LeavingDeps): Promise<void> {
  const endMs = performance.now() + LEAVING_MAX_MS
  markLeft()
  await settlesWithin(forget(), LEAVING_MAX_MS)
  while (!isBroadcast() && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_GAP_MS))
  }
}
