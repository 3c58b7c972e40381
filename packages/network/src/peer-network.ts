import type { Connection, PeerInfo } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Libp2p } from 'libp2p'
import { GridError } from '@gossipgrid/core'
import type { NetworkEvents, PeerId } from '@gossipgrid/core'
import { carriesData, parseAddress, startError } from './addresses.ts'
import { Admission } from './admission.ts'
import { onBeat } from './beat.ts'
import type { Broadcasting } from './broadcasting.ts'
import { directProtocol } from './channel.ts'
import { DeafWatch } from './deaf-watch.ts'
import { DialWindow } from './dial-window.ts'
import { Dialler } from './dialler.ts'
import { Departed } from './departed.ts'
import { abort, atMost, CLOSE_MAX_MS, closeInOrder, stopNode } from './ending.ts'
import { LaterIdentify } from './later-identify.ts'
import type { EndReason } from './neighbour.ts'
import type { Libp2pNetwork, NetworkCounts } from './libp2p-port.ts'
import { Neighbours } from './neighbours.ts'
import type { BroadcastingNode, NodeHooks, PeerNetworkOptions } from './peer-network-options.ts'
import { Relays } from './relays.ts'
import { SilenceWatch } from './silence-watch.ts'
import { Newcomers } from './strangers/newcomers.ts'
import { OpenSockets } from './socket-ends.ts'
import type { Traffic } from './traffic.ts'

/** How long opening both streams of a neighbour may take. */
const OPEN_TIMEOUT_MS = 15_000
/** How long a neighbour that broke the protocol is refused. The caller of `refuse` may choose longer. */
const HOSTILE_REFUSED_MS = 60_000
/** How long a neighbour that connects too often is refused. It may only crash at every start, so this is no offence. */
const RESTLESS_REFUSED_MS = 15_000
/** How often neighbours are checked for incomplete messages and failed gossip, and connections for silence. */
const WATCH_INTERVAL_MS = 1000
/** How long `stop` waits for the last messages. */
const FLUSH_MAX_MS = 500

const CUT_OFF = 'this peer is cut off'

/**
 * Core's `Network` on a libp2p node. A preset configures the node for its environment; `libp2pNetwork` joins the two.
 */
export class PeerNetwork implements Libp2pNetwork {
  readonly peerId: PeerId
  readonly #options: PeerNetworkOptions
  readonly #node: Libp2p
  readonly #broadcasting: Broadcasting
  readonly #traffic: Traffic
  readonly #newcomers: Newcomers
  readonly #sockets: OpenSockets
  readonly #laterIdentify: LaterIdentify
  readonly #admission: Admission
  readonly #neighbours: Neighbours
  readonly #dialler: Dialler
  readonly #relays: Relays
  readonly #deafWatch: DeafWatch
  readonly #silenceWatch = new SilenceWatch((connection, text) => abort(connection, text))
  #events: NetworkEvents | undefined
  /** Ends the watch over neighbours. Undefined while this peer does not run. */
  #endWatch: (() => void) | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #hostileStreams = 0

