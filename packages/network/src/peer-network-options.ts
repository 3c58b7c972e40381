import type { ConnectionGater, PeerInfo } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import type { PeerId } from '@gossipgrid/core'
import type { Channel } from './channel.ts'
import type { DialWindow } from './dial-window.ts'
import type { Broadcasting, GossipOptions } from './broadcasting.ts'
import type { OpenSockets } from './socket-ends.ts'
import type { Newcomers } from './strangers/newcomers.ts'
import type { Traffic } from './traffic.ts'

/** What a network gives to the libp2p node it is built on. */
export interface NodeHooks {
  readonly gater: ConnectionGater
  readonly traffic: Traffic
  readonly newcomers: Newcomers
  readonly dialWindow: DialWindow
  readonly sockets: OpenSockets
  readonly gossip: GossipOptions
  readonly onFound: (found: PeerInfo) => void
  readonly log: (line: string) => void
}

/** A libp2p node, and how it broadcasts. */
export interface BroadcastingNode {
  readonly node: Libp2p
  readonly broadcasting: Broadcasting
}

export interface PeerNetworkOptions {
  readonly channels: readonly Channel[]
  readonly privateKeyBytes: Uint8Array
  readonly broadcastSizeMaxBytes: number
  readonly join: readonly string[]
  readonly messageSizeMaxBytes: number
  readonly neighboursMax: number
  readonly deafAfterMs: number
  readonly halfOpenMaxMs: number
  readonly accept: (peerId: PeerId) => boolean
  /** Whether other tabs are looked for at relays. */
  readonly usesRelays: boolean
  /** Whether this peer can use an address at all. */
  readonly canDial: (address: string) => boolean
  readonly log: (line: string) => void
}
