import { GridError, documentKey, readDocumentKey } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { Logger } from '../../logger.ts'
import type { Receipt, WriteOptions } from '../../runtime/receipt.ts'
import { ThrownAfterwards, applyAll } from '../rows/apply-rows.ts'
import { changeClient, isTypedHere } from './client-change.ts'
import { attach, checkUnattached, letGo } from './document-attachment.ts'
import type { Attachment } from './document-attachment.ts'
import type { DocumentHost } from './document-host.ts'
import type { DocumentLease } from './document-lease.ts'
import type { DocumentRow, DocumentTable, Generation } from '../rows/document-table.ts'
import { DocumentWriter } from './document-writer.ts'
import { OwnStructs } from '../rows/own-structs.ts'
import { RowIntegration } from '../rows/row-integration.ts'
import type { Awaited } from '../rows/row-integration.ts'

/** What an engine needs of the documents of its grid. */
export interface DocumentEngineOwner {
  readonly host: DocumentHost
  readonly table: DocumentTable
  readonly logger: Logger
  /** Rows that Yjs could not take, by key, with their version. */
  readonly poisoned: Map<string, number>
  /** An edit of this peer was refused; `update` has what was not written. */
  refused(name: string, error: GridError, update: Uint8Array | undefined): void
  /** The document takes no more edits. */
  ended(name: string, error: GridError): void
}

/** What an engine works on. */
export interface DocumentEngineParts {
  readonly name: string
  readonly generation: Generation
  readonly lease: DocumentLease
  readonly y: Y.Doc
  /** What was deleted in the Y.Doc when it was let go of: three numbers for each range. */
  readonly knownDeletes?: readonly number[]
  /** How far each client had come then: all of it is the document's, though its rows may be gone by now. */
  readonly knownClocks?: ReadonlyMap<number, number>
}

/** All that is deleted in a Y.Doc: three numbers for each range. */
export function deletesOf(y: Y.Doc): number[] {
  const deletes: number[] = []
  for (const [client, ranges] of Y.createDeleteSetFromStructStore(y.store).clients) {
    for (const { clock, len } of ranges) deletes.push(client, clock, len)
  }
  return deletes
}

/**
 * Keeps a Y.Doc and the rows of its document the same: rows of others go into it as soon as nothing is missing that they
 * are tied to, and what is edited in it goes into this peer's own rows.
 */
export class DocumentEngine implements Attachment {
  readonly name: string
  readonly y: Y.Doc
  readonly lease: DocumentLease
  readonly generation: number
  readonly #owner: DocumentEngineOwner
  readonly #structs: OwnStructs
  readonly #writer: DocumentWriter
  readonly #knownDeletes: readonly number[]
  readonly #knownClocks: ReadonlyMap<number, number>
  /** How the keys of all rows begin that this engine writes. */
  readonly #ownKeys: string
  readonly #dirty = new Set<string>()
  /** What an observer threw last: it is logged once, and not taken for poison. */
  #observerMessage: string | undefined
  readonly #waiting = new Map<string, Awaited>()
  #draining = false
  #detached = false
  #loading = true
  #ended: GridError | undefined

  constructor(owner: DocumentEngineOwner, parts: DocumentEngineParts) {
    const { name, generation, lease, y } = parts
    this.name = name
    this.y = y
    this.lease = lease
    this.generation = generation.number
    this.#knownDeletes = parts.knownDeletes ?? []
    this.#knownClocks = parts.knownClocks ?? new Map()
    const first = documentKey({ document: name, generation: generation.number, ...lease, level: 'a', index: 0 })
    this.#ownKeys = first.slice(0, first.lastIndexOf('.') + 1)
    this.#owner = owner
    this.#structs = new OwnStructs(y, lease.client, this, (error) => owner.refused(name, error, undefined))
    const { host, table } = owner
    this.#writer = new DocumentWriter({ host, table, name, generation, lease, content: this.#structs })
  }

  /** Why it takes no more edits; undefined while it does. */
  get endedBy(): GridError | undefined {
    return this.#ended
  }

