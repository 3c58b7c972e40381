import type { Connection, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '@gossipgrid/core'
import { Arrivals } from './arrivals.ts'
import type { Channel } from './channel.ts'
import { atMost } from './ending.ts'
import { Neighbour } from './neighbour.ts'
import type { EndReason } from './neighbour.ts'

/** How many peers may be connected that dialled us and have shown no proof yet. The oldest is dropped for one more. */
const STRANGERS_MAX = 64

/** How long `sendDirect` waits for neighbours that read slowly. */
const DIRECT_WAIT_MAX_MS = 20

export interface NeighboursDeps {
  readonly self: PeerId
  readonly channels: readonly Channel[]
  readonly messageSizeMaxBytes: number
  readonly broadcastSizeMaxBytes: number
  readonly openTimeoutMs: number
  readonly onProven: (neighbour: PeerId) => void
  /** Where a neighbour that is proven says it can be reached. */
  readonly onAddresses: (neighbour: PeerId, addresses: readonly Multiaddr[]) => void
  readonly onConnected: (neighbour: PeerId) => void
  readonly onDisconnected: (neighbour: PeerId) => void
  readonly onMessage: (from: PeerId, bytes: Uint8Array) => void
  /** A frame that came straight from a neighbour. */
  readonly onDirect: (from: PeerId, bytes: Uint8Array) => void
  /** A neighbour, or what might have become one, has ended. */
  readonly onEnded: (neighbour: PeerId, reason: EndReason) => void
}

/** All neighbours, ready or opening: one for each peer, however many connections lead to it. */
export class Neighbours {
  readonly #deps: NeighboursDeps
  readonly #all = new Map<PeerId, Neighbour>()
  readonly #arrivals = new Arrivals()

  constructor(deps: NeighboursDeps) {
    this.#deps = deps
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

  /** The neighbours that count against the limit. Strangers do not count, or they could keep members out by dialling often. */
  get placed(): { readonly size: number; has(peerId: PeerId): boolean } {
    return { size: this.#all.size - this.#strangers().length, has: (peerId) => this.#all.has(peerId) }
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
    const present = this.#all.get(peerId)
    if (present === undefined && connection.direction === 'inbound') {
      const strangers = this.#strangers()
      if (strangers.length >= STRANGERS_MAX)
        strangers[0]!.end({ kind: 'lost', text: 'newer connections took its place' })
    }
    const neighbour = present ?? this.#create(peerId)
    void neighbour.meet(connection)
    return neighbour
  }

  /**
   * The other side has opened its stream. A second stream replaces the neighbour: the peer has lost the first one and starts
   * again.
   */
  incoming(stream: Stream, connection: Connection): void {
    const peerId = connection.remotePeer.toString()
    const present = this.#all.get(peerId)
    if (!this.#arrivals.record(peerId, performance.now())) {
      stream.abort(new Error('it opens its stream too often'))
      this.opened(connection).end({ kind: 'restless', text: 'it opens its stream again and again' })
      return
    }
    if (present?.hasIncoming === true) {
      present.end({ kind: 'replaced', text: 'it has started again', successor: connection })
    }
    this.opened(connection).accept(stream, connection)
  }

  /** See `Direct` of core's ports. */
  async sendDirect(to: readonly PeerId[], bytes: Uint8Array): Promise<readonly PeerId[]> {
    const missed: PeerId[] = []
    const idle: Promise<void>[] = []
    for (const peerId of to) {
      const neighbour = this.#all.get(peerId)
      if (neighbour?.sendDirect(bytes) !== true) missed.push(peerId)
      else if (neighbour.directQueuedBytes > 0) idle.push(neighbour.directIdle())
    }
    if (idle.length > 0) await atMost(DIRECT_WAIT_MAX_MS, Promise.all(idle))
    return missed
  }

  /** The other side has opened its stream of frames. */
  incomingDirect(stream: Stream, connection: Connection): void {
    const neighbour = this.#all.get(connection.remotePeer.toString())
    if (neighbour === undefined) stream.abort(new Error('only neighbours send frames'))
    else neighbour.acceptDirect(stream)
  }

  /** Oldest first. */
  #strangers(): Neighbour[] {
    return [...this.#all.values()].filter((neighbour) => !neighbour.proven && !neighbour.dialled)
  }

  #create(peerId: PeerId): Neighbour {
    const neighbour = new Neighbour({
      peerId,
      self: this.#deps.self,
      channels: this.#deps.channels,
      messageSizeMaxBytes: this.#deps.messageSizeMaxBytes,
      broadcastSizeMaxBytes: this.#deps.broadcastSizeMaxBytes,
      openTimeoutMs: this.#deps.openTimeoutMs,
      onProven: () => this.#deps.onProven(peerId),
      onAddresses: (addresses) => this.#deps.onAddresses(peerId, addresses),
      onReady: () => this.#deps.onConnected(peerId),
      onMessage: (bytes) => this.#deps.onMessage(peerId, bytes),
      onDirect: (bytes) => this.#deps.onDirect(peerId, bytes),
      onEnd: (reason) => this.#ended(neighbour, reason),
    })
    this.#all.set(peerId, neighbour)
    return neighbour
  }

  #ended(neighbour: Neighbour, reason: EndReason): void {
    if (this.#all.get(neighbour.peerId) === neighbour) this.#all.delete(neighbour.peerId)
    if (neighbour.readySinceMs !== undefined) this.#deps.onDisconnected(neighbour.peerId)
    this.#deps.onEnded(neighbour.peerId, reason)
  }
}
