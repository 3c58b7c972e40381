import { GridError, splitKey } from '@gossipgrid/core'
import type * as Y from 'yjs'
import type { GridTopic } from '../../signals/grid-topic.ts'
import type { Logger } from '../../logger.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { checkUnattached } from '../engine/document-attachment.ts'
import { checkUnused } from './document-awareness.ts'
import type { AwarenessMessage } from './document-awareness.ts'
import { DocumentEngine, deletesOf } from '../engine/document-engine.ts'
import { pumpOf } from '../engine/document-pump.ts'
import type { DocumentEngineDeps } from '../engine/document-engine.ts'
import type { DocumentPump } from '../engine/document-pump.ts'
import type { DocumentLease, DocumentLeases } from '../engine/document-lease.ts'
import type { DocumentTable } from '../rows/document-table.ts'
import type { GenerationLimits } from '../generations/generation-limits.ts'
import type { Generations } from '../generations/generations.ts'
import type { DocumentOptions, GridDocument } from './grid-document.ts'
import { OpenedDocument } from './opened-document.ts'
import type { DocumentUse, OpenedDocumentDeps } from './opened-document.ts'
import { followPage } from './follow-page.ts'
import { updateOfRows } from '../rows/update-of-rows.ts'
import { SharedDoc } from './shared-document.ts'
import type { Successions } from './successions.ts'

/** Limits for closed documents that are kept for the next user, and for the bytes of their rows. */
const WARM_MAX = 16
const WARM_MAX_BYTES = 8 * 1024 * 1024
/** Number of poisoned rows that are remembered. */
const POISONED_MAX = 1000

export interface OpenDocumentsDeps {
  readonly writes: WritePath
  readonly logger: Logger
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly topic: GridTopic<AwarenessMessage>
  readonly limits: GenerationLimits
}

/** What is remembered of a Y.Doc of the application that was open. */
interface Detached {
  readonly name: string
  readonly generation: number
  readonly lease: DocumentLease
  readonly knownDeletes: readonly number[]
  readonly knownClocks: ReadonlyMap<number, number>
}

function compacted(name: string): GridError {
  return new GridError('DOCUMENT_GENERATION', `'${name}' was compacted: open it again to continue`)
}

/** The open documents, and those that were closed recently. */
export class OpenDocuments {
  readonly #deps: OpenDocumentsDeps
  readonly #pump: DocumentPump
  /** Loaded when it is needed: most documents are never compacted. */
  #generations: Generations | undefined
  readonly #timer: ReturnType<typeof setInterval>
  readonly #byName = new Map<string, OpenedDocument[]>()
  readonly #warm = new Set<OpenedDocument>()
  readonly #poisoned = new Map<string, number>()
  readonly #detached = new WeakMap<Y.Doc, Detached>()
  /** Client ids of this guest under which edits were refused. */
  readonly #spent = new Set<number>()
  /** Documents whose current generation may have changed. */
  readonly #toCheck = new Set<string>()
  readonly #openedDeps: OpenedDocumentDeps
  readonly #page = new AbortController()
  /** Loaded when it is needed. */
  #successions: Promise<Successions> | undefined
  #closed = false
  readonly #endObserving: () => void

