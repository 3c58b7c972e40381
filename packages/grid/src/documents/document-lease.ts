import { documentClient } from '@gossipgrid/core'

/** Under whose name somebody writes into a document: a client id of Yjs, and what it follows from. */
export interface DocumentLease {
  /** The replica id that this peer had when it took the lease. */
  readonly author: string
  readonly nonce: number
  readonly client: number
}

/** Hands out client ids that nobody else has: each follows from this peer's replica id and what it drew at opening. */
export class DocumentLeases {
  readonly #peer: { readonly replicaId: string; readonly slotId: string }
  #nonce: number

  constructor(peer: { readonly replicaId: string; readonly slotId: string }) {
    this.#peer = peer
    this.#nonce = Number.parseInt(peer.slotId.slice(0, 8), 16)
  }

  /** A new one; never one that `isTaken`. */
  next(isTaken: (client: number) => boolean = () => false): DocumentLease {
    for (;;) {
      const nonce = this.#nonce
      this.#nonce = (nonce + 1) % 0x100000000
      const author = this.#peer.replicaId
      const client = documentClient(author, nonce)
      if (!isTaken(client)) return { author, nonce, client }
    }
  }
}
