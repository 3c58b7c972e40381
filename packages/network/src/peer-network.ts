import type { Connection, PeerInfo } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { GridError } from '@gossipgrid/core'
import type { NetworkEvents, PeerId } from '@gossipgrid/core'
import { badAddress, carriesData, parseAddress, peerIdIn, startError, withPeerId } from './addresses.ts'
import { Admission } from './admission.ts'
import { DeafWatch } from './deaf-watch.ts'
import { DialWindow } from './dial-window.ts'
import { letDenoExit } from './deno-exit.ts'
import { Departed } from './departed.ts'
import { abort, atMost, CLOSE_MAX_MS, closeInOrder, delay, orAborted, stopNode } from './ending.ts'
import { Gossip } from './gossip.ts'
import type { Libp2pNetwork, NetworkCounts } from './libp2p-network.ts'
import type { EndReason } from './neighbour.ts'
import { Neighbours } from './neighbours.ts'
import type { NodeHooks, PeerNetworkOptions } from './peer-network-options.ts'
import { Redialer } from './redialer.ts'
import { Relays } from './relays.ts'
import { Newcomers } from './strangers/newcomers.ts'
import type { Traffic } from './traffic.ts'
import { meetsByRelay, yieldMs } from './yielding.ts'

/** Dialling, and opening both streams of a neighbour, may take this long each. */
const OPEN_TIMEOUT_MS = 15_000
/** How long a neighbour that broke the protocol is refused, unless the owner of the network says longer. */
const HOSTILE_REFUSED_MS = 60_000
/** How long one that comes too often is: it may only be crashing at every start, so nothing is held against it. */
const RESTLESS_REFUSED_MS = 15_000
/** How often neighbours are looked at for stalled messages and deafness. */
const WATCH_INTERVAL_MS = 500
/** What `stop` allows for the last messages. */
const FLUSH_MAX_MS = 500

/**
 * Core's `Network` on a libp2p node of any environment. The presets make the node, `libp2pNetwork` puts both together.
 */
export class PeerNetwork implements Libp2pNetwork {
  readonly peerId: PeerId
  readonly #options: PeerNetworkOptions
  readonly #node: Libp2p
  readonly #gossip: Gossip
  readonly #traffic: Traffic
  readonly #newcomers: Newcomers
  readonly #admission: Admission
  readonly #departed: Departed
  readonly #neighbours: Neighbours
  readonly #redialer: Redialer
  readonly #relays: Relays
  readonly #deafWatch: DeafWatch
  #events: NetworkEvents | undefined
  #watch: ReturnType<typeof setInterval> | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #hostileStreams = 0

