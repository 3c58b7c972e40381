import type { Libp2p } from 'libp2p'

/**
 * Lets a Deno process end by itself after `stop`. The lock library below libp2p's peer store opens one
 * BroadcastChannel for the whole process, for worker threads that share a peer store, and never closes it. Node does
 * not wait for it, Deno does. We share no peer store, so the channel is closed as it is made: the first question to
 * the peer store makes it, before its first `await`, so the swap is over before anything else runs.
 */
export async function letDenoExit(node: Libp2p): Promise<void> {
  if (!('Deno' in globalThis)) return
  const Channel = globalThis.BroadcastChannel
  globalThis.BroadcastChannel = class extends Channel {
    constructor(name: string) {
      super(name)
      this.close()
    }
  }
  const asked = node.peerStore.has(node.peerId)
  globalThis.BroadcastChannel = Channel
  await asked
}
