import type { Connection, Stream } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'
import { Arrivals } from './arrivals.ts'
import type { Channel } from './channel.ts'
import { Neighbour } from './neighbour.ts'
import type { EndReason } from './neighbour.ts'

export interface NeighboursOptions {
  readonly self: PeerId
  readonly channels: readonly Channel[]
  readonly messageSizeMaxBytes: number
  readonly openTimeoutMs: number
  readonly onConnected: (neighbour: PeerId) => void
  readonly onDisconnected: (neighbour: PeerId) => void
  readonly onMessage: (from: PeerId, bytes: Uint8Array) => void
  /** A neighbour, or what might have become one, has ended. */
  readonly onEnded: (neighbour: PeerId, reason: EndReason) => void
}

/** All neighbours and neighbours to be, one for each peer whatever number of connections lead to it. */
export class Neighbours {
  readonly #options: NeighboursOptions
  readonly #all = new Map<PeerId, Neighbour>()
  readonly #arrivals = new Arrivals()

  constructor(options: NeighboursOptions) {
    this.#options = options
  }

  /** Neighbours that are ready and those still opening. */
  get size(): number {
    return this.#all.size
  }

  has(peerId: PeerId): boolean {
    return this.#all.has(peerId)
  }

  get(peerId: PeerId): Neighbour | undefined {
    return this.#all.get(peerId)
  }

  /** True once `connected` has been reported, until `disconnected` is. */
  isConnected(peerId: PeerId): boolean {
    return this.#all.get(peerId)?.readySinceMs !== undefined
  }

  [Symbol.iterator](): IterableIterator<Neighbour> {
    return this.#all.values()
  }

  /** A connection has opened, from either side: both sides then open a stream, in a private grid one after the other. */
  opened(connection: Connection): Neighbour {
    const peerId = connection.remotePeer.toString()
    const neighbour = this.#all.get(peerId) ?? this.#create(peerId)
    void neighbour.meet(connection)
    return neighbour
  }

  /**
   * The other side has opened its stream. A second one replaces the neighbour: it has lost the first and starts
   * afresh.
   */
  incoming(stream: Stream, connection: Connection): void {
    const peerId = connection.remotePeer.toString()
    const present = this.#all.get(peerId)
    if (!this.#arrivals.note(peerId, performance.now())) {
      stream.abort(new Error('it opens its stream too often'))
      this.opened(connection).end({ kind: 'hostile', text: 'it opens its stream again and again' })
      return
    }
    if (present?.hasIncoming === true) {
      present.end({ kind: 'replaced', text: 'it has started afresh', successor: connection })
    }
    this.opened(connection).accept(stream, connection)
  }

  #create(peerId: PeerId): Neighbour {
    const neighbour = new Neighbour({
      peerId,
      self: this.#options.self,
      channels: this.#options.channels,
      messageSizeMaxBytes: this.#options.messageSizeMaxBytes,
      openTimeoutMs: this.#options.openTimeoutMs,
      onReady: () => this.#options.onConnected(peerId),
      onMessage: (bytes) => this.#options.onMessage(peerId, bytes),
      onEnd: (reason) => this.#ended(neighbour, reason),
    })
    this.#all.set(peerId, neighbour)
    return neighbour
  }

  #ended(neighbour: Neighbour, reason: EndReason): void {
    if (this.#all.get(neighbour.peerId) === neighbour) this.#all.delete(neighbour.peerId)
    if (neighbour.readySinceMs !== undefined) this.#options.onDisconnected(neighbour.peerId)
    this.#options.onEnded(neighbour.peerId, reason)
  }
}