  /** How far each client has come in the Y.Doc, as long as all of it is the document's. */
  get knownClocks(): ReadonlyMap<number, number> {
    if (this.#ended?.code === 'DOCUMENT_FOREIGN') return new Map()
    return new Map([...this.y.store.clients.keys()].map((client) => [client, Y.getState(this.y.store, client)]))
  }

  /** Rows that are here and wait for others. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  /** Edits that no row has yet, or that are not durable yet. */
  get unsaved(): boolean {
    return this.#writer.unsaved
  }

  /** Edits that no row has yet, for want of room. */
  get unwritten(): boolean {
    return this.#writer.unwritten
  }

  /** Writes what was edited by now. Resolves when that is durable, or has failed for good. */
  saved(): Promise<void> {
    return this.#writer.saved()
  }

  /** Reads the rows that are there, and follows the document from then on. Throws `DOCUMENT_FOREIGN`, `DOCUMENT_POISONED`. */
  load(): void {
    const rows = this.#owner.table.liveRowsOf(this.name, this.generation)
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

  /** A row has changed. Nobody but this engine writes under its lease. */
  touched(key: string): void {
    if (this.#ended !== undefined || key.startsWith(this.#ownKeys)) return
    this.#dirty.add(key)
    if (this.#draining) return
    this.#draining = true
    this.#owner.host.afterStep(() => {
      this.#draining = false
      this.#drain()
    })
  }

  /** Ends it: nothing is taken from its rows, and nothing written into them any more. */
  end(error: GridError): void {
    if (this.#ended !== undefined) return
    // What has been edited goes to where the document goes on.
    if (error.code === 'DOCUMENT_GENERATION') this.#writer.flush().catch(() => undefined)
    this.abandon(error)
  }

  /** Writes what was edited, and waits until that is durable; undefined when there was never anything. */
  flush(options?: WriteOptions): Promise<Receipt | undefined> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return this.#writer.flush(options)
  }

  /** Merges the rows of this peer, where they are many. */
  fold(): void {
    if (this.#ended === undefined) this.#writer.fold()
  }

  /** Hears of no edits from now on. */
  pause(): void {
    this.y.off('afterTransactionCleanup', this.#followed)
  }

  /** Ends it with what it has written by now. */
  abandon(error: GridError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#writer.stop()
    this.#refuseRest(error)
    this.#owner.ended(this.name, error)
  }

  /** Tells of what could not be written in time, and gives it up. */
  giveUp(): void {
    this.#writer.finish()
    this.#refuseRest(new GridError('CLOSED', `'${this.name}' was closed before there was room to store this edit`))
  }

  /** Lets go of the Y.Doc. */
  detach(): void {
    this.y.off('afterTransactionCleanup', this.#followed)
    this.y.off('destroy', this.#destroyed)
    this.#writer.stop()
    this.#detached = true
    letGo(this.y, this)
    this.#ended ??= new GridError('CLOSED', `'${this.name}' is closed: open it again`)
  }

  /** What the Y.Doc has is still stored. Yjs takes all listeners away after this event. */
  readonly #destroyed = (): void => {
    this.#writer.finish()
    const error = new GridError(
      'DOCUMENT_DESTROYED',
      `the Y.Doc of '${this.name}' was destroyed: open it with another one`,
    )
    this.#ended ??= error
    if (this.#ended !== error) return
    this.#owner.ended(this.name, error)
    this.#owner.host.soon(() => {
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
    this.end(new GridError('DOCUMENT_FOREIGN', `${whose}, which nobody else may write: ${advice}`))
  }

  #follow(rows: readonly DocumentRow[]): void {
    const deletes = deletesOf(this.y)
    this.#integrate(rows.map(({ key }) => key))
    this.y.clientID = this.lease.client
    this.#loading = false
    this.#writer.restore()
    // What was typed and deleted before the document was there.
    if (this.#writer.unsaved || deletes.length > 0) this.#writer.note(withoutRanges(deletes, this.#knownDeletes))
    this.y.on('afterTransactionCleanup', this.#followed)
    this.y.on('destroy', this.#destroyed)
  }

  /**
   * What was typed into a Y.Doc before it was opened for the first time is this peer's own: it goes under the client id that the
   * grid lends. Whatever else the Y.Doc has must have come from the grid.
   */
  #checkKnown(rows: readonly DocumentRow[]): void {
    const { y, lease } = this
    const typed = isTypedHere(y, lease.client) && !rows.some(({ parts }) => parts.client === y.clientID)
    for (const client of y.store.clients.keys()) {
      if (client === lease.client || (typed && client === y.clientID)) continue
      const written = rows.filter(({ parts }) => parts.client === client)
      const known = this.#knownClocks.get(client) ?? 0
      const clock = written.reduce((latest, { key }) => Math.max(latest, this.#owner.table.read(key)!.update.to), known)
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
    if (update !== undefined) this.#owner.refused(this.name, error, update)
  }

  #drain(): void {
    // What was taken may be what other rows wait for.
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
    const { table, poisoned } = this.#owner
    this.#waiting.delete(key)
    const parts = readDocumentKey(key)
    if (parts?.generation !== this.generation) return
    if (poisoned.has(key) && poisoned.get(key) === table.hlcOf(key)) return
    const row = table.read(key)
    if (row !== undefined) integration.offer(key, row.parts.client, row.update)
  }

  /**
   * Yjs did not take what the parser let pass: the rows that did it are left out from now on, and the Y.Doc is given up.
   * Returns false for what an observer of the application threw, when all rows had been applied: that harms no document.
   */
  #isPoisonedBy(keys: readonly string[], cause: unknown): boolean {
    const { table, poisoned, logger } = this.#owner
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

/** The ranges that are not among others, as they stand there. */
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

/** Which of the rows in question a new Y.Doc does not take, with their versions. */
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
