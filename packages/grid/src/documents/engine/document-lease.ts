import { documentClient } from '@gossipgrid/core'
import type { Doc } from 'yjs'
import { isAttached, wasAttached } from './document-attachment.ts'
import type { DocumentRow } from '../rows/document-table.ts'

/** Under whose name somebody writes into a document: a client id of Yjs, and what it follows from. */
export interface DocumentLease {
  /** The replica id that this peer had when it took the lease. */
  readonly author: string
  readonly nonce: number
  readonly client: number
}

/** A generation of a document. */
interface DocumentGeneration {
  readonly name: string
  readonly number: number
}

/** The leases of Y.Docs of the application's own, each for one document. */
const lent = new WeakMap<Doc, { readonly in: DocumentGeneration; readonly lease: DocumentLease }>()

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
  readonly #given = new WeakSet<DocumentLease>()

  constructor(peer: { readonly replicaId: string; readonly slotId: string }) {
    this.#peer = peer
    this.#first = Number.parseInt(peer.slotId.slice(0, 8), 16)
  }

  /**
   * One for a Y.Doc of the application's own, the same one every time. What is typed into an empty Y.Doc from then on goes under
   * its client id.
   */
  lendTo(doc: Doc, generation: DocumentGeneration, rows: readonly DocumentRow[]): DocumentLease {
    const known = lent.get(doc)
    const isSame = known?.in.name === generation.name && (known.in.number === generation.number || !wasAttached(doc))
    const lease = isSame && this.#isOurs(known.lease) ? known.lease : this.lend(rows)
    if (isAttached(doc)) return lease
    lent.set(doc, { in: generation, lease })
    if (doc.store.clients.size === 0) doc.clientID = lease.client
    return lease
  }

  /** Another one for a Y.Doc that goes on in another generation of its document. */
  renew(doc: Doc, generation: DocumentGeneration, rows: readonly DocumentRow[]): DocumentLease {
    const lease = this.lend(rows)
    lent.set(doc, { in: generation, lease })
    return lease
  }

  /** One under which nothing was written into a document yet. */
  lend(rows: readonly DocumentRow[]): DocumentLease {
    const lease = this.#next(rows)
    this.#lent.add(lease.nonce)
    this.#given.add(lease)
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

  /** Given out here, or by the same peer in an earlier opening, which has written nothing else under it. */
  #isOurs(lease: DocumentLease): boolean {
    if (this.#given.has(lease)) return true
    if (lease.author !== this.#peer.replicaId) return false
    this.#lent.add(lease.nonce)
    return true
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
