import type { ConnectionGater } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'

/** More neighbours than this many times `neighboursMax` are turned away, so that a peer others join by stays open. */
const INBOUND_FACTOR = 2
/** Refusals remembered at once; the oldest is forgotten first. */
const REFUSED_MAX = 4096

export interface AdmissionOptions {
  /** Peers beyond twice this number are turned away. */
  readonly neighboursMax: number
  /** Who may connect at all; default everyone. */
  readonly accept?: ((peerId: PeerId) => boolean) | undefined
  /** How many neighbours there are now, and whether this is one of them. */
  readonly neighbours: () => { readonly size: number; has(peerId: PeerId): boolean }
}

/** Who may be a neighbour: the one place that says no, asked for every dial and every connection in both directions. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #blocked = new Set<PeerId>()
  readonly #refusedUntilMs = new Map<PeerId, number>()

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** False for a peer that is blocked, refused for a while, not accepted, or one too many. */
  admits(peerId: PeerId): boolean {
    if (this.#blocked.has(peerId) || this.refused(peerId)) return false
    if (this.#options.accept?.(peerId) === false) return false
    const neighbours = this.#options.neighbours()
    return neighbours.has(peerId) || neighbours.size < this.#options.neighboursMax * INBOUND_FACTOR
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

  /** The same answer in libp2p's terms. Addresses are never judged: peers live on private networks and loopback. */
  gater(): ConnectionGater {
    const denies = (peerId: { toString(): string }): boolean => !this.admits(peerId.toString())
    return {
      denyDialMultiaddr: () => false,
      denyDialPeer: denies,
      denyInboundEncryptedConnection: denies,
      denyOutboundEncryptedConnection: denies,
    }
  }
}
