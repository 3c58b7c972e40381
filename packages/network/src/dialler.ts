import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { GridError } from '@gossipgrid/core'
import type { PeerId } from '@gossipgrid/core'
import { badAddress, carriesData, parseAddress, peerIdIn, withPeerId } from './addresses.ts'
import type { Admission } from './admission.ts'
import type { Departed } from './departed.ts'
import type { DialWindow } from './dial-window.ts'
import { delay, orAborted } from './ending.ts'
import type { Neighbours } from './neighbours.ts'
import { Redialer } from './redialer.ts'
import { meetsByRelay, yieldMs } from './yielding.ts'

/** How long libp2p may take to connect to a peer by one of its addresses. */
const DIAL_MAX_MS = 15_000

export interface DiallerDeps {
  readonly self: PeerId
  readonly node: Libp2p
  readonly neighbours: Neighbours
  readonly neighboursMax: number
  readonly admission: Admission
  readonly departed: Departed
  readonly window: DialWindow
  /** How many other members this peer knows of. */
  readonly members: () => number
  /** Whether this peer can use an address at all. */
  readonly canDial: (address: string) => boolean
  /** Whether a connected peer is a relay, so that it is no neighbour and needs no redial. */
  readonly isRelay: (peerId: PeerId) => boolean
  /** Takes what a user should read: that an address to join by fails, and why. */
  readonly log: (line: string) => void
}

/** Turns addresses into neighbours. All dials of this peer go through its queue, except redials that core asks for. */
export class Dialler {
  readonly #deps: DiallerDeps
  readonly #redialer: Redialer

  constructor(deps: DiallerDeps) {
    this.#deps = deps
    const { neighbours, neighboursMax, admission, members, window, isRelay, log } = deps
    this.#redialer = new Redialer({
      dial: (addresses, signal) => this.#dial(addresses, signal),
      isConnected: (peerId) => neighbours.isConnected(peerId) || isRelay(peerId),
      mayDial: (peerId, joining) =>
        admission.online &&
        (joining || neighbours.size < neighboursMax) &&
        (peerId === undefined || admission.admits(peerId)),
      unreached: (addresses, error) =>
        log(`joining by ${addresses.join(', ')} fails, and is tried again: ${reasonOf(error)}`),
      members,
      window,
      random: Math.random,
    })
  }

  /** Dials the addresses to join by, now and whenever their peers are lost. */
  start(joinAddresses: readonly string[]): void {
    this.#redialer.start(joinAddresses)
  }

  stop(): void {
    this.#redialer.stop()
  }

  /** Dials all missing peers now. */
  wake(): void {
    this.#redialer.wake()
  }

  /** Dials one address. Rejects with `NETWORK_BAD_ADDRESS` or `NETWORK_DIAL_FAILED`. */
  async dial(address: string, signal?: AbortSignal): Promise<PeerId> {
    const { self, node, neighbours, neighboursMax, canDial } = this.#deps
    const parsed = parseAddress(address)
    const peerId = peerIdIn(address)
    if (peerId !== undefined && meetsByRelay(address)) {
      await delay(yieldMs(self, peerId, [address]))
      if (neighbours.size >= neighboursMax) throw badAddress(address, 'is not needed')
    }
    if (peerId !== undefined && neighbours.isConnected(peerId)) return peerId
    const isUsable = carriesData(address) && canDial(address) && (await node.isDialable(parsed))
    if (!isUsable) throw badAddress(address, 'cannot be dialled by this peer')
    const dialled = this.#redialer.request(address, signal)
    return signal === undefined ? dialled : orAborted(dialled, signal)
  }

  /** The addresses by which a peer can be dialled again: those of its outbound connections, and those it has announced. */
  addresses(peerId: PeerId, connections: readonly Connection[]): string[] {
    const dialled = connections.filter(({ direction }) => direction === 'outbound').map(({ remoteAddr }) => remoteAddr)
    return [...new Set([...withPeerId(dialled, peerId), ...this.#redialer.addresses(peerId)])]
  }

  /** Dials a peer at once, without waiting for other dials. */
  async redial(peerId: PeerId, addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) {
      throw new GridError('NETWORK_DIAL_FAILED', `no address of ${peerId} is known; it has to dial us`)
    }
    await this.#dial(addresses)
  }

  /** Addresses of a peer have become known. It is dialled soon if it is no neighbour. */
  learn(peerId: PeerId, addresses: readonly Multiaddr[]): void {
    const usable = withPeerId(addresses, peerId).filter((address) => this.#deps.canDial(address))
    this.#redialer.learn(peerId, usable, yieldMs(this.#deps.self, peerId, usable))
  }

  /** A peer has become a neighbour. */
  reached(peerId: PeerId): void {
    this.#redialer.reached(peerId)
  }

  /** A neighbour was lost. It is dialled again after a short wait. */
  lost(peerId: PeerId): void {
    this.#redialer.lost(peerId, yieldMs(this.#deps.self, peerId, this.#redialer.addresses(peerId)))
  }

  /** The peer turned out not to be of this grid. */
  forget(peerId: PeerId): void {
    this.#redialer.forget(peerId)
  }

  async #dial(addresses: readonly string[], signal?: AbortSignal): Promise<PeerId> {
    const { node, neighbours, departed, admission } = this.#deps
    if (!admission.online) throw new GridError('NETWORK_DIAL_FAILED', 'this peer is cut off')
    const timeout = AbortSignal.timeout(DIAL_MAX_MS)
    let connection: Connection
    try {
      connection = await node.dial(addresses.map(parseAddress), {
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      })
    } catch (cause) {
      const peerId = addresses.map(peerIdIn).find((each) => each !== undefined)
      if (peerId !== undefined) departed.record(peerIdFromString(peerId))
      throw new GridError('NETWORK_DIAL_FAILED', `${addresses.join(', ')} did not answer: ${reasonOf(cause)}`, {
        cause,
      })
    }
    const neighbour = neighbours.opened(connection)
    await neighbour.ready
    return neighbour.peerId
  }
}

/** Browsers do not say why a WebSocket failed, and the event that they give instead of an error has no text. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /^\[object \w+\]$/.test(text) ? 'the connection could not be opened' : text
}