  /** Makes the node first, with hooks that lead to the network, and then the network. */
  static async create(
    options: PeerNetworkOptions,
    createNode: (hooks: NodeHooks) => Promise<BroadcastingNode>,
  ): Promise<PeerNetwork> {
    let network: PeerNetwork | undefined
    const admission = new Admission({
      neighboursMax: options.neighboursMax,
      accept: options.accept,
      neighbours: () => (network === undefined ? new Set<PeerId>() : network.#neighbours.placed),
    })
    const onFound = (found: PeerInfo): void => {
      if (network !== undefined) network.#found(found)
    }
    const { channels, broadcastSizeMaxBytes } = options
    const isMember = (peerId: PeerId): boolean =>
      network !== undefined && network.#neighbours.get(peerId)?.proven === true
    const hooks: NodeHooks = {
      gater: admission.gater(),
      traffic: { sentBytes: 0, receivedBytes: 0 },
      newcomers: new Newcomers(),
      dialWindow: new DialWindow(),
      sockets: new OpenSockets(),
      gossip: { channels, broadcastSizeMaxBytes, isMember },
      onFound,
      log: options.log,
    }
    network = new PeerNetwork(options, await createNode(hooks), admission, hooks)
    return network
  }

  private constructor(
    options: PeerNetworkOptions,
    { node, broadcasting }: BroadcastingNode,
    admission: Admission,
    hooks: NodeHooks,
  ) {
    this.#options = options
    this.#node = node
    this.#admission = admission
    this.#traffic = hooks.traffic
    this.#newcomers = hooks.newcomers
    this.#sockets = hooks.sockets
    this.#laterIdentify = new LaterIdentify(node)
    this.peerId = node.peerId.toString()
    this.#broadcasting = broadcasting
    this.#deafWatch = new DeafWatch({
      self: this.peerId,
      isDeaf: (peerId) => broadcasting.deaf(peerId),
      deafAfterMs: options.deafAfterMs,
    })
    this.#neighbours = new Neighbours({
      self: this.peerId,
      channels: options.channels,
      messageSizeMaxBytes: options.messageSizeMaxBytes,
      broadcastSizeMaxBytes: options.broadcastSizeMaxBytes,
      openTimeoutMs: OPEN_TIMEOUT_MS,
      onProven: (neighbour) => this.#proven(neighbour),
      onAddresses: (neighbour, addresses) => this.#dialler.learn(neighbour, addresses),
      onConnected: (neighbour) => {
        this.#dialler.reached(neighbour)
        this.#events?.connected(neighbour)
        // A tab asks at once: it has to know which of the peers are relays.
        if (!options.usesRelays && this.#stopping === undefined) this.#laterIdentify.add(neighbour)
      },
      onDisconnected: (neighbour) => this.#events?.disconnected(neighbour),
      onMessage: (from, bytes) => this.#events?.message(from, bytes),
      onDirect: (from, bytes) => this.#events?.direct(from, bytes),
      onEnded: (neighbour, reason) => this.#ended(neighbour, reason),
    })
    this.#relays = new Relays({
      self: this.peerId,
      topics: options.channels.map(({ topic }) => topic),
      onFound: (peerId, address) => {
        if (!this.#neighbours.has(peerId)) this.#dialler.learn(peerId, [parseAddress(address)])
      },
    })
    this.#dialler = new Dialler({
      self: this.peerId,
      node,
      neighbours: this.#neighbours,
      neighboursMax: options.neighboursMax,
      admission,
      departed: new Departed(node, (peerId) => broadcasting.forget(peerId)),
      window: hooks.dialWindow,
      members: () => this.#events?.members?.() ?? 0,
      canDial: options.canDial,
      isRelay: (peerId) => this.#relays.has(peerId),
      log: options.log,
    })
  }

  async start(events: NetworkEvents): Promise<void> {
    if (this.#events !== undefined || this.#stopping !== undefined) {
      throw new GridError('NETWORK_START_FAILED', 'a network can be started only once')
    }
    this.#events = events
    await (this.#starting = this.#start())
    if (this.#stopping !== undefined)
      throw new GridError('NETWORK_START_FAILED', 'the network was stopped while it started')
    this.#broadcasting.listen((author, bytes) => this.#events?.broadcast(author, bytes))
    this.#dialler.start(this.#options.join)
    this.#endWatch = onBeat(WATCH_INTERVAL_MS, () => this.#watchNeighbours())
  }

  async #start(): Promise<void> {
    const node = this.#node
    try {
      await node.handle(
        this.#options.channels.map((channel) => channel.protocol),
        (stream, connection) => {
          if (this.#stopping === undefined) this.#neighbours.incoming(stream, connection)
          else stream.abort(new Error('this peer stops'))
        },
        { maxInboundStreams: 4, maxOutboundStreams: 4 },
      )
      await node.handle(
        this.#options.channels.map(directProtocol),
        (stream, connection) => {
          if (this.#stopping === undefined) this.#neighbours.incomingDirect(stream, connection)
          else stream.abort(new Error('this peer stops'))
        },
        { maxInboundStreams: 2, maxOutboundStreams: 2 },
      )
      node.addEventListener('connection:open', ({ detail }) => {
        // A relayed connection serves to agree on a direct one, and carries nothing else.
        if (this.#stopping !== undefined || detail.limits !== undefined) return
        if (this.#neighbours.opened(detail).proven) this.#newcomers.proven(detail)
      })
      node.addEventListener('peer:identify', ({ detail }) => {
        this.#neighbours.get(detail.peerId.toString())?.announce(detail.listenAddrs)
      })
      node.addEventListener('self:peer:update', () => this.#events?.addresses?.())
      if (this.#stopping === undefined) await node.start()
    } catch (error) {
      throw startError(error)
    }
  }

  addresses(): string[] {
    return this.#node.getMultiaddrs().map(String).filter(carriesData)
  }

  neighbours(): PeerId[] {
    return [...this.#neighbours].filter((neighbour) => neighbour.readySinceMs !== undefined).map(({ peerId }) => peerId)
  }

  traffic(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return { ...this.#traffic }
  }

  counts(): NetworkCounts {
    return {
      neighbours: this.neighbours().length,
      hostileStreams: this.#hostileStreams,
      broadcastsDropped: this.#broadcasting.dropped,
    }
  }

  exportPrivateKey(): Uint8Array {
    return this.#options.privateKeyBytes.slice()
  }

  async publish(bytes: Uint8Array): Promise<void> {
    await this.#broadcasting.publish(bytes)
  }

  async sendDirect(to: readonly PeerId[], bytes: Uint8Array): Promise<readonly PeerId[]> {
    const limit = this.#options.broadcastSizeMaxBytes
    if (bytes.length > limit) {
      throw new GridError('MESSAGE_TOO_LARGE', `a frame of ${bytes.length} bytes is above the limit of ${limit}`)
    }
    return this.#neighbours.sendDirect(to, bytes)
  }

  send(to: PeerId, bytes: Uint8Array): Promise<void> {
    const limit = this.#options.messageSizeMaxBytes
    if (bytes.length > limit) {
      return Promise.reject(
        new GridError('MESSAGE_TOO_LARGE', `a message of ${bytes.length} bytes is above the limit of ${limit}`),
      )
    }
    return (
      this.#neighbours.get(to)?.send(bytes) ??
      Promise.reject(new GridError('NETWORK_NOT_CONNECTED', `not connected to ${to}`))
    )
  }

  dial(address: string, options: { readonly signal?: AbortSignal } = {}): Promise<PeerId> {
    return this.#dialler.dial(address, options.signal)
  }

  async redial(neighbour: PeerId): Promise<void> {
    if (!this.#neighbours.has(neighbour)) {
      throw new GridError('NETWORK_NOT_CONNECTED', `not connected to ${neighbour}`)
    }
    const addresses = this.#dialler.addresses(neighbour, this.#connections(neighbour))
    this.#close(neighbour, 'it is redialled')
    await this.#dialler.redial(neighbour, addresses)
  }

  async refuse(neighbour: PeerId, refusedMs: number): Promise<void> {
    this.#admission.refuse(neighbour, refusedMs)
    this.#close(neighbour, 'it is refused')
  }

  block(peerIds: readonly PeerId[]): void {
    this.#admission.block(peerIds)
    for (const peerId of peerIds) this.#close(peerId, 'it is blocked')
  }

  unblock(): void {
    this.#admission.unblock()
    this.wake()
  }

  setOnline(online: boolean): void {
    this.#admission.online = online
    if (online) return this.wake()
    for (const { peerId } of [...this.#neighbours]) this.#close(peerId, CUT_OFF)
    // Relays, and peers that have not proven anything yet.
    for (const connection of this.#node.getConnections()) abort(connection, CUT_OFF)
  }

  wake(): void {
    if (this.#endWatch !== undefined) this.#dialler.wake()
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#endWatch?.()
    this.#endWatch = undefined
    this.#dialler.stop()
    this.#laterIdentify.stop()
    const neighbours = [...this.#neighbours]
    await atMost(FLUSH_MAX_MS, Promise.allSettled(neighbours.map((neighbour) => neighbour.finish())))
    for (const neighbour of neighbours) neighbour.end({ kind: 'closed', text: 'this peer stops' })
    await stopNode(this.#node, this.#sockets, this.#starting)
  }

  /** Every end of a neighbour comes here. */
  #ended(peerId: PeerId, reason: EndReason): void {
    if (reason.kind === 'hostile') {
      this.#hostileStreams += 1
      this.#admission.refuse(peerId, HOSTILE_REFUSED_MS)
      this.#events?.hostile(peerId, reason.text)
    }
    if (reason.kind === 'restless') {
      this.#options.log(`${peerId} is refused for ${RESTLESS_REFUSED_MS / 1000} s: ${reason.text}`)
      this.#admission.refuse(peerId, RESTLESS_REFUSED_MS)
    }
    this.#deafWatch.forget(peerId)
    if (reason.kind === 'foreign') {
      void this.#foreign(peerId, reason.text)
      return
    }
    for (const connection of this.#connections(peerId)) {
      if (connection === reason.successor) continue
      if (reason.kind === 'closed') void closeInOrder(connection, CLOSE_MAX_MS)
      // Later: libp2p may be aborting this very connection now, and would fail half-way.
      else queueMicrotask(() => abort(connection, reason.text))
    }
    this.#dialler.lost(peerId)
  }

  #proven(peerId: PeerId): void {
    this.#broadcasting.admitted(peerId)
    for (const connection of this.#connections(peerId)) this.#newcomers.proven(connection)
  }

  /** The peer is not of this grid. For a tab it may be a relay. */
  async #foreign(peerId: PeerId, text: string): Promise<void> {
    this.#dialler.forget(peerId)
    for (const connection of this.#connections(peerId)) {
      if (this.#options.usesRelays && (await this.#relays.take(connection))) {
        this.#newcomers.proven(connection)
        continue
      }
      queueMicrotask(() => abort(connection, text))
    }
  }

  #close(peerId: PeerId, text: string): void {
    this.#neighbours.get(peerId)?.end({ kind: 'lost', text })
    for (const connection of this.#connections(peerId)) abort(connection, text)
  }

  #connections(peerId: PeerId): Connection[] {
    return this.#node.getConnections(peerIdFromString(peerId))
  }

  #found(found: PeerInfo): void {
    const peerId = found.id.toString()
    if (!this.#neighbours.has(peerId)) this.#dialler.learn(peerId, found.multiaddrs)
  }

  #watchNeighbours(): void {
    const nowMs = performance.now()
    for (const neighbour of [...this.#neighbours]) {
      if (neighbour.stalled(nowMs, this.#options.halfOpenMaxMs)) {
        neighbour.end({ kind: 'hostile', text: `a message was not complete after ${this.#options.halfOpenMaxMs} ms` })
      } else if (neighbour.readySinceMs !== undefined) {
        this.#redialIfDeaf(neighbour.peerId, nowMs)
      }
    }
    this.#silenceWatch.check(() => this.#node.getConnections(), nowMs)
  }

  #redialIfDeaf(peerId: PeerId, nowMs: number): void {
    const silentMs = this.#deafWatch.redialAfterMs(peerId, nowMs)
    if (silentMs === undefined) return
    this.#options.log(`${peerId} is redialled: its gossip has been silent for ${Math.round(silentMs)} ms`)
    this.redial(peerId).catch((error: Error) => this.#options.log(error.message))
  }
}
