import { GUEST_NONCES_MAX, GridError, checkKnown, checkName } from '@gossipgrid/core'
import type { Known, MemberState } from '@gossipgrid/core'
import type { Doc } from 'yjs'
import { checkKind, checkMethods } from '../batches/checks.ts'
import { BulkWrite } from '../bulk/bulk-write.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { Logger } from '../logger.ts'
import { AWARENESS_TOPIC } from '../signals/grid-signals.ts'
import type { GridTopic } from '../signals/grid-topic.ts'
import type { GuestDocuments } from '../runtime/guest-status.ts'
import type { WritePath } from '../runtime/write-path.ts'
import type { AwarenessMessage } from './opened/document-awareness.ts'
import { DocumentLeases } from './engine/document-lease.ts'
import type { DocumentLease } from './engine/document-lease.ts'
import { DocumentTable } from './rows/document-table.ts'
import type { TablePeer } from './rows/document-table.ts'
import { GENERATION_LIMITS } from './generations/generation-limits.ts'
import type { GenerationLimits } from './generations/generation-limits.ts'
import type { DocumentOptions, GridDocument } from './opened/grid-document.ts'
import type { DocumentUse } from './opened/opened-document.ts'
import type { OpenDocuments } from './opened/open-documents.ts'

const DOCUMENT_OPTIONS: Known<DocumentOptions> = { doc: true, awareness: true }

/** The documents of a grid. Yjs is loaded when the first one is opened. */
export class Documents {
  /** When documents are compacted. Tests set smaller limits before they open a document. @internal */
  limits: GenerationLimits = GENERATION_LIMITS
  readonly #writes: WritePath
  readonly logger: Logger
  readonly #topic: () => GridTopic<AwarenessMessage>
  readonly #leases: DocumentLeases
  readonly #peer: TablePeer
  readonly #guest: GuestDocuments | undefined
  #table: DocumentTable | undefined
  #open: Promise<OpenDocuments> | undefined
  #opened: OpenDocuments | undefined
  #closed = false

  /** `topic` opens a topic of that name. */
  constructor(writes: WritePath, logger: Logger, topic: (name: string) => GridTopic<unknown>) {
    this.#writes = writes
    this.logger = logger
    this.#topic = () => topic(AWARENESS_TOPIC) as GridTopic<AwarenessMessage>
    const { overlay, pump } = writes
    const guest = (this.#guest = overlay?.documents)
    this.#peer = guest ?? pump.peer
    const drawn = Number.parseInt(pump.peer.slotId.slice(0, 8), 16)
    this.#leases = new DocumentLeases(this.#peer, guest?.firstNonce ?? (drawn | GUEST_NONCES_MAX) >>> 0)
    if (guest !== undefined) guest.opened = () => this.#opened
  }

  /** See `Grid.doc`. `useOf` is called when the document can be opened. */
  async open(
    name: string,
    options: DocumentOptions = {},
    useOf: () => DocumentUse = () => ({ isOver: false, goesOn: false }),
  ): Promise<GridDocument> {
    this.#check(name)
    checkKnown(options, DOCUMENT_OPTIONS)
    const { doc } = options
    this.checkParts(doc, options)
    // At once, so that edits of the Y.Doc belong to this peer from now on.
    const lease = doc === undefined ? undefined : this.lease(name, doc)
    const open = await this.#load()
    if (this.#closed) throw new GridError('CLOSED', 'the grid was closed meanwhile')
    return open.open(name, options, lease, useOf())
  }

  /**
   * Lends a client id to a Y.Doc. Edits of an empty Y.Doc belong to this peer from now on. Throws `INVALID_NAME`; at a guest also `FORBIDDEN`,
   * `NETWORK_NOT_CONNECTED`.
   */
  lease(name: string, doc: Doc): DocumentLease {
    checkName(name, 'document')
    this.#guest?.check(name)
    const { number } = this.table.generationOf(name)
    return this.#leases.lendTo(doc, { name, number }, this.table.rowsOf(name))
  }

  /** Throws `INVALID_OPTION` for what is no Y.Doc, no Awareness, or no yes or no. */
  checkParts(doc: unknown, { awareness, connect }: { readonly awareness?: unknown; readonly connect?: unknown }): void {
    checkMethods('doc', doc, ['transact', 'getText'])
    checkMethods('awareness', awareness, ['getLocalState', 'getStates'])
    checkKind('connect', connect, 'boolean')
  }

  /** See `Grid.docs`. */
  names(prefix: string): string[] {
    this.#writes.pump.checkOpen()
    return this.table.names(prefix)
  }

  /** See `Grid.deleteDoc`. */
  async delete(name: string): Promise<boolean> {
    this.#check(name)
    if (!this.table.has(name)) return false
    // The row that says that it was deleted comes first.
    const pieces = this.table.deletes([name, ...this.table.keysOf(name)])
    const target = {
      plan: (rows: readonly RowWrite[]) => rows,
      sizeBytes: (rows: readonly RowWrite[]) => rows.reduce((sum, { key }) => sum + key.length, 0),
      pieces: (rows: readonly RowWrite[]) => [rows],
    }
    await BulkWrite.all(this.#writes, target, pieces)
    return true
  }

  /** The state of a member has changed. */
  memberChanged(peerId: string, state: MemberState): void {
    if (state === 'alive') this.#opened?.memberCame()
    if (state === 'gone') this.#opened?.memberGone(peerId)
  }

  /** Writes the remaining edits, and closes all documents. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#opened?.close()
  }

  get table(): DocumentTable {
    this.#table ??= new DocumentTable(this.#peer)
    return this.#table
  }

  #check(name: string): void {
    this.#writes.pump.checkOpen()
    if (this.#closed) throw new GridError('CLOSED', 'the grid is closed')
    checkName(name, 'document')
    this.#guest?.check(name)
  }

  #load(): Promise<OpenDocuments> {
    this.#open ??= this.#start()
    return this.#open
  }

  async #start(): Promise<OpenDocuments> {
    try {
      const { OpenDocuments: Loaded } = await import('./opened/open-documents.ts')
      this.#opened = new Loaded({
        writes: this.#writes,
        logger: this.logger,
        table: this.table,
        leases: this.#leases,
        topic: this.#topic(),
        limits: this.limits,
      })
      return this.#opened
    } catch (cause) {
      this.#open = undefined
      if (cause instanceof GridError) throw cause
      throw new GridError('DOCUMENT_LIBRARY', 'documents need Yjs: npm install yjs y-protocols', { cause })
    }
  }
}
