import type { PeerId as Libp2pPeerId } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'

/** libp2p still reads what it knows of a peer while that peer leaves. */
const LEAVE_MAX_MS = 5000
/** libp2p tags a relay like this when a tab should reconnect to it. */
const KEPT_TAG = /^keep-alive/

/**
 * Makes libp2p forget peers that are gone. libp2p keeps what each peer has reported of itself (addresses, protocols, a signed
 * record: 8 KiB and more) for as long as the process runs. Strangers with ever new identities would fill the memory. The
 * addresses that this peer needs are in its `Redialer`.
 */
export class Departed {
  readonly #node: Libp2p
  readonly #onForgotten: (peerId: Libp2pPeerId) => void
  /** When each peer left, the longest ago first. */
  readonly #sinceMs = new Map<string, { readonly peerId: Libp2pPeerId; readonly ms: number }>()

  constructor(node: Libp2p, onForgotten: (peerId: Libp2pPeerId) => void = () => undefined) {
    this.#node = node
    this.#onForgotten = onForgotten
    node.addEventListener('peer:disconnect', ({ detail }) => this.record(detail))
  }

  /** A peer has left, or could not be dialled. This also forgets the peers that left some time ago, so no timer is needed. */
  record(peerId: Libp2pPeerId): void {
    const nowMs = performance.now()
    const name = peerId.toString()
    this.#sinceMs.delete(name)
    this.#sinceMs.set(name, { peerId, ms: nowMs })
    for (const [other, { peerId: gone, ms }] of this.#sinceMs) {
      if (nowMs - ms < LEAVE_MAX_MS) break
      this.#sinceMs.delete(other)
      void this.#forget(gone)
    }
  }

  async #forget(peerId: Libp2pPeerId): Promise<void> {
    if (this.#node.getConnections(peerId).length > 0) return
    this.#onForgotten(peerId)
    try {
      const { tags } = await this.#node.peerStore.get(peerId)
      if (![...tags.keys()].some((tag) => KEPT_TAG.test(tag))) await this.#node.peerStore.delete(peerId)
    } catch {
      // Nothing is known of it.
    }
  }
}
