import { documentClient } from '@gossipgrid/core'
import type { DocumentRow } from './document-table.ts'

/** Under whose name somebody writes into a document: a client id of Yjs, and what it follows from. */
export interface DocumentLease {
  /** The replica id that this peer had when it took the lease. */
  readonly author: string
  readonly nonce: number
  readonly client: number
}

/**
 * Hands out client ids that nobody else has: each follows from this peer's replica id and what it drew at opening. A
 * document keeps every one of them for ever, so one that is free again is used again.
 */
export class DocumentLeases {
  readonly #peer: { readonly replicaId: string; readonly slotId: string }
  readonly #first: number
  #count = 0
  /** Those of Y.Docs of the application's own, which may come back with more. */
  readonly #lent = new Set<number>()

  constructor(peer: { readonly replicaId: string; readonly slotId: string }) {
    this.#peer = peer
    this.#first = Number.parseInt(peer.slotId.slice(0, 8), 16)
  }

  /** One under which nothing was written into a document yet, for a Y.Doc of the application's own. */
  lend(rows: readonly DocumentRow[]): DocumentLease {
    const lease = this.#next(rows)
    this.#lent.add(lease.nonce)
    return lease
  }

  /** One for a document of these rows that nobody else holds: an earlier one of this peer, or a new one. */
  take(rows: readonly DocumentRow[], isHeld: (client: number) => boolean): DocumentLease {
    const author = this.#peer.replicaId
    for (const { parts } of rows) {
      const { nonce, client } = parts
      const isOurs = (nonce - this.#first + 0x100000000) % 0x100000000 < this.#count && !this.#lent.has(nonce)
      if (isOurs && client === documentClient(author, nonce) && !isHeld(client)) return { author, nonce, client }
    }
    return this.#next(rows)
  }

  #next(rows: readonly DocumentRow[]): DocumentLease {
    for (;;) {
      const nonce = (this.#first + this.#count++) % 0x100000000
      const author = this.#peer.replicaId
      const client = documentClient(author, nonce)
      if (!rows.some(({ parts }) => parts.client === client)) return { author, nonce, client }
    }
  }
}
