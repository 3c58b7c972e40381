import type { GridError, Known } from '@gossipgrid/core'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import { WRITE_OPTIONS, checkWriteOptions } from '../../batches/checks.ts'
import type { Emitter } from '../../changes/emitter.ts'
import type { Receipt, WriteOptions } from '../../receipts/receipt.ts'

/** Events of a document. */
export interface DocumentEvents {
  /**
   * Edits made here did not go into the document. `error.code` says why. `update` has them as a Yjs update of format V1, unless
   * only parts of edits were refused, so that nothing is lost silently.
   */
  refused: { readonly error: GridError; readonly update: Uint8Array | undefined }
  /**
   * The document accepts no more edits, and shows no new ones: it was deleted (`DOCUMENT_DELETED`), compacted
   * (`DOCUMENT_GENERATION`), edited by another provider (`DOCUMENT_FOREIGN`) or damaged (`DOCUMENT_POISONED`), or its Y.Doc was
   * destroyed (`DOCUMENT_DESTROYED`). At a guest also: a member has refused edits, with the code of `refused`.
   */
  ended: { readonly error: GridError }
  /** The document was closed here. */
  close: undefined
}

export const DOCUMENT_EVENTS: Known<DocumentEvents> = { refused: true, ended: true, close: true }

/** How to open a document. */
export interface DocumentOptions {
  /**
   * A Y.Doc of your own. It may be empty, have content that was typed into it and exists nowhere else, or have been open as
   * this document before. Default: a Y.Doc that all users of the document in this grid share. They cannot destroy it.
   */
  readonly doc?: Doc
  /** An Awareness of your own, which the grid does not destroy. `DOCUMENT_AWARENESS`: the open document has another one. */
  readonly awareness?: Awareness
}

/** What a document needs of its grid. @internal */
export interface GridDocumentDeps {
  readonly name: string
  readonly y: Doc
  readonly awareness: Awareness
  readonly events: Emitter<DocumentEvents>
  endedBy(): GridError | undefined
  subjectOf(client: number): string | undefined
  flush(options?: WriteOptions): Promise<Receipt | undefined>
  close(): Promise<void>
}

/**
 * A Yjs document in the grid: edit `y` with Yjs, or bind an editor to it. Edits are stored and sent to other peers
 * automatically, and edits of other peers appear in `y`. From `grid.doc(name)`.
 */
export class GridDocument {
  /** The name of the document. */
  readonly name: string
  /** The Yjs document: edit it as any other. */
  readonly y: Doc
  /** The users who have the document open, their cursors, and other state that they publish. */
  readonly awareness: Awareness
  readonly #deps: GridDocumentDeps
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(deps: GridDocumentDeps) {
    this.name = deps.name
    this.y = deps.y
    this.awareness = deps.awareness
    this.#deps = deps
  }

  /** Why the document accepts no more edits. Undefined while it does. */
  get endedBy(): GridError | undefined {
    return this.#deps.endedBy()
  }

  /**
   * The guest of which a state of `awareness` is, by its client id: the subject of its pass, for which members vouch. Undefined
   * for a state of a peer.
   */
  subjectOf(client: number): string | undefined {
    return this.#deps.subjectOf(client)
  }

  /**
   * Resolves when all edits so far are durable here, with the receipt of the last one, as `set` of a map does; with undefined if
   * there were no edits since opening. Rejects as `set` does, and with `endedBy`.
   *
   * @example
   * ```ts
   * const grid = await openGrid({ name: 'office' })
   * const note = await grid.doc('notes/today')
   * note.y.getText('body').insert(0, 'kept')
   * console.log((await note.flush())?.durable)
   * await grid.close()
   * ```
   */
  async flush(options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    return this.#deps.flush(options)
  }

  /** Calls `listener` for every event of a type. The returned function ends that. */
  on<Type extends keyof DocumentEvents>(
    type: Type,
    listener: (event: DocumentEvents[Type]) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#deps.events.on(type, listener, options)
  }

  /**
   * Writes the remaining edits and closes the document. You need not await it before you destroy a Y.Doc of your own. If you
   * keep the Y.Doc, it stays as it is, without a connection to the grid. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#deps.close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
