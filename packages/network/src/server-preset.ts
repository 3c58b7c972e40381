import { createHash } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { identify } from '@libp2p/identify'
import type { PeerInfo, Startable } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { ping } from '@libp2p/ping'
import type { Libp2pOptions } from 'libp2p'
import { letDenoExit } from './deno-exit.ts'
import { Gossip, gossipService } from './gossip.ts'
import type { GossipService } from './gossip.ts'
import type { Preset, PresetInput } from './preset.ts'
import { relayService } from './relay-service.ts'
import { serverTransports } from './server-transports.ts'

/**
 * The libp2p configuration of a server peer: TCP and WebSockets, noise, yamux, gossipsub, and mDNS for peers of the
 * same grid. It is a relay for browser tabs as well. It contacts no server on the internet by itself.
 */
export const preset: Preset = {
  // Any free port, for peers over TCP and tabs over WebSockets.
  listen: ['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0/ws'],
  neighboursMax: 32,
  usesRelays: false,
  dials: (address) => !address.includes('/p2p-circuit'),
  dialsWhat: 'pass an address of its own that the other peer prints',
  options,
  transports: serverTransports,
  broadcasting: (node, gossip) => new Gossip(node.peerId.toString(), node.services['pubsub'] as GossipService, gossip),
  prepare: letDenoExit,
}

function options(input: PresetInput): Libp2pOptions {
  return {
    start: false,
    privateKey: input.privateKey,
    addresses: { listen: [...input.listen], announce: [...input.announce] },
    ...serverTransports(input),
    connectionGater: input.gater,
    peerDiscovery: input.mdns
      ? input.gossip.channels.map(({ topic }) => found(mdns({ serviceTag: serviceTag(topic) }), input.onFound))
      : [],
    connectionManager: {
      // libp2p prunes and refuses above its limits; ours (`neighboursMax`) bites first and says so.
      maxConnections: Math.max(300, input.neighboursMax * 4),
      // The defaults of 5 a second and 10 pending per host refuse the peers of one machine that start together.
      inboundUpgradeTimeout: 15_000,
      inboundConnectionThreshold: 200,
      maxIncomingPendingConnections: 100,
      maxParallelDials: 50,
      // The transports limit how long one address may take to answer, and each dial has a limit of its own.
      addressDialTimeout: 60_000,
    },
    // `SilenceWatch` looks after connections.
    connectionMonitor: { enabled: false },
    services: {
      // `LaterIdentify` asks a neighbour who it is once the two have compared what they have.
      identify: identify({ runOnConnectionOpen: false }),
      ping: ping(),
      pubsub: gossipService(input.gossip),
      relay: relayService(),
    },
  }
}

/** Peers find only those of the same grid, and the tag does not show the topic. */
function serviceTag(topic: string): string {
  return `_gg-${createHash('sha256').update(topic).digest('hex').slice(0, 24)}._udp.local`
}

type Discovery = ReturnType<typeof mdns>

/**
 * libp2p reports a discovered peer only once, but a peer that restarted with another port must be found again. libp2p also removes
 * its error listener before the socket below is closed, so that a late error would end the process.
 */
export function found(factory: Discovery, onFound: (found: PeerInfo) => void): Discovery {
  return (components) => {
    const discovery = factory(components) as ReturnType<Discovery> & Startable & { readonly mdns?: EventEmitter }
    discovery.addEventListener('peer', (event) => onFound(event.detail))
    const start = discovery.start.bind(discovery)
    discovery.start = async () => {
      await start()
      discovery.mdns?.on('error', () => undefined)
    }
    return discovery
  }
}
