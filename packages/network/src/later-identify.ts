import type { Identify } from '@libp2p/identify'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Libp2p } from 'libp2p'
import type { PeerId } from '@gossipgrid/core'

/**
 * How long a new neighbour and this peer have to compare what they hold, before libp2p asks the neighbour for its addresses and
 * protocols and gossip starts. Both cost more work than the comparison, and would come first.
 */
const IDENTIFY_AFTER_MS = 50

/** Lets libp2p identify new neighbours in a while. Without an answer gossip does not start, and `DeafWatch` redials the neighbour. */
export class LaterIdentify {
  readonly #node: Libp2p
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()

  constructor(node: Libp2p) {
    this.#node = node
  }

  add(neighbour: PeerId): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#identify(neighbour)
    }, IDENTIFY_AFTER_MS)
    this.#timers.add(timer)
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #identify(neighbour: PeerId): void {
    const { identify } = this.#node.services as { readonly identify: Identify }
    const connections = this.#node.getConnections(peerIdFromString(neighbour))
    const connection = connections.find(({ status }) => status === 'open')
    if (connection !== undefined) identify.identify(connection).catch(() => undefined)
  }
}
