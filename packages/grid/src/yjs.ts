import './node-version.ts'
import { checkKnown } from '@gossipgrid/core'
import type { GridError, Known } from '@gossipgrid/core'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import { misfit } from './batches/checks.ts'
import type { Grid } from './grid.ts'
import { defaultAwareness, leaveAwareness } from './documents/default-awareness.ts'
import type { GridDocument } from './documents/opened/grid-document.ts'
import type { DocumentUse } from './documents/opened/opened-document.ts'
import { ProviderEvents } from './documents/provider-events.ts'

export { copyDocument } from './documents/generations/copy-document.ts'

/** How to make a provider. */
export interface GridProviderOptions {
  /**
   * An Awareness of your own, which stays yours to destroy. Default: one that all providers of the Y.Doc share, and that ends
   * with the last of them.
   */
  readonly awareness?: Awareness
  /** False waits for `connect()`. Default true. */
  readonly connect?: boolean
}

const PROVIDER_OPTIONS: Known<GridProviderOptions> = { awareness: true, connect: true }

/** What a provider tells, by the names that Yjs applications listen to. */
export interface GridProviderEvents {
  /**
   * `connected`: one other peer was asked for what it has, or no address to join by was given. `connecting`: no other peer was
   * reached yet; what is stored here shows all the same.
   */
  status: (event: { readonly status: 'connecting' | 'connected' | 'disconnected' }) => void
  /** Everything stored here is in the Y.Doc, as y-indexeddb means it: offline too. */
  sync: (synced: boolean) => void
  /** The same as `sync`. */
  synced: (synced: boolean) => void
  /** The document cannot be opened, or takes no more edits: see `GridDocument`. */
  'connection-error': (error: unknown, provider: GridProvider) => void
  /** What was edited here did not go into the document: see `GridDocument`. */
  refused: (event: { readonly error: GridError; readonly update: Uint8Array | undefined }) => void
}

/** One time of being connected. */
interface Connection {
  /** Ended before or after the document was open. */
  over: boolean
  document: GridDocument | undefined
}

/**
 * Keeps a Y.Doc the same as a document of a grid, in the shape of the providers of the Yjs world: an application moves by
 * changing the line that makes its provider.
 *
 * @example
 * ```ts
 * import { openGrid } from 'gossipgrid'
 * import { GridProvider } from 'gossipgrid/yjs'
 * import { Doc } from 'yjs'
 *
 * const grid = await openGrid({ name: 'office' })
 * const ydoc = new Doc()
 * const provider = new GridProvider(grid, 'my-document', ydoc)
 * ydoc.getText('body').insert(0, 'typed at once')
 * await provider.whenConnected
 * await provider.destroy()
 * await grid.close()
 * ```
 */
export class GridProvider {
  /** The Y.Doc of the application. */
  readonly doc: Doc
  /** The name of the document. */
  readonly name: string
  /** Who is here, as y-protocols has it. */
  readonly awareness: Awareness
  /** Resolves when what is stored here is in the Y.Doc, or `disconnect` was called first; rejects when it cannot be opened. */
  whenConnected: Promise<void> = Promise.resolve()
  readonly #grid: Grid
  readonly #ownAwareness: boolean
  readonly #events: ProviderEvents<GridProviderEvents>
  #connection: Connection | undefined
  /** What was typed until the last `disconnect` is stored. */
  #left: Promise<void> = Promise.resolve()
  #status: 'connecting' | 'connected' | 'disconnected' = 'disconnected'
  #synced = false
  #destroyed = false
  #unfollow: (() => void) | undefined

  constructor(grid: Grid, name: string, doc: Doc, options: GridProviderOptions = {}) {
    checkKnown(options, PROVIDER_OPTIONS)
    if (grid?.documents === undefined) throw misfit('grid', 'what openGrid resolves to', grid)
    if (doc === undefined) throw misfit('doc', 'a Y.Doc', doc)
    grid.documents.checkParts(doc, options)
    this.#grid = grid
    this.name = name
    this.doc = doc
    this.#events = new ProviderEvents(grid.documents.logger)
    // What is typed into an empty Y.Doc from now on is this peer's own.
    grid.documents.lease(name, doc)
    this.#ownAwareness = options.awareness === undefined
    this.awareness = options.awareness ?? defaultAwareness(doc)
    if (options.connect !== false) this.connect()
  }

  /** Whether all that is stored here is in the Y.Doc. */
  get synced(): boolean {
    return this.#synced
  }

