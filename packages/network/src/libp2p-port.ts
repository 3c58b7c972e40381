import type { Network, PeerId } from '@gossipgrid/core'

/** What was dropped or refused since the start, for status and metrics. */
export interface NetworkCounts {
  /** Neighbours that are connected now. */
  readonly neighbours: number
  /** Streams closed because their bytes broke the protocol or had no valid proof of membership. */
  readonly hostileStreams: number
  /** Broadcasts dropped because too much was waiting. */
  readonly broadcastsDropped: number
}

/** The network of a peer on libp2p: core's port, and what only this network can do. */
export interface Libp2pNetwork extends Network {
  /** The private key of this peer's identity. Keep it secret, and pass it as `privateKey` the next time. */
  exportPrivateKey(): Uint8Array
  /** Neighbours that are connected now. */
  neighbours(): PeerId[]
  /** What has happened since the start, for metrics. */
  counts(): NetworkCounts
  /**
   * Cuts the network between this peer and `peerIds`, for demonstrations and tests of a network split. Connections close, and
   * none is made or accepted until `unblock`. Calls add up.
   */
  block(peerIds: readonly PeerId[]): void
  /** Ends the split. All missing peers are redialled at once. */
  unblock(): void
}
