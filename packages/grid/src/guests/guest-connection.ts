/** One end of a connection between a guest and a member, whose peer ids are authenticated. The network makes it. */
export interface GuestConnection {
  /** The peer id of the other side. */
  readonly peerId: string
  /** Begins to call back, first with what has come before. */
  listen(events: { message(bytes: Uint8Array): void; ended(reason: string): void }): void
  /** The other side has shown what it is: lifts the bounds on what a stranger may cost. */
  trust(): void
  /** Resolves when the message is queued and the queue has room again. Rejects when the connection has ended. */
  send(bytes: Uint8Array): Promise<void>
  /** Sends what is queued, and closes. */
  close(): Promise<void>
  /** Ends the connection at once. */
  end(reason: string): void
}
