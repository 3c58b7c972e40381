import type { Runtime } from './runtime.ts'
import { settlesWithin } from './waiting.ts'

const LEAVING_MAX_MS = 1000
const LOOK_GAP_MS = 5

/**
 * Takes a peer that leaves for good out of the registry of durable members. That is to be durable, and with the network,
 * before its connections close; after a second it closes all the same, since its goodbye says so as well.
 */
export async function leaveRegistry(runtime: Runtime): Promise<void> {
  const { broadcaster, membership, peerId } = runtime.peer
  const endMs = performance.now() + LEAVING_MAX_MS
  // Else it might register again meanwhile.
  membership.update({ left: true })
  await settlesWithin(runtime.writes.forget(peerId), LEAVING_MAX_MS)
  while (!broadcaster.idle && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_GAP_MS))
  }
}
