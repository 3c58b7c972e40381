import { GridError, documentKey, readDocumentKey } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { Logger } from '../../logger.ts'
import type { Receipt, WriteOptions } from '../../receipts/receipt.ts'
import { ThrownAfterwards, applyAll } from '../rows/apply-rows.ts'
import { changeClient, isTypedHere } from './client-change.ts'
import { attach, checkUnattached, letGo } from './document-attachment.ts'
import type { Attachment } from './document-attachment.ts'
import type { DocumentPump } from './document-pump.ts'
import type { DocumentLease } from './document-lease.ts'
import type { DocumentRow, DocumentTable, Generation } from '../rows/document-table.ts'
import { DocumentWriter } from './document-writer.ts'
import { OwnStructs } from '../rows/own-structs.ts'
import { RowIntegration } from '../rows/row-integration.ts'
import type { Awaited } from '../rows/row-integration.ts'

/** What an engine needs of the documents of its grid. */
export interface DocumentEngineDeps {
  readonly pump: DocumentPump
  readonly table: DocumentTable
  readonly logger: Logger
  /** HLC timestamps of rows that Yjs could not apply, by key. */
  readonly poisoned: Map<string, number>
  /** An edit of this peer was refused. `update` has the edits that are not written. */
  refused(name: string, error: GridError, update: Uint8Array | undefined): void
  /** The document accepts no more edits. */
  ended(name: string, error: GridError): void
}

/** The document and the Y.Doc of an engine. */
export interface DocumentEngineOptions {
  readonly name: string
  readonly generation: Generation
  readonly lease: DocumentLease
  readonly y: Y.Doc
  /** What was deleted in the Y.Doc when it was detached: three numbers for each range. */
  readonly knownDeletes?: readonly number[]
  /** The clock of each client at that time. The document had all of this content, though its rows may be gone now. */
  readonly knownClocks?: ReadonlyMap<number, number>
}

/** Everything that is deleted in a Y.Doc: three numbers for each range. */
export function deletesOf(y: Y.Doc): number[] {
  const deletes: number[] = []
  for (const [client, ranges] of Y.createDeleteSetFromStructStore(y.store).clients) {
    for (const { clock, len } of ranges) deletes.push(client, clock, len)
  }
  return deletes
}

/**
 * Keeps a Y.Doc and the rows of its document the same. Rows of other peers are applied to the Y.Doc when everything is there
 * that they refer to. Edits of the Y.Doc are written to this peer's own rows.
 */
export class DocumentEngine implements Attachment {
  readonly name: string
  readonly y: Y.Doc
  readonly lease: DocumentLease
  readonly generation: number
  readonly #deps: DocumentEngineDeps
  readonly #structs: OwnStructs
  readonly #writer: DocumentWriter
  readonly #knownDeletes: readonly number[]
  readonly #knownClocks: ReadonlyMap<number, number>
  /** Prefix of the keys of all rows that this engine writes. */
  readonly #ownKeys: string
  readonly #dirty = new Set<string>()
  /** The last error message of an observer. It is logged once, and its rows are not searched for poison again. */
  #observerMessage: string | undefined
  readonly #waiting = new Map<string, Awaited>()
  #draining = false
  #detached = false
  #loading = true
  #ended: GridError | undefined

  constructor(deps: DocumentEngineDeps, options: DocumentEngineOptions) {
    const { name, generation, lease, y } = options
    this.name = name
    this.y = y
    this.lease = lease
    this.generation = generation.number
    this.#knownDeletes = options.knownDeletes ?? []
    this.#knownClocks = options.knownClocks ?? new Map()
    const first = documentKey({ document: name, generation: generation.number, ...lease, level: 'a', index: 0 })
    this.#ownKeys = first.slice(0, first.lastIndexOf('.') + 1)
    this.#deps = deps
    this.#structs = new OwnStructs(y, lease.client, this, (error) => deps.refused(name, error, undefined))
    const { pump, table } = deps
    const forbidden = (error: GridError): void => this.abandon(error)
    this.#writer = new DocumentWriter({ pump, table, name, generation, lease, content: this.#structs, forbidden })
  }

  /** Why it accepts no more edits. Undefined while it does. */
  get endedBy(): GridError | undefined {
    return this.#ended
  }

