import { identify } from '@libp2p/identify'
import { FaultTolerance } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import type { Libp2pOptions } from 'libp2p'
import { directConnections } from './direct-connections.ts'
import { lateGossip } from './late-gossip.ts'
import type { LateGossip } from './late-gossip.ts'
import type { Preset, PresetInput } from './preset.ts'
import { quickNoise } from './quick-noise.ts'
import { quietYamux } from './quiet-yamux.ts'
import { guarded } from './strangers/guarded-transport.ts'
import { TAB_LISTEN, tabTransport } from './tab-transport.ts'
import { timed } from './timed-transport.ts'
import { counted } from './traffic.ts'
import type { TransportsInput } from './transports-input.ts'
import { wasmCipher } from './wasm-cipher.ts'

/** Reaching one address of a peer may take this long; what follows has the time of the whole dial. */
const CONNECT_MAX_MS = 8000

/**
 * The libp2p configuration of a browser tab: WebSockets to server peers, WebRTC to other tabs, which agree on it through a
 * relay at any of those servers, and BroadcastChannels to tabs of the same origin.
 */
export const preset: Preset = {
  // Each `/p2p-circuit` is one relay to be reached through.
  listen: ['/p2p-circuit', '/p2p-circuit', '/webrtc', TAB_LISTEN],
  // Twenty tabs that all knew each other would have 190 connections on one machine.
  neighboursMax: 6,
  usesRelays: true,
  dials: (address) =>
    address.startsWith('/memory/') ||
    (address.includes('/p2p-circuit') ? address.includes('/webrtc') : /\/wss?(\/|$)/.test(address)),
  dialsWhat: 'a tab needs one that ends in /ws: have a server peer listen on /ip4/127.0.0.1/tcp/4001/ws, for example',
  options,
  transports,
  broadcasting: (node) => node.services['pubsub'] as LateGossip,
}

/** WebSockets to servers. */
function transports({ traffic, newcomers, dialWindow }: TransportsInput) {
  return {
    transports: [guarded(counted(timed(webSockets(), dialWindow, CONNECT_MAX_MS), traffic), newcomers)],
    transportManager: { faultTolerance: FaultTolerance.NO_FATAL },
    connectionEncrypters: [quickNoise({ crypto: wasmCipher() })],
    streamMuxers: [quietYamux()],
  } satisfies Libp2pOptions
}

function options(input: PresetInput): ReturnType<Preset['options']> {
  const { traffic, newcomers, dialWindow, gossip, onFound } = input
  const topics = gossip.channels.map(({ topic }) => topic)
  const iceServers = input.iceServers.map((server) => ({ ...server }))
  const servers = transports(input)
  return {
    start: false,
    privateKey: input.privateKey,
    addresses: { listen: [...input.listen] },
    ...servers,
    transports: [
      ...servers.transports,
      counted(timed(tabTransport({ topics, onFound }), dialWindow, CONNECT_MAX_MS), traffic),
    ],
    connectionGater: input.gater,
    connectionManager: { maxConnections: Math.max(300, input.neighboursMax * 4), addressDialTimeout: 60_000 },
    // `SilenceWatch` looks after connections.
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: lateGossip(gossip, input.log),
      direct: directConnections({ iceServers }, newcomers, input.log),
    },
  }
}
