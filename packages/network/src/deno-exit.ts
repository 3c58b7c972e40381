import type { Libp2p } from 'libp2p'

/**
 * Lets a Deno process end by itself after `stop`. The lock library below libp2p's peer store opens one BroadcastChannel
 * for the whole process and never closes it. It is there for worker threads that share a peer store, which ours do not.
 * Node does not wait for the channel, but Deno does. So this closes it at once: the first call of the peer store creates
 * it, before its first `await`, and `BroadcastChannel` is replaced for that moment only.
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
