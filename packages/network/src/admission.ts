import type { ConnectionGater } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'

/** A peer lets in this many times `neighboursMax`, so that a peer that many join by still has room. */
const INBOUND_FACTOR = 2
/** How many refusals are remembered at once. The oldest is forgotten first. */
const REFUSED_MAX = 4096

export interface AdmissionDeps {
  /** Peers beyond twice this number are turned away. */
  readonly neighboursMax: number
  /** Whether a peer may connect at all. By default every peer may. */
  readonly accept?: ((peerId: PeerId) => boolean) | undefined
  /** How many neighbours there are now, and whether this is one of them. */
  readonly neighbours: () => { readonly size: number; has(peerId: PeerId): boolean }
}

/** Decides which peers may be neighbours. It is asked before every dial and for every connection, in both directions. */
export class Admission {
  readonly #deps: AdmissionDeps
  readonly #blocked = new Set<PeerId>()
  readonly #refusedUntilMs = new Map<PeerId, number>()
  /** False while this peer is cut off: then no peer may connect. */
  online = true

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  /** False while this peer is cut off, and for a peer that is blocked, refused for a while, not accepted, or one too many. */
  admits(peerId: PeerId): boolean {
    if (!this.online || this.#blocked.has(peerId) || this.refused(peerId)) return false
    if (this.#deps.accept?.(peerId) === false) return false
    const neighbours = this.#deps.neighbours()
    return neighbours.has(peerId) || neighbours.size < this.#deps.neighboursMax * INBOUND_FACTOR
  }

  /** True while a refusal holds. */
  refused(peerId: PeerId): boolean {
    const until = this.#refusedUntilMs.get(peerId)
    if (until === undefined) return false
    if (until > performance.now()) return true
    this.#refusedUntilMs.delete(peerId)
    return false
  }

  refuse(peerId: PeerId, refusedMs: number): void {
    this.#refusedUntilMs.delete(peerId)
    this.#refusedUntilMs.set(peerId, performance.now() + refusedMs)
    const oldest = this.#refusedUntilMs.keys().next()
    if (this.#refusedUntilMs.size > REFUSED_MAX && oldest.done !== true) this.#refusedUntilMs.delete(oldest.value)
  }

  block(peerIds: readonly PeerId[]): void {
    for (const peerId of peerIds) this.#blocked.add(peerId)
  }

  unblock(): void {
    this.#blocked.clear()
  }

  /** The same answer in libp2p's terms. No address is refused: peers run on private networks and on loopback. */
  gater(): ConnectionGater {
    const denies = (peerId: { toString(): string }): boolean => !this.admits(peerId.toString())
    return {
      denyDialMultiaddr: () => false,
      denyInboundConnection: () => !this.online,
      denyDialPeer: denies,
      denyInboundEncryptedConnection: denies,
      denyOutboundEncryptedConnection: denies,
    }
  }
}
