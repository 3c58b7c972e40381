import type { PeerId } from '@gossipgrid/core'

/** What the owner of one end of a connection between a guest and a member is called with. */
export interface GuestChannelEvents {
  /** A message of the other side, whole and in order. */
  message(bytes: Uint8Array): void
  /** The connection has ended. Called once. */
  ended(reason: string): void
}

/** A connection between a guest and a member: messages in both directions, whole and in order. Both peer ids are authenticated. */
export interface GuestChannel {
  /** The peer id of the other side. */
  readonly peerId: PeerId
  /** Begins to call back, first with what has come before. */
  listen(events: GuestChannelEvents): void
  /** The other side has shown what it is. */
  trust(): void
  /** Resolves when the message is queued and the queue has room again. Rejects when the connection has ended. */
  send(bytes: Uint8Array): Promise<void>
  /** Nothing more is read until `resume`, so that the other side has to wait. What came before may still be called back with. */
  pause(): void
  resume(): void
  /** Sends what is queued, and closes. */
  close(): Promise<void>
  /** Ends the connection at once. */
  end(reason: string): void
}
