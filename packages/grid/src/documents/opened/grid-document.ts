import type { GridError, Known } from '@gossipgrid/core'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import { WRITE_OPTIONS, checkWriteOptions } from '../../batches/checks.ts'
import type { Emitter } from '../../changes/emitter.ts'
import type { Receipt, WriteOptions } from '../../runtime/receipt.ts'

/** What a document tells. */
export interface DocumentEvents {
  /**
   * What was edited here did not go into the document: `error.code` says why. `update` has it as a Yjs update of format V1
   * where it was whole edits, so that nothing is lost silently.
   */
  refused: { readonly error: GridError; readonly update: Uint8Array | undefined }
  /**
   * The document takes no more edits, and shows none: it was deleted (`DOCUMENT_DELETED`), begun anew elsewhere
   * (`DOCUMENT_GENERATION`), edited by another provider (`DOCUMENT_FOREIGN`) or damaged (`DOCUMENT_POISONED`), or the Y.Doc that
   * was passed for it was destroyed (`DOCUMENT_DESTROYED`).
   */
  ended: { readonly error: GridError }
  /** It was closed here. */
  close: undefined
}

export const DOCUMENT_EVENTS: Known<DocumentEvents> = { refused: true, ended: true, close: true }

/** How to open a document. */
export interface DocumentOptions {
  /**
   * A Y.Doc of your own: empty, with what was typed into it and nothing else has, or one that was open as this document
   * before. Default: one that all users of the document in this grid share, and that none of them can destroy.
   */
  readonly doc?: Doc
  /** An Awareness of your own for that Y.Doc, which stays yours to destroy. `DOCUMENT_AWARENESS`: the open document has another. */
  readonly awareness?: Awareness
}

/** What a document needs of its grid. @internal */
export interface GridDocumentParts {
  readonly name: string
  readonly y: Doc
  readonly awareness: Awareness
  readonly events: Emitter<DocumentEvents>
  endedBy(): GridError | undefined
  flush(options?: WriteOptions): Promise<Receipt | undefined>
  close(): Promise<void>
}

/**
 * A Yjs document that lives in the grid: edit `y` with Yjs, or bind an editor to it. What is edited here is stored and
 * travels by itself; what is edited elsewhere appears in it. From `grid.doc(name)`.
 */
export class GridDocument {
  readonly name: string
  readonly y: Doc
  /** Who else has the document open, where their cursors are, and what else they say of themselves. */
  readonly awareness: Awareness
  readonly #parts: GridDocumentParts
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(parts: GridDocumentParts) {
    this.name = parts.name
    this.y = parts.y
    this.awareness = parts.awareness
    this.#parts = parts
  }

  /** Why the document takes no more edits; undefined while it does. */
  get endedBy(): GridError | undefined {
    return this.#parts.endedBy()
  }

  /**
   * Resolves when all that was edited so far is durable here, with the receipt of the last of it, as `set` of a map does;
   * undefined when nothing was edited since the document was opened. Rejects as `set` does, and with the code of `endedBy`.
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
    return this.#parts.flush(options)
  }

  /** Calls `listener` for every event of a type; the function returned ends that. */
  on<Type extends keyof DocumentEvents>(
    type: Type,
    listener: (event: DocumentEvents[Type]) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#parts.events.on(type, listener, options)
  }

  /**
   * Writes what is left and lets go of the document; need not be awaited before a Y.Doc of your own is destroyed, which else
   * stays as it is, on its own. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#parts.close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
