import type { Identify } from '@libp2p/identify'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Libp2p } from 'libp2p'
import type { PeerId } from '@gossipgrid/core'

/**
 * How long a new neighbour and this peer have to compare what they hold, before libp2p asks the neighbour for its addresses and
 * protocols and gossip starts. Both cost more work than the comparison, and would come first.
 */
const IDENTIFY_AFTER_MS = 50

/** Lets libp2p identify a new neighbour in a while. Without an answer gossip does not start, and `DeafWatch` redials it. */
export function identifyLater(node: Libp2p, neighbour: PeerId): void {
  const { identify } = node.services as { readonly identify: Identify }
  setTimeout(() => {
    const connections = node.getConnections(peerIdFromString(neighbour))
    const connection = connections.find(({ status }) => status === 'open')
    if (connection !== undefined) identify.identify(connection).catch(() => undefined)
  }, IDENTIFY_AFTER_MS)
}
