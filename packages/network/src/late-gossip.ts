import type { Connection, PeerId as Libp2pPeerId, Startable, Stream, StreamHandler, Topology } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { PeerId } from '@gossipgrid/core'
import { GOSSIP_STREAMS_MAX, checkBroadcastSize } from './broadcasting.ts'
import type { Broadcasting, GossipOptions } from './broadcasting.ts'
import type * as code from './gossip.ts'
import type { Gossip, GossipService } from './gossip.ts'
import { loadedCode } from './loaded-code.ts'

/** What gossipsub speaks, the newest first. A peer names its protocols when it is identified, so they cannot come later. */
const GOSSIP_PROTOCOLS: readonly string[] = ['/meshsub/1.2.0', '/meshsub/1.1.0', '/meshsub/1.0.0']

interface Components {
  readonly peerId: Libp2pPeerId
  readonly registrar: Registrar
}

/**
 * Gossip of a tab. Its code is loaded while the tab connects: a session with the first server needs none of it, nor do frames that
 * go straight to neighbours. Until the code is there, the tab accepts streams of gossip and leaves them unread; what it
 * broadcasts is left to sessions, as with any peer that has no subscriber yet.
 */
export function lateGossip(
  options: GossipOptions,
  log: (line: string) => void,
  load: () => Promise<typeof code> = () => import('./gossip.ts'),
): (components: object) => LateGossip {
  return (components) => new LateGossip(components as Components, options, log, load)
}

export class LateGossip implements Broadcasting, Startable {
  readonly #components: Components
  readonly #options: GossipOptions
  readonly #code: Promise<typeof code | undefined>
  readonly #early = new EarlyRegistration()
  #service: (GossipService & Startable) | undefined
  #gossip: Gossip | undefined
  #onMessage: ((author: PeerId, bytes: Uint8Array) => void) | undefined
  #stopped = false

  constructor(
    components: Components,
    options: GossipOptions,
    log: (line: string) => void,
    load: () => Promise<typeof code>,
  ) {
    this.#components = components
    this.#options = options
    this.#code = loadedCode({ what: 'gossip', load, isStopped: () => this.#stopped, log })
  }

  async start(): Promise<void> {
    await this.#early.begin(this.#components.registrar)
    void this.#begin()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#service?.stop()
  }

  get dropped(): number {
    return this.#gossip?.dropped ?? 0
  }

  listen(onMessage: (author: PeerId, bytes: Uint8Array) => void): void {
    this.#onMessage = onMessage
    this.#gossip?.listen(onMessage)
  }

  async publish(bytes: Uint8Array): Promise<void> {
    checkBroadcastSize(bytes, this.#options.broadcastSizeMaxBytes)
    await this.#gossip?.publish(bytes)
  }

  admitted(neighbour: PeerId): void {
    this.#gossip?.admitted(neighbour)
  }

  forget(peerId: Libp2pPeerId): void {
    this.#gossip?.forget(peerId)
  }

  deaf(neighbour: PeerId): boolean {
    return this.#gossip?.deaf(neighbour) === true
  }

  async #begin(): Promise<void> {
    const loaded = await this.#code
    if (loaded === undefined || this.#stopped) return
    const { peerId } = this.#components
    const early = { registrar: { value: this.#early } }
    const service = loaded.gossipService(this.#options)(Object.create(this.#components, early))
    this.#service = service as GossipService & Startable
    const gossip = new loaded.Gossip(peerId.toString(), service, this.#options)
    await this.#service.start()
    if (this.#stopped) return
    this.#gossip = gossip
    if (this.#onMessage !== undefined) gossip.listen(this.#onMessage)
    this.#early.end()
  }
}

/** Stands between libp2p's registrar and gossipsub, and keeps for it the connections and streams that come first. */
class EarlyRegistration {
  #registrar: Registrar | undefined
  #handler: StreamHandler | undefined
  #topology: Topology | undefined
  /** The connections over which gossip can flow, with the streams that the other side has opened. Undefined once gossipsub has them. */
  #waiting: Map<Connection, Stream[]> | undefined = new Map()

  async begin(registrar: Registrar): Promise<void> {
    this.#registrar = registrar
    const topology: Topology = {
      onConnect: (peerId, connection) =>
        this.#waiting === undefined ? this.#topology!.onConnect!(peerId, connection) : void this.#streams(connection),
      onDisconnect: (peerId) => this.#topology?.onDisconnect?.(peerId),
    }
    const handler: StreamHandler = (stream, connection) =>
      this.#waiting === undefined ? this.#handler!(stream, connection) : void this.#streams(connection).push(stream)
    const limits = { maxInboundStreams: GOSSIP_STREAMS_MAX }
    await Promise.all(GOSSIP_PROTOCOLS.map((protocol) => registrar.handle(protocol, handler, limits)))
    await Promise.all(GOSSIP_PROTOCOLS.map((protocol) => registrar.register(protocol, topology)))
  }

  /** gossipsub runs: it gets what has waited for it, and from now on all that comes. */
  end(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const [connection, streams] of waiting) {
      for (const stream of streams) if (stream.status === 'open') void this.#handler!(stream, connection)
      void this.#topology!.onConnect!(connection.remotePeer, connection)
    }
  }

  /** Called by gossipsub, like the methods of libp2p's registrar below. */
  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    if (!GOSSIP_PROTOCOLS.includes(protocol)) throw new Error(`${protocol} is no protocol of gossip that is known here`)
    this.#handler = handler
  }

  async register(_protocol: string, topology: Topology): Promise<string> {
    this.#topology = topology
    return ''
  }

  async unhandle(protocol: string): Promise<void> {
    await this.#registrar?.unhandle(protocol)
  }

  unregister(): void {}

  #streams(connection: Connection): Stream[] {
    for (const other of this.#waiting!.keys()) if (other.status !== 'open') this.#waiting!.delete(other)
    const streams = this.#waiting!.get(connection) ?? []
    this.#waiting!.set(connection, streams)
    return streams
  }
}
