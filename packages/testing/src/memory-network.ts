import { GridError } from '@gossipgrid/core'
import type { Network, NetworkEvents, PeerId } from '@gossipgrid/core'

/** The largest message and broadcast, in bytes, as on the real network. */
const MESSAGE_MAX_BYTES = 4 * 1024 * 1024
const BROADCAST_MAX_BYTES = 1024 * 1024
/** Above this many bytes of frames in flight, a neighbour gets no more of them. */
const DIRECT_BACKLOG_MAX_BYTES = 256 * 1024
/** Above this many bytes in flight to one neighbour, `send` waits. */
const ROOM_BYTES = 1024 * 1024
/** Milliseconds until a lost connection is made again. */
const REDIAL_MS = 20

/** Milliseconds, at least, until a lost message of a stream is sent again. */
const RESEND_MS = 10
/** A link without anything on its way. */
const IDLE = { queuedBytes: 0, directBytes: 0, open: true, arrivesAtMs: 0 } as const

/** Connects all memory networks of one process. */
export interface MemoryNetworkHub {
  /** The share of broadcasts and frames that never arrive, from 0 to 1. A message of a stream is sent again instead. */
  lossShare: number
  /**
   * A network with a new peer id, or with the one given. On start it dials the addresses of `join` until it is connected.
   */
  network(options?: { readonly join?: readonly string[]; readonly peerId?: PeerId }): Network
  /**
   * Splits the hub into groups that cannot reach each other. All peers that are named in no group form one more group.
   */
  split(...groups: readonly (readonly PeerId[])[]): void
  /** Ends the split: connections from before it are made again. */
  heal(): void
  /** Stops a network at once, as when its process is killed: what is on its way from it and to it is lost. */
  crash(peerId: PeerId): void
}

/** Settings of a hub. */
export interface MemoryNetworkOptions {
  /** Milliseconds that everything takes from one peer to another. Default: until the next turn of the event loop. */
  readonly latencyMs?: number
}

/**
 * In-process networks for fast tests: reliable ordered messages, best-effort broadcast that peers forward, splits.
 * Everything arrives in a later turn of the event loop, and bytes are copied, as on a real network.
 *
 * @example
 * ```ts
 * const hub = memoryNetworkHub()
 * const ada = hub.network()
 * const ben = hub.network({ join: ['memory:peer-1'] })
 * ```
 */
export function memoryNetworkHub(options: MemoryNetworkOptions = {}): MemoryNetworkHub {
  return new Hub(options.latencyMs ?? 0)
}

class Hub implements MemoryNetworkHub {
  readonly latencyMs: number
  lossShare = 0
  readonly #networks = new Map<PeerId, MemoryNetwork>()
  #groupOf: ReadonlyMap<PeerId, number> = new Map()
  #made = 0

  constructor(latencyMs: number) {
    this.latencyMs = latencyMs
  }

  network(options: { readonly join?: readonly string[]; readonly peerId?: PeerId } = {}): Network {
    this.#made += 1
    const network = new MemoryNetwork(options.peerId ?? `peer-${this.#made}`, this, options.join ?? [])
    this.#networks.set(network.peerId, network)
    return network
  }

