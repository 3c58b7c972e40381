import { GridError } from '@gossipgrid/core'
import type { Network, NetworkEvents, PeerId } from '@gossipgrid/core'
import type { GuestDialler } from '@gossipgrid/network/guest-dialler'

/** The network of a guest's peer, on which there is no other one: members are reached by the dialler alone. */
export class SoloNetwork implements Network {
  readonly dialler: GuestDialler
  /** Called when the grid is cut off or connected again. */
  onOnline: (online: boolean) => void = () => undefined
  /** Called when the page was asleep and is back. */
  onWake: () => void = () => undefined

  constructor(dialler: GuestDialler) {
    this.dialler = dialler
  }

  get peerId(): PeerId {
    return this.dialler.peerId
  }

  async start(_events: NetworkEvents): Promise<void> {
    // There is nothing to listen on, and no peer to find.
  }

  addresses(): string[] {
    return []
  }

  async dial(address: string): Promise<PeerId> {
    throw new GridError(
      'NETWORK_DIAL_FAILED',
      `a guest dials members only, by what it was given to join: not ${address}`,
    )
  }

  async redial(neighbour: PeerId): Promise<void> {
    throw notConnected(neighbour)
  }

  async refuse(): Promise<void> {
    // No peer connects.
  }

  async publish(): Promise<void> {
    // No peer listens.
  }

  async send(to: PeerId): Promise<void> {
    throw notConnected(to)
  }

  async sendDirect(to: readonly PeerId[]): Promise<readonly PeerId[]> {
    return to
  }

  setOnline(online: boolean): void {
    this.onOnline(online)
  }

  wake(): void {
    this.onWake()
  }

  traffic(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return this.dialler.traffic()
  }

  exportPrivateKey(): Uint8Array {
    return this.dialler.exportPrivateKey()
  }

  stop(): Promise<void> {
    return this.dialler.stop()
  }
}

function notConnected(to: PeerId): GridError {
  return new GridError('NETWORK_NOT_CONNECTED', `a guest has no neighbours: ${to}`)
}