  constructor(deps: OpenDocumentsDeps) {
    this.#deps = deps
    this.#pump = pumpOf(deps.writes)
    const { table, topic, limits } = deps
    this.#timer = setInterval(() => this.#look(), limits.checkMs)
    if (typeof this.#timer === 'object') this.#timer.unref?.()
    const { replica } = table.partition
    this.#endObserving = replica.observe({ changedSlot: (slot) => this.#changed(replica.table.key(slot)) })
    topic.on('message', ({ from, subject, value }) => this.#onMessage(from, subject, value), { own: false })
    this.#openedDeps = this.#depsOfOpened()
    followPage(this.#page.signal, {
      save: () => this.#all().forEach(({ engine }) => void engine.saved()),
      left: () => this.#all().forEach(({ awareness }) => awareness?.sayGoodbye()),
      shown: () => this.memberCame(),
    })
  }

  open(
    name: string,
    { doc, awareness }: DocumentOptions,
    lease: DocumentLease | undefined,
    use: DocumentUse,
  ): GridDocument {
    this.#rebase(name)
    const known = this.#find(name, doc)
    if (known === undefined && doc !== undefined) checkUnattached(doc, name)
    if (known !== undefined) known.checkAwareness(use.isOver ? undefined : awareness)
    else if (!use.isOver && awareness !== undefined) checkUnused(awareness)
    const opened = known ?? this.#engine(name, doc, lease, use.goesOn)
    this.#warm.delete(opened)
    const document = opened.use(awareness, use)
    // It was open in an older generation. It moves to the current one, with the edits made since.
    if (opened.goesOn && opened.engine.generation !== this.#deps.table.generationOf(name).number) this.#goOn(opened)
    return document
  }

  /** A peer has come. It may not have received earlier messages. */
  memberCame(): void {
    for (const { awareness } of this.#all()) awareness?.introduce()
  }

  /** A member serves this guest. Documents that its pass does not cover any more end. */
  welcome(): void {
    for (const { engine } of this.#all()) {
      const refused = this.#deps.writes.overlay?.documents.refusal(engine.name)
      if (refused !== undefined) engine.abandon(refused)
    }
    this.memberCame()
  }

  /** A member has refused edits of this guest. The Y.Docs of the document show them, so they end. */
  refuse(name: string, error: GridError, rows: readonly Uint8Array[]): void {
    const update = updateOfRows(rows)
    for (const opened of this.#of(name).filter(({ engine }) => engine.endedBy === undefined)) {
      this.#refused(opened, error, update)
      const { generation: number, lease, y } = opened.engine
      this.#spent.add(lease.client)
      this.#deps.leases.renew(y, { name, number }, this.#deps.table.rowsOf(name))
      opened.engine.abandon(error)
    }
  }

  memberGone(peerId: string): void {
    for (const { awareness } of this.#all()) awareness?.memberGone(peerId)
  }

  /** Writes the remaining edits and closes all documents. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    this.#page.abort()
    await Promise.all(this.#all().map((opened) => opened.close()))
    for (const opened of this.#all()) this.#drop(opened)
    this.#endObserving()
  }

  #depsOfOpened(): OpenedDocumentDeps {
    const { logger } = this.#deps
    const isClosing = (): boolean => this.#closed
    return {
      logger,
      clock: { highest: 0 },
      get closing() {
        return isClosing()
      },
      publish: (...publication) => this.#publish(...publication),
      left: (opened) => this.#left(opened),
    }
  }

  /** Publishes to other peers, and to other Y.Docs of the document at this peer. */
  #publish(message: AwarenessMessage, from: OpenedDocument): void {
    const { logger, topic } = this.#deps
    const failed = (error: unknown): void =>
      logger.debug(`awareness of '${message.document}' was not published`, { error })
    const { client, nonce } = from.engine.lease
    // A member checks that the client id is one of its guest.
    if (this.#deps.writes.overlay === undefined) topic.publish(message).catch(failed)
    else if ((message.client ?? client) === client) topic.publish({ ...message, nonce }).catch(failed)
    if (this.#of(message.document).length < 2) return
    queueMicrotask(() => {
      const others = this.#of(message.document).filter((each) => each !== from)
      for (const { awareness } of others) awareness?.receive(this.#pump.peer.peerId, message)
    })
  }

  #find(name: string, doc: Y.Doc | undefined): OpenedDocument | undefined {
    return this.#of(name).find(({ engine, shared }) => {
      return engine.endedBy === undefined && (doc === undefined ? shared : engine.y === doc)
    })
  }

  #engine(name: string, doc: Y.Doc | undefined, lease: DocumentLease | undefined, goesOn: boolean): OpenedDocument {
    const engineDeps = this.#engineDepsOf(() => opened)
    const make = (y: Y.Doc, lacking?: number): DocumentEngine => {
      const generation = this.#deps.table.generationOf(name)
      const detached = this.#detachedOf(name, y, goesOn)
      if (detached === undefined)
        return new DocumentEngine(engineDeps, { name, generation, lease: lease ?? this.#take(name, lacking), y })
      const isSame = detached.generation === generation.number
      const begun = { number: detached.generation, deleted: false, settled: true }
      return new DocumentEngine(engineDeps, { ...detached, generation: isSame ? generation : begun, y })
    }
    let engine = make(doc ?? new SharedDoc())
    try {
      engine.load()
    } catch (error) {
      // The poisoned rows are known now, and are left out.
      if (doc !== undefined || !(error instanceof GridError) || error.code !== 'DOCUMENT_POISONED') throw error
      engine = make(new SharedDoc())
      engine.load()
    }
    if (doc === undefined && lease === undefined && engine.lacksOwnEdits) {
      engine.detach()
      engine = make(new SharedDoc(), engine.lease.client)
      engine.load()
    }
    const opened = new OpenedDocument(engine, doc === undefined, this.#openedDeps)
    while (this.#poisoned.size > POISONED_MAX) this.#poisoned.delete(this.#poisoned.keys().next().value!)
    this.#byName.set(name, [...this.#of(name), opened])
    return opened
  }

  #engineDepsOf(openedOf: () => OpenedDocument): DocumentEngineDeps {
    const { logger, table } = this.#deps
    return {
      pump: this.#pump,
      table,
      logger,
      poisoned: this.#poisoned,
      refused: (_, error, update) => this.#refused(openedOf(), error, update),
      ended: (_, error) => openedOf().emit('ended', { error }),
    }
  }

  /** `lacking`: a client id whose edits cannot be shown yet. */
  #take(name: string, lacking: number | undefined): DocumentLease {
    const { leases, table } = this.#deps
    const { number } = table.generationOf(name)
    const rows = table.rowsOf(name)
    const taken = new Set(this.#of(name).map(({ engine }) => engine.lease.client))
    // Client ids of other generations are not reused.
    for (const { parts } of rows) if (parts.generation !== number) taken.add(parts.client)
    return leases.take(rows, (client) => client === lacking || taken.has(client) || this.#spent.has(client))
  }

  /** The last user has left. */
  #left(opened: OpenedDocument): void {
    const { engine, shared } = opened
    if (engine.unwritten && !this.#closed) {
      const again = (): void => (opened.isUsed ? undefined : this.#left(opened))
      engine.saved().then(again, again)
      return
    }
    engine.fold()
    if (!shared || engine.endedBy !== undefined || this.#closed) this.#drop(opened)
    else this.#keepWarm(opened)
  }

  #keepWarm(opened: OpenedDocument): void {
    this.#warm.add(opened)
    const { table } = this.#deps
    let bytes = 0
    for (const [i, each] of [...this.#warm].toReversed().entries()) {
      for (const { sizeBytes } of table.liveRowsOf(each.engine.name, each.engine.generation)) bytes += sizeBytes
      // Edits that are not stored yet exist only here.
      if ((i >= WARM_MAX || bytes > WARM_MAX_BYTES) && !each.engine.unsaved) this.#drop(each)
    }
  }

  #drop(opened: OpenedDocument): void {
    const { engine } = opened
    this.#warm.delete(opened)
    const rest = this.#of(engine.name).filter((each) => each !== opened)
    if (rest.length === 0) this.#byName.delete(engine.name)
    else this.#byName.set(engine.name, rest)
    const knownDeletes = engine.endedBy === undefined ? deletesOf(engine.y) : []
    engine.detach()
    const { name, generation, lease, y } = engine
    if (y instanceof SharedDoc) y.release()
    else this.#detached.set(y, { name, generation, lease, knownDeletes, knownClocks: engine.knownClocks })
  }

  /** What is remembered of a Y.Doc that was open in the current generation, or in one that it can move on from. */
  #detachedOf(name: string, doc: Y.Doc, goesOn: boolean): Detached | undefined {
    const detached = this.#detached.get(doc)
    if (detached?.name !== name) return undefined
    const { table } = this.#deps
    const isSame = detached.generation === table.generationOf(name).number
    return isSame || (goesOn && table.goesBackTo(name, detached.generation)) ? detached : undefined
  }

  #changed(key: string): void {
    const { main: name, sub } = splitKey(key)
    let isElsewhere = sub?.endsWith('.s') ?? true
    for (const { engine } of this.#of(name)) {
      if (sub?.startsWith(`${engine.generation.toString(36)}.`) === true) engine.touched(key)
      else isElsewhere = true
    }
    if (!isElsewhere || this.#toCheck.has(name)) return
    this.#toCheck.add(name)
    this.#pump.afterStep(() => this.#checkGeneration(name))
  }

  /** A document may have been deleted or compacted. */
  #checkGeneration(name: string): void {
    this.#toCheck.delete(name)
    const { number, deleted } = this.#deps.table.generationOf(name)
    for (const opened of this.#of(name)) {
      const { engine } = opened
      if (engine.generation === number) continue
      if (opened.goesOn && this.#deps.table.goesBackTo(name, engine.generation)) {
        this.#goOn(opened)
        continue
      }
      const ended = deleted
        ? new GridError('DOCUMENT_DELETED', `'${name}' was deleted: open it again to begin a new one of that name`)
        : compacted(name)
      engine.end(ended)
    }
    if (!deleted) this.#rebase(name)
  }

  #goOn(opened: OpenedDocument): void {
    this.#successions ??= this.#loadSuccessions()
    this.#successions.then(
      (successions) => successions.begin(opened),
      () => {
        this.#successions = undefined
        opened.engine.end(compacted(opened.engine.name))
      },
    )
  }

  async #loadSuccessions(): Promise<Successions> {
    const { Successions: Loaded } = await import('./successions.ts')
    return new Loaded({
      ...this.#deps,
      pump: this.#pump,
      poisoned: this.#poisoned,
      depsOf: (opened) => this.#engineDepsOf(() => opened),
      loadGenerations: () => this.#loadGenerations(),
      failed: ({ engine }) => engine.abandon(compacted(engine.name)),
    })
  }

  #onMessage(from: string, subject: string | undefined, message: unknown): void {
    if (typeof message !== 'object' || message === null) return
    const said = message as AwarenessMessage
    if (typeof said.document !== 'string') return
    for (const { awareness } of this.#of(said.document)) awareness?.receive(from, said, subject)
  }

  #refused(opened: OpenedDocument, error: GridError, update: Uint8Array | undefined): void {
    const { logger } = this.#deps
    logger.warn(`an edit of '${opened.engine.name}' was refused: ${error.message}`, { code: error.code })
    opened.emit('refused', { error, update })
  }

