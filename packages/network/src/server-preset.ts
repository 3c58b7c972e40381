import { createHash, getCiphers } from 'node:crypto'
import type { Server } from 'node:http'
import { identify } from '@libp2p/identify'
import { FaultTolerance } from '@libp2p/interface'
import type { ConnectionGater, PeerInfo, PrivateKey, Transport } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { asCrypto, defaultCrypto } from '@libp2p/noise/crypto'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Libp2pOptions } from 'libp2p'
import { gossipService } from './gossip.ts'
import type { GossipOptions } from './gossip.ts'
import { counted } from './traffic.ts'
import type { Traffic } from './traffic.ts'

/** Where a server peer listens unless told otherwise: any free port, for peers over TCP and tabs over WebSockets. */
export const SERVER_LISTEN: readonly string[] = ['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0/ws']

/** What a preset is given by the network that uses it. */
export interface PresetInput {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly neighboursMax: number
  readonly gossip: GossipOptions
  readonly gater: ConnectionGater
  readonly traffic: Traffic
  /** False where no peer is to be looked for on the local network. */
  readonly mdns: boolean
  /** A peer of the same grid was found on the local network. */
  readonly onFound: (found: PeerInfo) => void
}

/**
 * The libp2p configuration of a server peer: TCP and WebSockets, noise, yamux, gossipsub, and mDNS for peers of the
 * same grid. It contacts no server on the internet by itself.
 */
export function serverPreset(input: PresetInput): Libp2pOptions {
  return {
    start: false,
    privateKey: input.privateKey,
    addresses: { listen: [...input.listen] },
    transports: [counted(tcp(), input.traffic), counted(stoppable(webSockets()), input.traffic)],
    transportManager: { faultTolerance: FaultTolerance.FATAL_ALL },
    connectionEncrypters: [noise(noiseOptions())],
    streamMuxers: [yamux()],
    connectionGater: input.gater,
    peerDiscovery: input.mdns
      ? input.gossip.channels.map(({ topic }) => found(mdns({ serviceTag: serviceTag(topic) }), input.onFound))
      : [],
    connectionManager: {
      // libp2p prunes and refuses above its limits; ours (`neighboursMax`) bites first and says so.
      maxConnections: Math.max(300, input.neighboursMax * 4),
      // The defaults of 5 a second and 10 pending per host refuse the peers of one machine that start together.
      inboundConnectionThreshold: 200,
      maxIncomingPendingConnections: 100,
      maxParallelDials: 50,
      // An address list often holds addresses of other networks that never answer.
      addressDialTimeout: 3000,
      dialTimeout: 10_000,
    },
    connectionMonitor: {
      // Finds connections that died without a word. A busy machine may stall for seconds, which is no failure.
      pingInterval: 10_000,
      pingTimeout: { minTimeout: 10_000 },
    },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipService(input.gossip),
    },
  }
}

/** Bun has no chacha20-poly1305 of its own, and noise then fails on frames of 1,200 bytes and more. */
function noiseOptions(): Parameters<typeof noise>[0] {
  if (getCiphers().includes('chacha20-poly1305')) return {}
  const { chaCha20Poly1305Encrypt, chaCha20Poly1305Decrypt } = asCrypto
  return { crypto: { ...defaultCrypto, chaCha20Poly1305Encrypt, chaCha20Poly1305Decrypt } }
}

/** Peers find only those of the same grid, and the tag does not show the topic. */
function serviceTag(topic: string): string {
  return `_gg-${createHash('sha256').update(topic).digest('hex').slice(0, 24)}._udp.local`
}

type Discovery = ReturnType<typeof mdns>

/** libp2p reports a discovered peer only the first time; one that restarted with another port must be heard too. */
function found(factory: Discovery, onFound: (found: PeerInfo) => void): Discovery {
  return (components) => {
    const discovery = factory(components)
    discovery.addEventListener('peer', (event) => onFound(event.detail))
    return discovery
  }
}

/**
 * On Bun, closing an HTTP server that does not itself listen emits no 'close', and the WebSockets listener waits for
 * it: it listens with a plain server and hands the sockets over. Closing it then has to say so itself.
 */
function stoppable<C>(factory: (components: C) => Transport): (components: C) => Transport {
  if (process.versions['bun'] === undefined) return factory
  return (components) => {
    const transport = factory(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options) => {
      const listener = createListener(options) as ReturnType<typeof createListener> & { http?: Server }
      const close = listener.close.bind(listener)
      listener.close = () => {
        const http = listener.http
        if (http !== undefined) {
          http.close = () => {
            setTimeout(() => http.emit('close'), 0)
            return http
          }
        }
        return close()
      }
      return listener
    }
    return transport
  }
}