  /** The clock of each client in the Y.Doc. Empty if the Y.Doc has content that the document does not have. */
  get knownClocks(): ReadonlyMap<number, number> {
    if (this.#ended?.code === 'DOCUMENT_FOREIGN') return new Map()
    return new Map([...this.y.store.clients.keys()].map((client) => [client, Y.getState(this.y.store, client)]))
  }

  /**
   * True if rows of this client id are not in the Y.Doc yet, because they wait for others. Edits of the Y.Doc would get the same
   * ids then, so it must go on under another client id.
   */
  get lacksOwnEdits(): boolean {
    const { table } = this.#deps
    const { client } = this.lease
    const end = Y.getState(this.y.store, client)
    const rows = table.liveRowsOf(this.name, this.generation).filter(({ parts }) => parts.client === client)
    return rows.some(({ key }) => table.read(key)!.update.to > end)
  }

  /** The rows that wait for other rows, by key, and what for. */
  get waiting(): ReadonlyMap<string, Awaited> {
    return this.#waiting
  }

  /** True if there are edits in no row, or not durable yet. */
  get unsaved(): boolean {
    return this.#writer.unsaved
  }

  /** True if there are edits in no row, because the backlog is full. */
  get unwritten(): boolean {
    return this.#writer.unwritten
  }

  /** Writes the edits so far. Resolves when they are durable, or have failed for good. */
  saved(): Promise<void> {
    return this.#writer.saved()
  }

  /** Applies the rows that are there, and follows the document from then on. Throws `DOCUMENT_FOREIGN`, `DOCUMENT_POISONED`. */
  load(): void {
    const rows = this.#deps.table.liveRowsOf(this.name, this.generation)
    checkUnattached(this.y, this.name)
    this.#checkKnown(rows)
    attach(this.y, this)
    try {
      this.#follow(rows)
    } catch (error) {
      this.detach()
      throw error
    }
  }

  /** A row has changed. Ignores this engine's own rows. */
  touched(key: string): void {
    if (this.#ended !== undefined || key.startsWith(this.#ownKeys)) return
    this.#dirty.add(key)
    if (this.#draining) return
    this.#draining = true
    this.#deps.pump.afterStep(() => {
      this.#draining = false
      this.#drain()
    })
  }

  /** Ends the engine: it applies and writes no more rows. */
  end(error: GridError): void {
    if (this.#ended !== undefined) return
    // Edits are still written: they are rebased to the current generation.
    if (error.code === 'DOCUMENT_GENERATION') this.#writer.flush().catch(() => undefined)
    this.abandon(error)
  }

  /** Writes the edits, and resolves when they are durable. Undefined if there never were any. */
  flush(options?: WriteOptions): Promise<Receipt | undefined> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return this.#writer.flush(options)
  }

  /** Merges the rows of this peer, if they are many. */
  fold(): void {
    if (this.#ended === undefined) this.#writer.fold()
  }

  /** Ignores edits of the Y.Doc from now on. */
  pause(): void {
    this.y.off('afterTransactionCleanup', this.#followed)
  }

  /** Ends the engine without writing anything more. */
  abandon(error: GridError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#writer.stop()
    this.#refuseRest(error)
    this.#deps.ended(this.name, error)
  }

  /** Reports edits that could not be written in time as refused. */
  giveUp(): void {
    this.#writer.finish()
    this.#refuseRest(new GridError('CLOSED', `'${this.name}' was closed before there was room to store this edit`))
  }

  /** Frees the Y.Doc. */
  detach(): void {
    this.y.off('afterTransactionCleanup', this.#followed)
    this.y.off('destroy', this.#destroyed)
    this.#writer.stop()
    this.#detached = true
    letGo(this.y, this)
    this.#ended ??= new GridError('CLOSED', `'${this.name}' is closed: open it again`)
  }

  /** Stores what the Y.Doc has. Yjs removes all listeners after this event. */
  readonly #destroyed = (): void => {
    this.#writer.finish()
    const error = new GridError(
      'DOCUMENT_DESTROYED',
      `the Y.Doc of '${this.name}' was destroyed: open it with another one`,
    )
    this.#ended ??= error
    if (this.#ended !== error) return
    this.#deps.ended(this.name, error)
    this.#deps.pump.soon(() => {
      if (this.#detached) return
      this.y.on('afterTransactionCleanup', this.#followed)
      this.#writer.note([])
      if (this.#writer.stopped) this.#refuseRest(error)
    })
  }

  readonly #followed = (transaction: Y.Transaction): void => {
    if (transaction.origin === this) return
    const { client } = this.lease
    let edited = transaction.deleteSet.clients.size > 0
    for (const [writer, clock] of transaction.afterState) {
      if (transaction.beforeState.get(writer) === clock) continue
      edited = true
      if (writer !== client) this.#foreign(writer)
    }
    if (this.y.clientID !== client) this.y.clientID = client
    if (!edited) return
    const deletes: number[] = []
    for (const [writer, ranges] of transaction.deleteSet.clients) {
      for (const { clock, len } of ranges) deletes.push(writer, clock, len)
    }
    this.#writer.note(deletes)
    if (this.#ended !== undefined && this.#writer.stopped) this.#refuseRest(this.#ended)
  }

  #foreign(client: number): void {
    const whose = `edits of client id ${client} came into the Y.Doc of '${this.name}' from elsewhere`
    const advice = 'use no other provider beside the grid, and copyDocument() to bring older content along'
    this.end(new GridError('DOCUMENT_FOREIGN', `${whose}, but only their owner may write them: ${advice}`))
  }

  #follow(rows: readonly DocumentRow[]): void {
    const deletes = deletesOf(this.y)
    this.#integrate(rows.map(({ key }) => key))
    this.y.clientID = this.lease.client
    this.#loading = false
    this.#writer.restore()
    // Edits that were made before the document was loaded.
    if (this.#writer.unsaved || deletes.length > 0) this.#writer.note(withoutRanges(deletes, this.#knownDeletes))
    this.y.on('afterTransactionCleanup', this.#followed)
    this.y.on('destroy', this.#destroyed)
  }

  /**
   * Checks that the document has the content of the Y.Doc. Content that was typed into the Y.Doc before it was first opened is
   * this peer's own: it gets the client id that the grid lends.
   */
  #checkKnown(rows: readonly DocumentRow[]): void {
    const { y, lease } = this
    const typed = isTypedHere(y, lease.client) && !rows.some(({ parts }) => parts.client === y.clientID)
    for (const client of y.store.clients.keys()) {
      if (client === lease.client || (typed && client === y.clientID)) continue
      const written = rows.filter(({ parts }) => parts.client === client)
      const known = this.#knownClocks.get(client) ?? 0
      const clock = written.reduce((latest, { key }) => Math.max(latest, this.#deps.table.read(key)!.update.to), known)
      if (clock >= Y.getState(this.y.store, client)) continue
      throw new GridError(
        'DOCUMENT_FOREIGN',
        `the Y.Doc for '${this.name}' has content from elsewhere: pass an empty one, and bring the content along with copyDocument()`,
      )
    }
    if (typed) changeClient(y, y.clientID, lease.client)
  }

  #refuseRest(error: GridError): void {
    const update = this.#writer.takeUnwritten()
    if (update !== undefined) this.#deps.refused(this.name, error, update)
  }

  #drain(): void {
    // Rows that are applied may be what other rows wait for.
    while (this.#ended === undefined) {
      for (const [key, { client, clock }] of this.#waiting) {
        if (Y.getState(this.y.store, client) > clock) this.#dirty.add(key)
      }
      if (this.#dirty.size === 0) return
      const keys = [...this.#dirty]
      this.#dirty.clear()
      this.#integrate(keys)
    }
  }

  #integrate(keys: readonly string[]): void {
    const { store } = this.y
    const integration = new RowIntegration((client) => Y.getState(store, client))
    try {
      for (const key of keys) this.#offer(integration, key)
      applyAll(this.y, integration, this)
    } catch (error) {
      if (this.#isPoisonedBy(keys, error)) return
    }
    for (const [key, awaited] of integration.waiting()) this.#waiting.set(key, awaited)
  }

  #offer(integration: RowIntegration, key: string): void {
    const { table, poisoned } = this.#deps
    this.#waiting.delete(key)
    const parts = readDocumentKey(key)
    if (parts?.generation !== this.generation) return
    if (poisoned.has(key) && poisoned.get(key) === table.hlcOf(key)) return
    const row = table.read(key)
    if (row !== undefined) integration.offer(key, row.parts.client, row.update)
  }

  /**
   * Finds the rows that made Yjs fail, although the parser accepted them. They are left out from now on, and the engine ends.
   * Returns false if an observer of the application threw after all rows were applied: that harms no document.
   */
  #isPoisonedBy(keys: readonly string[], cause: unknown): boolean {
    const { table, poisoned, logger } = this.#deps
    const message = cause instanceof ThrownAfterwards ? cause.message : undefined
    if (message !== undefined && message === this.#observerMessage) return false
    const found = findPoison(table, this.name, this.generation, new Set(keys))
    if (message !== undefined && found.length === 0) {
      this.#observerMessage = message
      logger.error(`an observer of '${this.name}' threw: ${message}`, { document: this.name, error: cause })
      return false
    }
    for (const [key, hlc] of found) poisoned.set(key, hlc)
    const error = new GridError(
      'DOCUMENT_POISONED',
      `${found.length} updates of '${this.name}' could not be applied and are left out: open it again`,
      { cause },
    )
    logger.error(error.message, { code: error.code, document: this.name, error: cause })
    if (this.#loading) throw error
    this.end(error)
    return true
  }
}

/** The ranges that are not in `others`. */
function withoutRanges(ranges: readonly number[], others: readonly number[]): number[] {
  const known = new Set<string>()
  for (let i = 0; i < others.length; i += 3) known.add(others.slice(i, i + 3).join())
  const left: number[] = []
  for (let i = 0; i < ranges.length; i += 3) {
    const range = ranges.slice(i, i + 3)
    if (!known.has(range.join())) left.push(...range)
  }
  return left
}

/** The suspected rows that cannot be applied to a new Y.Doc, with their HLC timestamps. */
function findPoison(
  table: DocumentTable,
  name: string,
  generation: number,
  suspects: ReadonlySet<string>,
): [key: string, hlc: number][] {
  const rows = table.liveRowsOf(name, generation)
  const sound = rows.filter(({ key }) => !suspects.has(key)).map(({ key }) => key)
  const found: [string, number][] = []
  for (const { key, hlc } of rows.filter((row) => suspects.has(row.key))) {
    const y = new Y.Doc()
    const integration = new RowIntegration((client) => Y.getState(y.store, client))
    try {
      for (const each of [...sound, key]) {
        const row = table.read(each)
        if (row !== undefined) integration.offer(each, row.parts.client, row.update)
      }
      applyAll(y, integration, undefined)
      sound.push(key)
    } catch {
      found.push([key, hlc])
    }
    y.destroy()
  }
  return found
}
