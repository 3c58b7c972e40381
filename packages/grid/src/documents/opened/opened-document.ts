import { GridError } from '@gossipgrid/core'
// Named imports of what may not be installed fail the builds of those who open no document.
import type { Awareness } from 'y-protocols/awareness'
import * as protocol from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { Emitter } from '../../changes/emitter.ts'
import type { Logger } from '../../logger.ts'
import { settlesInPatience } from '../../runtime/waiting.ts'
import { DocumentAwareness, changeAwareness, checkUnused } from './document-awareness.ts'
import type { AwarenessClock, AwarenessMessage } from './document-awareness.ts'
import type { DocumentEngine } from '../engine/document-engine.ts'
import { DOCUMENT_EVENTS, GridDocument } from './grid-document.ts'
import type { DocumentEvents } from './grid-document.ts'
import { SharedAwareness } from './shared-document.ts'

/** How long closing a document waits for the last edits. */
const SAVE_MAX_MS = 5000

/** What an opened document needs of `OpenDocuments`. */
export interface OpenedDocumentDeps {
  readonly logger: Logger
  readonly clock: AwarenessClock
  /** True while the grid closes. Edits that are not stored when the last user has left are then given up. */
  readonly closing: boolean
  publish(message: AwarenessMessage, from: OpenedDocument): void
  /** The last user has left. */
  left(opened: OpenedDocument): void
}

/** How a user opens a document. */
export interface DocumentUse {
  /** It was closed before it was open. Only the edits until then are stored. */
  readonly isOver: boolean
  /** The Y.Doc goes on by itself when the document is compacted. */
  readonly goesOn: boolean
}

/** An open Y.Doc with its engine, and its users. */
export class OpenedDocument {
  /** Replaced when the document goes on in another generation. */
  #engine: DocumentEngine
  /** A user wants its Y.Doc to go on by itself when the document is compacted. */
  #goesOn = false
  /** True if the grid made the Y.Doc, for all users that open the document without one of their own. */
  readonly shared: boolean
  readonly #deps: OpenedDocumentDeps
  readonly #users = new Set<GridDocument>()
  /** Users get events until all their edits are stored. */
  readonly #events = new Map<GridDocument, Emitter<DocumentEvents>>()
  #awareness: DocumentAwareness | undefined
  /** Made here, so it is destroyed here. */
  #ownAwareness: Awareness | undefined

  constructor(engine: DocumentEngine, shared: boolean, deps: OpenedDocumentDeps) {
    this.#engine = engine
    this.shared = shared
    this.#deps = deps
  }

  get engine(): DocumentEngine {
    return this.#engine
  }

  get goesOn(): boolean {
    return this.#goesOn && this.isUsed
  }

  get isUsed(): boolean {
    return this.#events.size > 0
  }

  get awareness(): DocumentAwareness | undefined {
    return this.#awareness
  }

  /** Throws `DOCUMENT_AWARENESS` if a user cannot have this Awareness here. */
  checkAwareness(given: Awareness | undefined): void {
    const current = this.#currentAwareness
    if (given === undefined || given === current?.awareness) return
    if (current === undefined) return checkUnused(given)
    const what = `'${this.engine.name}' is open with another Awareness`
    throw new GridError(
      'DOCUMENT_AWARENESS',
      `${what}: leave the option out to share it, or pass a Y.Doc of your own as well`,
    )
  }

  use(given: Awareness | undefined, { isOver, goesOn }: DocumentUse): GridDocument {
    const { name, y } = this.#engine
    if (goesOn) this.#goesOn = true
    const events = new Emitter<DocumentEvents>(this.#deps.logger, DOCUMENT_EVENTS)
    const awareness = isOver && given !== undefined ? given : this.#follow(given)
    const document: GridDocument = new GridDocument({
      name,
      y,
      awareness,
      events,
      endedBy: () => this.#engine.endedBy,
      subjectOf: (client) => this.#awareness?.subjectOf(client),
      flush: (options) => this.#engine.flush(options),
      close: () => this.#leave(document),
    })
    this.#users.add(document)
    this.#events.set(document, events)
    return document
  }

  /** Goes on with another engine of the same Y.Doc, which has another client id. */
  goOnWith(engine: DocumentEngine): void {
    this.#engine = engine
    const awareness = this.#currentAwareness
    if (awareness === undefined) return
    awareness.sayGoodbye()
    changeClientId(awareness.awareness, engine.y.clientID, engine.name, this.#deps.logger)
    awareness.introduce()
  }

  emit<Type extends 'refused' | 'ended'>(type: Type, event: DocumentEvents[Type]): void {
    for (const events of [...this.#events.values()]) events.emit(type, event)
  }

  /** Closes it for all users. Edits that cannot be stored in time are given up. */
  async close(): Promise<void> {
    if (this.isUsed) await Promise.all([...this.#events.keys()].map((document) => document.close()))
    else await settlesInPatience(this.engine.saved(), SAVE_MAX_MS)
    this.engine.giveUp()
  }

  /** Other peers learn at once that the user has left. If the document is opened again in the same turn, it stays open. */
  async #leave(document: GridDocument): Promise<void> {
    const events = this.#events.get(document)
    if (events === undefined) return
    this.#users.delete(document)
    if (this.#users.size === 0) this.#endAwareness()
    await settlesInPatience(this.engine.saved(), SAVE_MAX_MS)
    if (this.#deps.closing) this.engine.giveUp()
    this.#events.delete(document)
    events.emit('close', undefined)
    if (!this.isUsed) this.#deps.left(this)
  }

  get #currentAwareness(): DocumentAwareness | undefined {
    return this.#awareness?.ended === false ? this.#awareness : undefined
  }

  #follow(given: Awareness | undefined): Awareness {
    const current = this.#currentAwareness
    if (current !== undefined) return current.awareness
    const { name, y } = this.engine
    const awareness = given ?? this.#newAwareness(y)
    if (given === undefined) this.#ownAwareness = awareness
    const { clock, logger } = this.#deps
    if (awareness.clientID !== y.clientID) changeClientId(awareness, y.clientID, name, logger)
    const publish = (message: AwarenessMessage): void => this.#deps.publish(message, this)
    this.#awareness = new DocumentAwareness({ document: name, awareness, clock, logger, publish })
    return awareness
  }

  #newAwareness(y: Y.Doc): Awareness {
    return this.shared ? new SharedAwareness(y) : new protocol.Awareness(y)
  }

  #endAwareness(): void {
    this.#awareness?.close()
    this.#awareness = undefined
    // Its timer would keep the program running.
    const own = this.#ownAwareness
    this.#ownAwareness = undefined
    changeAwareness(this.engine.name, this.#deps.logger, () =>
      own instanceof SharedAwareness ? own.release() : own?.destroy(),
    )
  }
}

function changeClientId(awareness: Awareness, client: number, document: string, logger: Logger): void {
  const state = awareness.getLocalState()
  const before = awareness.clientID
  changeAwareness(document, logger, () => protocol.removeAwarenessStates(awareness, [before], 'local'))
  awareness.clientID = client
  changeAwareness(document, logger, () => awareness.setLocalState(state))
}
