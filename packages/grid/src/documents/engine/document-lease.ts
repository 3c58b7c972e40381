import { documentClient } from '@gossipgrid/core'
import type { Doc } from 'yjs'
import { isAttached, wasAttached } from './document-attachment.ts'
import type { DocumentRow } from '../rows/document-table.ts'

/** The client id of Yjs under which a Y.Doc writes into a document, and what the id is computed from. */
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

/** The leases of Y.Docs that the application has made. Each is for one document. */
const lent = new WeakMap<Doc, { readonly in: DocumentGeneration; readonly lease: DocumentLease }>()

/**
 * Lends client ids that no other peer has: each is computed from this peer's replica id and a number drawn at opening. A
 * document keeps every client id forever, so free ones are reused.
 */
export class DocumentLeases {
  readonly #peer: { readonly replicaId: string }
  readonly #first: number
  #count = 0
  /** Leases of Y.Docs that the application has made. These may come back with more edits. */
  readonly #lent = new Set<number>()
  readonly #given = new WeakSet<DocumentLease>()

  /** `first` is drawn at each opening. */
  constructor(peer: { readonly replicaId: string }, first: number) {
    this.#peer = peer
    this.#first = first
  }

  /**
   * Lends a client id to a Y.Doc that the application has made; the same one every time. Edits of an empty Y.Doc have it from
   * then on.
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

  /** Lends another client id to a Y.Doc that goes on in another generation of its document. */
  renew(doc: Doc, generation: DocumentGeneration, rows: readonly DocumentRow[]): DocumentLease {
    const lease = this.lend(rows)
    lent.set(doc, { in: generation, lease })
    return lease
  }

  /** Lends a client id that has no rows in a document. */
  lend(rows: readonly DocumentRow[]): DocumentLease {
    const lease = this.#next(rows)
    this.#lent.add(lease.nonce)
    this.#given.add(lease)
    return lease
  }

  /** Lends a client id that is not in use: an earlier one of this peer, or a new one. */
  take(rows: readonly DocumentRow[], isTaken: (client: number) => boolean): DocumentLease {
    const author = this.#peer.replicaId
    for (const { parts } of rows) {
      const { nonce, client } = parts
      const isOurs = (nonce - this.#first + 0x100000000) % 0x100000000 < this.#count && !this.#lent.has(nonce)
      if (isOurs && client === documentClient(author, nonce) && !isTaken(client)) return { author, nonce, client }
    }
    return this.#next(rows)
  }

  /** True if this peer has lent it, now or in an earlier opening. */
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
