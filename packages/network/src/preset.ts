import type { ConnectionGater, PeerInfo, PrivateKey } from '@libp2p/interface'
import type { Libp2p, Libp2pOptions } from 'libp2p'
import type { DialWindow } from './dial-window.ts'
import type { Broadcasting, GossipOptions } from './broadcasting.ts'
import type { Certificate, IceServer } from './servers-outside.ts'
import type { OpenSockets } from './socket-ends.ts'
import type { Newcomers } from './strangers/newcomers.ts'
import type { Traffic } from './traffic.ts'
import type { TransportsInput } from './transports-input.ts'

/** What a network passes to its preset. */
export interface PresetInput {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly neighboursMax: number
  readonly gossip: GossipOptions
  readonly gater: ConnectionGater
  readonly traffic: Traffic
  /** Bounds what strangers cost. */
  readonly newcomers: Newcomers
  /** Learns how long handshakes take. */
  readonly dialWindow: DialWindow
  /** Takes the sockets of a server. */
  readonly sockets: Pick<OpenSockets, 'add'>
  /** Whether to look for peers on the local network. */
  readonly mdns: boolean
  /** Addresses to announce instead of those listened on. Empty: announce those listened on. */
  readonly announce: readonly string[]
  /** For listening on `/tls/ws`. */
  readonly tls: Certificate | undefined
  /** STUN and TURN servers for WebRTC. */
  readonly iceServers: readonly IceServer[]
  /** A peer of the same grid was found without a server: on the local network, or in another tab. */
  readonly onFound: (found: PeerInfo) => void
  readonly log: (line: string) => void
}

/** The configuration of libp2p for one environment. `#preset` in package.json chooses it: bundlers for browsers take the tab's. */
export interface Preset {
  /** Where a peer listens by default. */
  readonly listen: readonly string[]
  /** How many neighbours a peer looks for by default. */
  readonly neighboursMax: number
  /** Whether this peer finds others through relays, as tabs do. */
  readonly usesRelays: boolean
  /** Whether a peer can be dialled by this address for data, not only for signalling. */
  dials: (address: string) => boolean
  /** Which addresses can be dialled: the advice of an error. */
  readonly dialsWhat: string
  options(input: PresetInput): Libp2pOptions
  /** The transports to dial servers by, with encryption and multiplexer. */
  transports(input: TransportsInput): Libp2pOptions
  /** Broadcasting by a node with these options. */
  broadcasting(node: Libp2p, gossip: GossipOptions): Broadcasting
  /** What a new node needs before it starts. */
  prepare?(node: Libp2p): Promise<void>
}
