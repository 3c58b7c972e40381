import type { Network, NetworkEvents } from '@gossipgrid/core'

/** A network with one neighbour, who never answers: keeps what the peer broadcasts, and lets broadcasts be given to it. */
export class SilentNetwork implements Network {
  readonly peerId: string
  readonly broadcasts: Uint8Array[] = []
  #events: NetworkEvents | undefined

  constructor(peerId: string) {
    this.peerId = peerId
  }

  start(events: NetworkEvents): Promise<void> {
    this.#events = events
    // Who has no neighbour broadcasts nothing.
    events.connected('nobody')
    return Promise.resolve()
  }

  /** A broadcast arrives. */
  hear(author: string, bytes: Uint8Array): void {
    this.#events!.broadcast(author, bytes)
  }

  publish(bytes: Uint8Array): Promise<void> {
    this.broadcasts.push(bytes)
    return Promise.resolve()
  }

  sendDirect(): Promise<readonly string[]> {
    return Promise.resolve([])
  }

  send(): Promise<void> {
    return Promise.resolve()
  }

  dial(): Promise<string> {
    return Promise.reject(new Error('there is nobody'))
  }

  addresses(): string[] {
    return []
  }

  redial(): Promise<void> {
    return Promise.resolve()
  }

  refuse(): Promise<void> {
    return Promise.resolve()
  }

  traffic(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return { sentBytes: 0, receivedBytes: 0 }
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }
}
