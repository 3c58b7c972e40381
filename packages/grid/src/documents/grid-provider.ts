import type { Awareness } from 'y-protocols/awareness'
import * as protocol from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import type { Grid } from '../grid.ts'
import type { GridDocument } from './grid-document.ts'

export { copyDocument } from './copy-document.ts'

/** How to make a provider. */
export interface GridProviderOptions {
  /** An Awareness of your own. Default: a new one. */
  readonly awareness?: Awareness
  /** False waits for `connect()`. Default true. */
  readonly connect?: boolean
}

/** What a provider tells, by the names that Yjs applications listen to. */
export interface GridProviderEvents {
  status: (event: { readonly status: 'connecting' | 'connected' | 'disconnected' }) => void
  /** Everything stored here is in the Y.Doc, and one other peer was asked, or none is there. */
  sync: (synced: boolean) => void
  /** The same as `sync`. */
  synced: (synced: boolean) => void
  /** The document cannot be opened, or takes no more edits: see `GridDocument`. */
  'connection-error': (error: unknown, provider: GridProvider) => void
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
  readonly doc: Doc
  readonly name: string
  readonly awareness: Awareness
  /** Resolves when what is stored here is in the Y.Doc; rejects when it cannot be opened. */
  whenConnected: Promise<void> = Promise.resolve()
  readonly #grid: Grid
  readonly #ownAwareness: boolean
  readonly #listeners = new Map<string, Set<(...event: never[]) => void>>()
  #document: GridDocument | undefined
  #opening: Promise<GridDocument> | undefined
  #synced = false

  constructor(grid: Grid, name: string, doc: Doc, options: GridProviderOptions = {}) {
    this.#grid = grid
    this.name = name
    this.doc = doc
    // From now on what is typed is this peer's own.
    grid.documents.lease(name, doc)
    this.#ownAwareness = options.awareness === undefined
    this.awareness = options.awareness ?? new protocol.Awareness(doc)
    if (options.connect !== false) this.connect()
  }

  get synced(): boolean {
    return this.#synced
  }

  connect(): void {
    if (this.#opening !== undefined) return
    const opening = this.#grid.doc(this.name, { doc: this.doc, awareness: this.awareness })
    this.#opening = opening
    this.whenConnected = this.#connected(opening)
    this.whenConnected.catch((error: unknown) => {
      if (this.#opening === opening) this.#opening = undefined
      this.#emit('connection-error', error, this)
      this.#emit('status', { status: 'disconnected' })
    })
    this.#emit('status', { status: 'connecting' })
  }

  /** Lets go of the Y.Doc. What is edited then is written when it connects again. */
  disconnect(): Promise<void> {
    const opening = this.#opening
    this.#opening = undefined
    this.#document = undefined
    if (opening === undefined) return Promise.resolve()
    this.#setSynced(false)
    this.#emit('status', { status: 'disconnected' })
    return opening.then(
      (document) => document.close(),
      () => undefined,
    )
  }

  /** Disconnects for good. */
  async destroy(): Promise<void> {
    await this.disconnect()
    if (this.#ownAwareness) this.awareness.destroy()
    this.#listeners.clear()
  }

  /** Resolves when all that was edited so far is durable here. */
  async flush(): Promise<void> {
    await (await this.#opening)?.flush()
  }

  on<Type extends keyof GridProviderEvents>(type: Type, listener: GridProviderEvents[Type]): void {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners.add(listener))
  }

  once<Type extends keyof GridProviderEvents>(type: Type, listener: GridProviderEvents[Type]): void {
    const once = ((...event: never[]) => {
      this.off(type, once)
      ;(listener as (...told: never[]) => void)(...event)
    }) as GridProviderEvents[Type]
    this.on(type, once)
  }

  off<Type extends keyof GridProviderEvents>(type: Type, listener: GridProviderEvents[Type]): void {
    this.#listeners.get(type)?.delete(listener)
  }

  async #connected(opening: Promise<GridDocument>): Promise<void> {
    const document = await opening
    if (this.#opening !== opening) return
    this.#document = document
    document.on('ended', ({ error }) => {
      this.#emit('connection-error', error, this)
      void this.disconnect()
    })
    this.#emit('status', { status: 'connected' })
    this.#grid.ready().then(
      () => this.#setSynced(this.#document === document),
      () => undefined,
    )
  }

  #setSynced(synced: boolean): void {
    if (this.#synced === synced) return
    this.#synced = synced
    this.#emit('synced', synced)
    this.#emit('sync', synced)
  }

  #emit<Type extends keyof GridProviderEvents>(type: Type, ...event: Parameters<GridProviderEvents[Type]>): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(...(event as unknown as never[]))
  }
}
