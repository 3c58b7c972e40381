import type { Network, NetworkEvents } from '@gossipgrid/core'

/**
 * A network with one neighbour that never answers. It keeps the peer's broadcasts, and a bench can deliver broadcasts
 * to it.
 */
export class SilentNetwork implements Network {
  readonly peerId: string
  readonly broadcasts: Uint8Array[] = []
  #events: NetworkEvents | undefined

  constructor(peerId: string) {
    this.peerId = peerId
  }

  start(events: NetworkEvents): Promise<void> {
    this.#events = events
    // A peer without a neighbour broadcasts nothing.
    events.connected('neighbour')
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
    return Promise.reject(new Error('no peer answers'))
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
