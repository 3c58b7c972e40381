import type { PeerId } from '@gossipgrid/core'

/** The side with the larger peer id waits this much longer, so that two peers seldom dial each other at once. */
const YIELD_MS = 1000
/** Two tabs need longer to agree on WebRTC, and hinder each other if both dial. */
const WEBRTC_YIELD_MS = 4000

/** How long `self` waits for the other peer to dial first. It depends on the other peer's addresses. */
export function yieldMs(self: PeerId, other: PeerId, addresses: readonly string[]): number {
  if (self < other) return 0
  return addresses.some(meetsByRelay) ? WEBRTC_YIELD_MS : YIELD_MS
}

/** Whether an address is that of a tab, which can dial as well. */
export function meetsByRelay(address: string): boolean {
  return address.includes('/webrtc')
}