  /** Makes the node with hooks into the network to be, then the network. */
  static async create(
    options: PeerNetworkOptions,
    createNode: (hooks: NodeHooks) => Promise<Libp2p>,
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
      gossip: { channels, broadcastSizeMaxBytes, isMember },
      onFound,
    }
    const node = await createNode(hooks)
    await letDenoExit(node)
    network = new PeerNetwork(options, node, admission, hooks)
    return network
  }

  private constructor(options: PeerNetworkOptions, node: Libp2p, admission: Admission, hooks: NodeHooks) {
    this.#options = options
    this.#node = node
    this.#admission = admission
    this.#traffic = hooks.traffic
    this.#newcomers = hooks.newcomers
    this.peerId = node.peerId.toString()
    const gossip = new Gossip(node, hooks.gossip)
    this.#gossip = gossip
    this.#departed = new Departed(node, (peerId) => gossip.forget(peerId))
    this.#deafWatch = new DeafWatch({
      self: this.peerId,
      isDeaf: (peerId) => gossip.deaf(peerId),
      deafAfterMs: options.deafAfterMs,
    })
    this.#neighbours = new Neighbours({
      self: this.peerId,
      channels: options.channels,
      messageSizeMaxBytes: options.messageSizeMaxBytes,
      openTimeoutMs: OPEN_TIMEOUT_MS,
      onProven: (neighbour) => this.#proven(neighbour),
      onAddresses: (neighbour, addresses) => this.#learn(neighbour, addresses),
      onConnected: (neighbour) => this.#events?.connected(neighbour),
      onDisconnected: (neighbour) => this.#events?.disconnected(neighbour),
      onMessage: (from, bytes) => this.#events?.message(from, bytes),
      onEnded: (neighbour, reason) => this.#ended(neighbour, reason),
    })
    this.#redialer = new Redialer({
      dial: (addresses, signal) => this.#dial(addresses.map(parseAddress), signal),
      isConnected: (peerId) => this.#neighbours.isConnected(peerId) || this.#relays.has(peerId),
      mayDial: (peerId, joining) =>
        (joining || this.#neighbours.size < options.neighboursMax) &&
        (peerId === undefined || admission.admits(peerId)),
      window: hooks.dialWindow,
      random: Math.random,
    })
    this.#relays = new Relays({
      self: this.peerId,
      topics: options.channels.map(({ topic }) => topic),
      onFound: (peerId, address) => {
        if (!this.#neighbours.has(peerId)) this.#learn(peerId, [parseAddress(address)])
      },
    })
  }

  async start(events: NetworkEvents): Promise<void> {
    if (this.#events !== undefined || this.#stopping !== undefined) {
      throw new GridError('NETWORK_START_FAILED', 'a network can be started only once')
    }
    this.#events = events
    await (this.#starting = this.#start())
    if (this.#stopping !== undefined) throw new GridError('NETWORK_START_FAILED', 'the network was stopped meanwhile')
    this.#gossip.start((author, bytes) => this.#events?.broadcast(author, bytes))
    this.#redialer.start(this.#options.join)
    this.#watch = setInterval(() => this.#watchNeighbours(), WATCH_INTERVAL_MS)
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
      node.addEventListener('connection:open', ({ detail }) => {
        // A relayed connection is there for agreeing on a direct one, and may carry nothing else.
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
      broadcastsDropped: this.#gossip.dropped,
    }
  }

  exportPrivateKey(): Uint8Array {
    return this.#options.privateKeyBytes.slice()
  }

  async publish(bytes: Uint8Array): Promise<void> {
    await this.#gossip.publish(bytes)
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

  async dial(address: string, options: { readonly signal?: AbortSignal } = {}): Promise<PeerId> {
    const parsed = parseAddress(address)
    const peerId = peerIdIn(address)
    if (peerId !== undefined && meetsByRelay(address)) {
      await delay(yieldMs(this.peerId, peerId, [address]))
      if (this.#neighbours.size >= this.#options.neighboursMax) throw badAddress(address, 'is not needed')
    }
    if (peerId !== undefined && this.#neighbours.isConnected(peerId)) return peerId
    const dials = carriesData(address) && this.#options.dials(address)
    if (!dials || !(await this.#node.isDialable(parsed))) throw badAddress(address, 'cannot be dialled by this peer')
    const dialled = this.#redialer.request(address, options.signal)
    return options.signal === undefined ? dialled : orAborted(dialled, options.signal)
  }

  async redial(neighbour: PeerId): Promise<void> {
    if (!this.#neighbours.has(neighbour)) {
      throw new GridError('NETWORK_NOT_CONNECTED', `not connected to ${neighbour}`)
    }
    const dialled = this.#connections(neighbour).filter((connection) => connection.direction === 'outbound')
    const addresses = new Set([
      ...withPeerId(
        dialled.map((connection) => connection.remoteAddr),
        neighbour,
      ),
      ...this.#redialer.addresses(neighbour),
    ])
    this.#close(neighbour, 'it is redialled')
    if (addresses.size === 0) {
      throw new GridError('NETWORK_DIAL_FAILED', `no address of ${neighbour} is known; it has to dial us`)
    }
    await this.#dial([...addresses].map(parseAddress))
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

  wake(): void {
    if (this.#watch !== undefined) this.#redialer.wake()
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    clearInterval(this.#watch)
    this.#watch = undefined
    this.#redialer.stop()
    const neighbours = [...this.#neighbours]
    await atMost(FLUSH_MAX_MS, Promise.allSettled(neighbours.map((neighbour) => neighbour.finish())))
    for (const neighbour of neighbours) neighbour.end({ kind: 'closed', text: 'this peer stops' })
    await stopNode(this.#node, this.#starting)
  }

  async #dial(addresses: Multiaddr[], signal?: AbortSignal): Promise<PeerId> {
    const timeout = AbortSignal.timeout(OPEN_TIMEOUT_MS)
    let connection: Connection
    try {
      connection = await this.#node.dial(addresses, {
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      })
    } catch (cause) {
      const dialled = addresses.map((address) => peerIdIn(address.toString())).find((peerId) => peerId !== undefined)
      if (dialled !== undefined) this.#departed.note(peerIdFromString(dialled))
      const text = cause instanceof Error ? cause.message : String(cause)
      throw new GridError('NETWORK_DIAL_FAILED', `${addresses.join(', ')} did not answer: ${text}`, { cause })
    }
    const neighbour = this.#neighbours.opened(connection)
    await neighbour.ready
    return neighbour.peerId
  }

  /** The one place where a neighbour's end is acted on. */
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
      // Not at once: the end may come out of libp2p aborting this very connection, which then fails half way through.
      else queueMicrotask(() => abort(connection, reason.text))
    }
    this.#redialer.lost(peerId, yieldMs(this.peerId, peerId, this.#redialer.addresses(peerId)))
  }

  #proven(peerId: PeerId): void {
    this.#gossip.admitted(peerId)
    for (const connection of this.#connections(peerId)) this.#newcomers.proven(connection)
  }

  /** No peer of ours; to a tab it may be a relay. */
  async #foreign(peerId: PeerId, text: string): Promise<void> {
    this.#redialer.forget(peerId)
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
    if (this.#neighbours.has(peerId)) return
    this.#learn(peerId, found.multiaddrs)
  }

  #learn(peerId: PeerId, addresses: readonly Multiaddr[]): void {
    const usable = withPeerId(addresses, peerId).filter((address) => this.#options.dials(address))
    this.#redialer.learn(peerId, usable, yieldMs(this.peerId, peerId, usable))
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
  }

  #redialIfDeaf(peerId: PeerId, nowMs: number): void {
    const silentMs = this.#deafWatch.redialAfterMs(peerId, nowMs)
    if (silentMs === undefined) return
    this.#options.log(`${peerId} is redialled: its gossip has been silent for ${Math.round(silentMs)} ms`)
    this.redial(peerId).catch((error: Error) => this.#options.log(error.message))
  }
}