  /** Checks whether documents should be compacted. */
  #look(): void {
    if (this.#generations !== undefined) this.#generations.look()
    else if (this.#byName.size > 0) this.#loadGenerations().catch(() => undefined)
  }

  /** Rebases edits that were made in older generations, if the document was ever compacted. */
  #rebase(name: string): void {
    if (this.#generations !== undefined) this.#generations.rebase(name)
    else if (this.#deps.table.startsOf(name).length > 0) {
      this.#loadGenerations().then(
        (generations) => generations.rebase(name),
        // The next check retries it.
        () => undefined,
      )
    }
  }

  async #loadGenerations(): Promise<Generations> {
    const { Generations: Loaded } = await import('../generations/generations.ts')
    this.#generations ??= new Loaded({
      ...this.#deps,
      pump: this.#pump,
      isGuest: this.#deps.writes.overlay !== undefined,
      engines: () => this.#all().map(({ engine }) => engine),
      refused: (name, error, update) => this.#refusedLate(name, error, update),
    })
    return this.#generations
  }

  /** Reports edits of an older generation as refused, if the document has users. */
  #refusedLate(name: string, error: GridError, update: Uint8Array): boolean {
    const opened = this.#of(name).filter(({ isUsed }) => isUsed)
    this.#pump.later(0, () => opened.forEach((each) => this.#refused(each, error, update)))
    return opened.length > 0
  }

  #of(name: string): readonly OpenedDocument[] {
    return this.#byName.get(name) ?? []
  }

  #all(): OpenedDocument[] {
    return [...this.#byName.values()].flat()
  }
}
