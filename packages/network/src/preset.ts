import type { ConnectionGater, PeerInfo, PrivateKey } from '@libp2p/interface'
import type { Libp2p, Libp2pOptions } from 'libp2p'
import type { DialWindow } from './dial-window.ts'
import type { GossipOptions } from './gossip.ts'
import type { Newcomers } from './strangers/newcomers.ts'
import type { Traffic } from './traffic.ts'

/** A STUN or TURN server, as WebRTC takes it. */
export interface IceServer {
  readonly urls: string | string[]
  readonly username?: string
  readonly credential?: string
}

/** A TLS certificate with its chain, and its key, both as PEM text. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** What a preset is given by the network that uses it. */
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
  /** False where no peer is to be looked for on the local network. */
  readonly mdns: boolean
  /** Addresses to tell others instead of those listened on; empty for those. */
  readonly announce: readonly string[]
  /** For listening on `/tls/ws`. */
  readonly tls: Certificate | undefined
  /** Where WebRTC asks for a way through routers. */
  readonly iceServers: readonly IceServer[]
  /** A peer of the same grid was found without a server: on the local network, or in another tab. */
  readonly onFound: (found: PeerInfo) => void
}

/** What an environment makes of libp2p. `#preset` in package.json chooses: a bundler for browsers takes theirs. */
export interface Preset {
  /** Where a peer listens unless told otherwise. */
  readonly listen: readonly string[]
  /** How many neighbours a peer looks for unless told otherwise. */
  readonly neighboursMax: number
  /** Whether this peer goes through relays to find others: a tab does. */
  readonly usesRelays: boolean
  /** Whether a peer can be dialled here by this address, and data may flow then. */
  dials(address: string): boolean
  options(input: PresetInput): Libp2pOptions
  /** What a new node needs before it starts. */
  prepare?(node: Libp2p): Promise<void>
}

/** What both sides of every connection agree on, whatever carries it. */
export const CONNECTION_MONITOR: NonNullable<Libp2pOptions['connectionMonitor']> = {
  // Finds connections that died without a word. A busy machine may stall for seconds, which is no failure.
  pingInterval: 10_000,
  pingTimeout: { minTimeout: 10_000 },
}