  split(...groups: readonly (readonly PeerId[])[]): void {
    this.#groupOf = new Map(groups.flatMap((group, index) => group.map((peerId) => [peerId, index + 1] as const)))
    for (const network of this.#networks.values()) network.dropUnreachable()
  }

  heal(): void {
    this.#groupOf = new Map()
  }

  crash(peerId: PeerId): void {
    this.#networks.get(peerId)?.crash()
  }

  loses(): boolean {
    return this.lossShare > 0 && Math.random() < this.lossShare
  }

  find(peerId: PeerId): MemoryNetwork | undefined {
    return this.#networks.get(peerId)
  }

  remove(peerId: PeerId): void {
    this.#networks.delete(peerId)
  }

  reachable(one: PeerId, other: PeerId): boolean {
    return (this.#groupOf.get(one) ?? 0) === (this.#groupOf.get(other) ?? 0)
  }
}

/** One end of a connection. Its queued messages are lost when it closes. */
interface Link {
  readonly peer: MemoryNetwork
  queuedBytes: number
  directBytes: number
  open: boolean
  /** What is on its way, in order, and when the last of it arrives. */
  readonly underWay: (() => void)[]
  arrivesAtMs: number
  waiters: { resolve: () => void; reject: (error: GridError) => void }[]
}

class MemoryNetwork implements Network {
  readonly peerId: PeerId
  readonly #hub: Hub
  readonly #links = new Map<PeerId, Link>()
  /** Peers that this one keeps connected to: those it joined by, and those it was connected to before. */
  readonly #wanted: Set<PeerId>
  readonly #refusedUntilMs = new Map<PeerId, number>()
  readonly #seen = new WeakSet<object>()
  readonly #traffic = { sentBytes: 0, receivedBytes: 0 }
  #events: NetworkEvents | undefined
  #redialTimer: ReturnType<typeof setInterval> | undefined
  #stopped = false
  #online = true

  constructor(peerId: PeerId, hub: Hub, join: readonly string[]) {
    this.peerId = peerId
    this.#hub = hub
    this.#wanted = new Set(join.map(peerIdIn))
  }

  async start(events: NetworkEvents): Promise<void> {
    if (this.#events !== undefined || this.#stopped) {
      throw new GridError('NETWORK_START_FAILED', 'a network can be started only once')
    }
    this.#events = events
    this.#redialTimer = setInterval(() => this.#redialWanted(), REDIAL_MS)
    queueMicrotask(() => this.#redialWanted())
  }

  addresses(): string[] {
    return this.#running ? [`memory:${this.peerId}`] : []
  }

  async dial(address: string, options: { readonly signal?: AbortSignal } = {}): Promise<PeerId> {
    const peerId = peerIdIn(address)
    if (options.signal?.aborted === true) throw new GridError('NETWORK_DIAL_FAILED', 'dialling was aborted')
    await nextTurn()
    if (!this.#connect(peerId)) throw new GridError('NETWORK_DIAL_FAILED', `${address} did not answer`)
    return peerId
  }

  async redial(neighbour: PeerId): Promise<void> {
    if (!this.#links.has(neighbour)) throw notConnected(neighbour)
    this.#disconnect(neighbour)
    await this.dial(`memory:${neighbour}`)
  }

  async refuse(neighbour: PeerId, refusedMs: number): Promise<void> {
    this.#refusedUntilMs.set(neighbour, performance.now() + refusedMs)
    this.#disconnect(neighbour)
  }

  async publish(bytes: Uint8Array): Promise<void> {
    if (bytes.length > BROADCAST_MAX_BYTES) {
      throw new GridError('MESSAGE_TOO_LARGE', `a broadcast of ${bytes.length} bytes is above ${BROADCAST_MAX_BYTES}`)
    }
    if (!this.#running) return
    const frame = { author: this.peerId, bytes: bytes.slice() }
    this.#seen.add(frame)
    this.#passOn(frame)
    await nextTurn()
  }

  async sendDirect(to: readonly PeerId[], bytes: Uint8Array): Promise<readonly PeerId[]> {
    if (bytes.length > BROADCAST_MAX_BYTES) {
      throw new GridError('MESSAGE_TOO_LARGE', `a frame of ${bytes.length} bytes is above ${BROADCAST_MAX_BYTES}`)
    }
    const missed = to.filter((peerId) => !this.#sendDirectTo(peerId, bytes))
    await nextTurn()
    return missed
  }

  #sendDirectTo(to: PeerId, bytes: Uint8Array): boolean {
    const link = this.#links.get(to)
    if (link === undefined || link.directBytes + bytes.length > DIRECT_BACKLOG_MAX_BYTES) return false
    const copy = bytes.slice()
    link.directBytes += copy.length
    this.#traffic.sentBytes += copy.length
    const isLost = this.#hub.loses()
    this.#arrive(link, 0, () => {
      if (!link.open) return
      link.directBytes -= copy.length
      if (isLost) return
      link.peer.#traffic.receivedBytes += copy.length
      link.peer.#events?.direct(this.peerId, copy)
    })
    return true
  }

  send(to: PeerId, bytes: Uint8Array): Promise<void> {
    if (bytes.length > MESSAGE_MAX_BYTES) {
      return Promise.reject(
        new GridError('MESSAGE_TOO_LARGE', `a message of ${bytes.length} bytes is above ${MESSAGE_MAX_BYTES}`),
      )
    }
    const link = this.#links.get(to)
    if (link === undefined) return Promise.reject(notConnected(to))
    const copy = bytes.slice()
    link.queuedBytes += copy.length
    this.#traffic.sentBytes += copy.length
    this.#arrive(link, this.#hub.loses() ? Math.max(RESEND_MS, 2 * this.#hub.latencyMs) : 0, () => {
      if (!link.open) return
      link.queuedBytes -= copy.length
      if (link.queuedBytes <= ROOM_BYTES) for (const waiter of link.waiters.splice(0)) waiter.resolve()
      link.peer.#traffic.receivedBytes += copy.length
      link.peer.#events?.message(this.peerId, copy)
    })
    if (link.queuedBytes <= ROOM_BYTES) return Promise.resolve()
    return new Promise((resolve, reject) => link.waiters.push({ resolve, reject }))
  }

  setOnline(online: boolean): void {
    this.#online = online
    if (!online) for (const neighbour of [...this.#links.keys()]) this.#disconnect(neighbour)
  }

  traffic(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return { ...this.#traffic }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    // Messages that `send` has accepted arrive before the connections close, as on the real network.
    while ([...this.#links.values()].some((link) => link.queuedBytes > 0)) await nextTurn()
    this.crash()
  }

  /** Stops without a word, and without waiting for what is on its way. */
  crash(): void {
    this.#stopped = true
    clearInterval(this.#redialTimer)
    for (const neighbour of [...this.#links.keys()]) this.#disconnect(neighbour)
    this.#hub.remove(this.peerId)
  }

  /** Closes the connections across a split. */
  dropUnreachable(): void {
    for (const neighbour of [...this.#links.keys()]) {
      if (!this.#hub.reachable(this.peerId, neighbour)) this.#disconnect(neighbour)
    }
  }

  /** Calls `arrive` when the other end has received this, after everything that was sent before it. */
  #arrive(link: Link, lateMs: number, arrive: () => void): void {
    const nowMs = performance.now()
    link.arrivesAtMs = Math.max(link.arrivesAtMs, nowMs + this.#hub.latencyMs + lateMs)
    link.underWay.push(arrive)
    const waitMs = this.#hub.latencyMs + lateMs === 0 ? 0 : link.arrivesAtMs - nowMs
    // Timers of different lengths may swap places: each of them takes what is first.
    setTimeout(() => link.underWay.shift()!(), waitMs)
  }

  get #reachable(): boolean {
    return this.#running && this.#online
  }

  get #running(): boolean {
    return this.#events !== undefined && !this.#stopped
  }

  #redialWanted(): void {
    for (const peerId of this.#wanted) if (!this.#links.has(peerId)) this.#connect(peerId)
  }

  /** True when the two are connected, now or already before. */
  #connect(peerId: PeerId): boolean {
    if (this.#links.has(peerId)) return true
    const other = this.#hub.find(peerId)
    if (other === undefined || other === this || !this.#reachable || !other.#reachable) return false
    if (!this.#hub.reachable(this.peerId, peerId) || this.#refuses(peerId) || other.#refuses(this.peerId)) return false
    this.#links.set(peerId, { peer: other, ...IDLE, underWay: [], waiters: [] })
    other.#links.set(this.peerId, { peer: this, ...IDLE, underWay: [], waiters: [] })
    this.#wanted.add(peerId)
    this.#events?.connected(peerId)
    other.#events?.connected(this.peerId)
    return true
  }

  #disconnect(neighbour: PeerId): void {
    const link = this.#links.get(neighbour)
    if (link === undefined) return
    this.#close(neighbour)
    link.peer.#close(this.peerId)
  }

  #close(neighbour: PeerId): void {
    const link = this.#links.get(neighbour)
    if (link === undefined) return
    this.#links.delete(neighbour)
    link.open = false
    link.queuedBytes = 0
    for (const waiter of link.waiters.splice(0)) waiter.reject(notConnected(neighbour))
    this.#events?.disconnected(neighbour)
  }

  #refuses(peerId: PeerId): boolean {
    return (this.#refusedUntilMs.get(peerId) ?? 0) > performance.now()
  }

  #passOn(frame: { readonly author: PeerId; readonly bytes: Uint8Array }): void {
    for (const link of this.#links.values()) {
      const isLost = this.#hub.loses()
      this.#arrive(link, 0, () => {
        if (isLost || !link.open || link.peer.#seen.has(frame)) return
        link.peer.#seen.add(frame)
        link.peer.#traffic.receivedBytes += frame.bytes.length
        link.peer.#events?.broadcast(frame.author, frame.bytes.slice())
        link.peer.#passOn(frame)
      })
      this.#traffic.sentBytes += frame.bytes.length
    }
  }
}

function peerIdIn(address: string): PeerId {
  const peerId = /^memory:(.+)$/.exec(address)?.[1]
  if (peerId === undefined) {
    throw new GridError('NETWORK_BAD_ADDRESS', `"${address}" is no address here; write one like memory:peer-1`)
  }
  return peerId
}

function notConnected(to: PeerId): GridError {
  return new GridError('NETWORK_NOT_CONNECTED', `not connected to ${to}`)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
