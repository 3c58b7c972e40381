import type { PeerId as Libp2pPeerId } from '@libp2p/interface'
import { GridError } from '@gossipgrid/core'
import type { PeerId } from '@gossipgrid/core'
import type { Channel } from './channel.ts'

/** How many streams of gossip a peer may open on one connection. */
export const GOSSIP_STREAMS_MAX = 2

export interface GossipOptions {
  /** Frames are published on the topics of all channels. */
  readonly channels: readonly Channel[]
  /** The largest frame, in bytes, before it is sealed. */
  readonly broadcastSizeMaxBytes: number
  /** Whether a neighbour has shown its proof of membership. Only such neighbours are sent frames. */
  readonly isMember: (peerId: PeerId) => boolean
}

/** Best-effort broadcast of frames to all peers of a grid. */
export interface Broadcasting {
  /** Frames given up because too much was waiting already. */
  readonly dropped: number
  /** Subscribes; `onMessage` gets every valid frame of others once, with the author its signature proves. */
  listen(onMessage: (author: PeerId, bytes: Uint8Array) => void): void
  /** See `Broadcast.publish` of core's ports. Throws `MESSAGE_TOO_LARGE`. */
  publish(bytes: Uint8Array): Promise<void>
  /** A neighbour has shown that it is a member. */
  admitted(neighbour: PeerId): void
  /** A peer is gone, and nothing is kept of it. */
  forget(peerId: Libp2pPeerId): void
  /** True for a connected neighbour that broadcasts cannot flow to or from for as long as its connection lives. */
  deaf(neighbour: PeerId): boolean
}

/** Throws `MESSAGE_TOO_LARGE`: gossipsub would lose such a frame silently. */
export function checkBroadcastSize(bytes: Uint8Array, limit: number): void {
  if (bytes.length <= limit) return
  throw new GridError(
    'MESSAGE_TOO_LARGE',
    `a broadcast of ${bytes.length} bytes is above the limit of ${limit}; split it or use send`,
  )
}
