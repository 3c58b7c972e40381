import { createHash, getCiphers } from 'node:crypto'
import type { Server } from 'node:http'
import { identify } from '@libp2p/identify'
import { FaultTolerance } from '@libp2p/interface'
import type { PeerInfo, Transport } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { asCrypto, defaultCrypto } from '@libp2p/noise/crypto'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Libp2pOptions } from 'libp2p'
import { gossipService } from './gossip.ts'
import { CONNECTION_MONITOR } from './preset.ts'
import type { Preset, PresetInput } from './preset.ts'
import { relayService } from './relay-service.ts'
import { counted } from './traffic.ts'

/**
 * The libp2p configuration of a server peer: TCP and WebSockets, noise, yamux, gossipsub, and mDNS for peers of the
 * same grid. It is a relay for browser tabs as well. It contacts no server on the internet by itself.
 */
export const preset: Preset = {
  // Any free port, for peers over TCP and tabs over WebSockets.
  listen: ['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0/ws'],
  dials: (address) => !address.includes('/p2p-circuit'),
  options,
}

function options(input: PresetInput): Libp2pOptions {
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
    connectionMonitor: CONNECTION_MONITOR,
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipService(input.gossip),
      relay: relayService(),
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