  /** What the last `status` event said. */
  get status(): 'connecting' | 'connected' | 'disconnected' {
    return this.#status
  }

  /** Opens the document in the grid. Called by the constructor unless `connect` is false. */
  connect(): void {
    if (this.#connection !== undefined || this.#destroyed) return
    const connection: Connection = { over: false, document: undefined }
    this.#connection = connection
    this.#unfollow = this.#grid.on('connection', ({ online }) => this.#gridConnection(connection, online))
    const { doc, awareness } = this
    const useOf = (): DocumentUse => ({ isOver: connection.over, goesOn: true })
    const opening = this.#grid.documents.open(this.name, { doc, awareness }, useOf)
    this.whenConnected = this.#open(connection, opening)
    this.whenConnected.catch((error: unknown) => this.#failed(connection, error))
    this.#setStatus('connecting')
  }

  /**
   * Lets go of the Y.Doc. What was edited until then is stored, and once the promise resolves it is durable; what is edited
   * later is stored when it connects again.
   */
  disconnect(): Promise<void> {
    const connection = this.#connection
    if (connection === undefined) return this.#left
    this.#connection = undefined
    this.#unfollow?.()
    connection.over = true
    // At once where it is open; else as soon as it is.
    const closing = connection.document?.close() ?? this.whenConnected
    this.#left = closing.catch(() => undefined)
    this.#setSynced(false)
    this.#setStatus('disconnected')
    return this.#left
  }

  /** Disconnects for good. Need not be awaited before the Y.Doc is destroyed. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return this.#left
    this.#destroyed = true
    const left = this.disconnect()
    if (this.#ownAwareness) this.#events.guard('awareness', () => leaveAwareness(this.doc, this.awareness))
    await left
    this.#events.clear()
  }

  /** Resolves when all that was edited so far is durable here. */
  async flush(): Promise<void> {
    if (this.#connection === undefined) return this.#left
    await this.whenConnected
    await this.#connection?.document?.flush()
  }

  /** Calls a listener for each event of a type. */
  on<Type extends keyof GridProviderEvents>(type: Type, listener: GridProviderEvents[Type]): void {
    this.#events.on(type, listener)
  }

  /** Calls a listener for the next event of a type. */
  once<Type extends keyof GridProviderEvents>(type: Type, listener: GridProviderEvents[Type]): void {
    this.#events.once(type, listener)
  }

  /** Ends the calls of a listener. */
  off<Type extends keyof GridProviderEvents>(type: Type, listener: GridProviderEvents[Type]): void {
    this.#events.off(type, listener)
  }

  async #open(connection: Connection, opening: Promise<GridDocument>): Promise<void> {
    const document = await opening
    if (connection.over) return document.close()
    connection.document = document
    document.on('refused', (event) => this.#events.emit('refused', event))
    document.on('ended', ({ error }) => this.#ended(connection, error))
    document.on('close', () => {
      if (this.#connection === connection) void this.disconnect()
    })
    this.#gridConnection(connection, this.#grid.online)
    // A listener may have called `disconnect`.
    if (this.#connection === connection) this.#setSynced(true)
  }

  /** The grid is connected, or cut off. The document stays open in any case. */
  #gridConnection(connection: Connection, online: boolean): void {
    if (connection.document === undefined) return
    if (!online) this.#setStatus('disconnected')
    else if (this.#grid.knowsNoOther) this.#setStatus('connected')
    else this.#connectedOnceReady(connection)
  }

  #connectedOnceReady(connection: Connection): void {
    this.#setStatus('connecting')
    this.#grid.ready().then(
      () => {
        if (this.#connection === connection && this.#grid.online) this.#setStatus('connected')
      },
      // The grid was closed, which closes the document as well.
      () => undefined,
    )
  }

  #ended(connection: Connection, error: GridError): void {
    if (this.#connection !== connection) return
    // Of the end of its own Y.Doc the application knows.
    if (error.code !== 'DOCUMENT_DESTROYED') this.#events.emit('connection-error', error, this)
    void this.disconnect()
  }

  #failed(connection: Connection, error: unknown): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#unfollow?.()
    this.#events.emit('connection-error', error, this)
    this.#setStatus('disconnected')
  }

  #setStatus(status: 'connecting' | 'connected' | 'disconnected'): void {
    if (this.#status === status) return
    this.#status = status
    this.#events.emit('status', { status })
  }

  #setSynced(synced: boolean): void {
    if (this.#synced === synced) return
    this.#synced = synced
    this.#events.emitEach(['synced', 'sync'], synced)
  }
}
