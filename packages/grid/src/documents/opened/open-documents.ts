import { GridError, splitKey } from '@gossipgrid/core'
import type * as Y from 'yjs'
import type { GridTopic } from '../../signals/grid-topic.ts'
import type { Logger } from '../../logger.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { checkUnattached } from '../engine/document-attachment.ts'
import { checkUnused } from './document-awareness.ts'
import type { AwarenessMessage } from './document-awareness.ts'
import { DocumentEngine, deletesOf } from '../engine/document-engine.ts'
import { hostOf } from '../engine/document-host.ts'
import type { DocumentEngineOwner } from '../engine/document-engine.ts'
import type { DocumentHost } from '../engine/document-host.ts'
import type { DocumentLease, DocumentLeases } from '../engine/document-lease.ts'
import type { DocumentTable } from '../rows/document-table.ts'
import type { GenerationLimits } from '../generations/generation-limits.ts'
import type { Generations } from '../generations/generations.ts'
import type { DocumentOptions, GridDocument } from './grid-document.ts'
import { OpenedDocument } from './opened-document.ts'
import type { DocumentUse, OpenedDocumentDeps } from './opened-document.ts'
import { SharedDoc } from './shared-document.ts'
import type { Successions } from './successions.ts'

/** Documents that nobody has open any more and that are kept for the next one, and bytes of their rows. */
const WARM_MAX = 16
const WARM_MAX_BYTES = 8 * 1024 * 1024
/** Rows left out because Yjs could not take them that are remembered. */
const POISONED_MAX = 1000

export interface OpenDocumentsParts {
  readonly writes: WritePath
  readonly logger: Logger
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly topic: GridTopic<AwarenessMessage>
  readonly limits: GenerationLimits
}

/** A Y.Doc of the application's own that was open. */
interface Detached {
  readonly name: string
  readonly generation: number
  readonly lease: DocumentLease
  readonly knownDeletes: readonly number[]
  readonly knownClocks: ReadonlyMap<number, number>
}

function begunAnew(name: string): GridError {
  return new GridError('DOCUMENT_GENERATION', `'${name}' was begun anew: open it again to go on`)
}

/** The documents that are open, and those that were a moment ago. */
export class OpenDocuments {
  readonly #parts: OpenDocumentsParts
  readonly #host: DocumentHost
  /** Loaded once it is needed: most documents never begin anew. */
  #generations: Generations | undefined
  readonly #timer: ReturnType<typeof setInterval>
  readonly #byName = new Map<string, OpenedDocument[]>()
  readonly #warm = new Set<OpenedDocument>()
  readonly #poisoned = new Map<string, number>()
  readonly #detached = new WeakMap<Y.Doc, Detached>()
  /** Documents of which something has come that may say which generation counts. */
  readonly #headed = new Set<string>()
  readonly #deps: OpenedDocumentDeps
  readonly #page = new AbortController()
  /** Loaded once it is needed as well. */
  #successions: Promise<Successions> | undefined
  #closed = false
  readonly #endObserving: () => void

  constructor(parts: OpenDocumentsParts) {
    this.#parts = parts
    this.#host = hostOf(parts.writes)
    const { table, topic, limits } = parts
    this.#timer = setInterval(() => this.#look(), limits.checkMs)
    if (typeof this.#timer === 'object') this.#timer.unref?.()
    const { replica } = table.partition
    this.#endObserving = replica.observe({ changed: (slot) => this.#changed(replica.table.key(slot)) })
    topic.on('message', ({ from, value }) => this.#heard(from, value), { own: false })
    this.#deps = this.#depsOfOpened()
    this.#followPage()
  }

  open(
    name: string,
    { doc, awareness }: DocumentOptions,
    lease: DocumentLease | undefined,
    use: DocumentUse,
  ): GridDocument {
    this.#carry(name)
    const known = this.#find(name, doc)
    if (known === undefined && doc !== undefined) checkUnattached(doc, name)
    if (known !== undefined) known.checkAwareness(use.isOver ? undefined : awareness)
    else if (!use.isOver && awareness !== undefined) checkUnused(awareness)
    const opened = known ?? this.#engine(name, doc, lease, use.goesOn)
    this.#warm.delete(opened)
    const document = opened.use(awareness, use)
    // It was open in an older generation, and is brought to this one with what was typed since.
    if (opened.goesOn && opened.engine.generation !== this.#parts.table.generationOf(name).number) this.#goOn(opened)
    return document
  }

  /** A peer has come that may not have heard what was published before. */
  came(): void {
    for (const { awareness } of this.#all()) awareness?.introduce()
  }

  gone(peerId: string): void {
    for (const { awareness } of this.#all()) awareness?.gone(peerId)
  }

  /** Writes what is left and lets go of everything. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    this.#page.abort()
    await Promise.all(this.#all().map((opened) => opened.close()))
    for (const opened of this.#all()) this.#drop(opened)
    this.#endObserving()
  }

  #depsOfOpened(): OpenedDocumentDeps {
    const { logger } = this.#parts
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

  /** To other peers, and to the other Y.Docs of the document here. */
  #publish(message: AwarenessMessage, from: OpenedDocument): void {
    const { logger, topic } = this.#parts
    const failed = (error: unknown): void =>
      logger.debug(`awareness of '${message.document}' was not published`, { error })
    topic.publish(message).catch(failed)
    if (this.#of(message.document).length < 2) return
    queueMicrotask(() => {
      const others = this.#of(message.document).filter((each) => each !== from)
      for (const { awareness } of others) awareness?.receive(this.#host.peer.peerId, message)
    })
  }

  /** A page that may end stores what was edited last; one that ends says goodbye, and who is here when it comes back. */
  #followPage(): void {
    if (globalThis.document === undefined) return
    const { signal } = this.#page
    const save = (): void => this.#all().forEach(({ engine }) => void engine.saved())
    const goodbye = (): void => this.#all().forEach(({ awareness }) => awareness?.sayGoodbye())
    for (const type of ['visibilitychange', 'freeze']) globalThis.document.addEventListener(type, save, { signal })
    globalThis.addEventListener('pagehide', save, { signal })
    globalThis.addEventListener('pagehide', goodbye, { signal })
    globalThis.addEventListener('pageshow', () => this.came(), { signal })
  }

  #find(name: string, doc: Y.Doc | undefined): OpenedDocument | undefined {
    return this.#of(name).find(({ engine, shared }) => {
      return engine.endedBy === undefined && (doc === undefined ? shared : engine.y === doc)
    })
  }

  #engine(name: string, doc: Y.Doc | undefined, lease: DocumentLease | undefined, goesOn: boolean): OpenedDocument {
    const owner = this.#ownerOf(() => opened)
    const make = (y: Y.Doc): DocumentEngine => {
      const generation = this.#parts.table.generationOf(name)
      const detached = this.#detachedOf(name, y, goesOn)
      if (detached === undefined)
        return new DocumentEngine(owner, { name, generation, lease: lease ?? this.#take(name), y })
      const isSame = detached.generation === generation.number
      const begun = { number: detached.generation, deleted: false, settled: true }
      return new DocumentEngine(owner, { ...detached, generation: isSame ? generation : begun, y })
    }
    let engine = make(doc ?? new SharedDoc())
    try {
      engine.load()
    } catch (error) {
      // What Yjs could not take is known by now, and left out.
      if (doc !== undefined || !(error instanceof GridError) || error.code !== 'DOCUMENT_POISONED') throw error
      engine = make(new SharedDoc())
      engine.load()
    }
    const opened = new OpenedDocument(engine, doc === undefined, this.#deps)
    while (this.#poisoned.size > POISONED_MAX) this.#poisoned.delete(this.#poisoned.keys().next().value!)
    this.#byName.set(name, [...this.#of(name), opened])
    return opened
  }

  #ownerOf(openedOf: () => OpenedDocument): DocumentEngineOwner {
    const { logger, table } = this.#parts
    return {
      host: this.#host,
      table,
      logger,
      poisoned: this.#poisoned,
      refused: (_, error, update) => this.#refused(openedOf(), error, update),
      ended: (_, error) => openedOf().emit('ended', { error }),
    }
  }

  #take(name: string): DocumentLease {
    const { leases, table } = this.#parts
    const { number } = table.generationOf(name)
    const rows = table.rowsOf(name)
    const held = new Set(this.#of(name).map(({ engine }) => engine.lease.client))
    // What was edited in another generation stays as it is.
    for (const { parts } of rows) if (parts.generation !== number) held.add(parts.client)
    return leases.take(rows, (client) => held.has(client))
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
    const { table } = this.#parts
    let bytes = 0
    for (const [i, each] of [...this.#warm].toReversed().entries()) {
      for (const { sizeBytes } of table.liveRowsOf(each.engine.name, each.engine.generation)) bytes += sizeBytes
      // What is not stored yet is nowhere else.
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

  /** What is known of a Y.Doc that was open in this generation, or in one that it can go on from. */
  #detachedOf(name: string, doc: Y.Doc, goesOn: boolean): Detached | undefined {
    const detached = this.#detached.get(doc)
    if (detached?.name !== name) return undefined
    const { table } = this.#parts
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
    if (!isElsewhere || this.#headed.has(name)) return
    this.#headed.add(name)
    this.#host.afterStep(() => this.#head(name))
  }

  /** A document may have been deleted, or begun anew. */
  #head(name: string): void {
    this.#headed.delete(name)
    const { number, deleted } = this.#parts.table.generationOf(name)
    for (const opened of this.#of(name)) {
      const { engine } = opened
      if (engine.generation === number) continue
      if (opened.goesOn && this.#parts.table.goesBackTo(name, engine.generation)) {
        this.#goOn(opened)
        continue
      }
      const ended = deleted
        ? new GridError('DOCUMENT_DELETED', `'${name}' was deleted: open it again to begin a new one of that name`)
        : begunAnew(name)
      engine.end(ended)
    }
    if (!deleted) this.#carry(name)
  }

  #goOn(opened: OpenedDocument): void {
    this.#successions ??= this.#loadSuccessions()
    this.#successions.then(
      (successions) => successions.begin(opened),
      () => {
        this.#successions = undefined
        opened.engine.end(begunAnew(opened.engine.name))
      },
    )
  }

  async #loadSuccessions(): Promise<Successions> {
    const { Successions: Loaded } = await import('./successions.ts')
    return new Loaded({
      ...this.#parts,
      host: this.#host,
      poisoned: this.#poisoned,
      ownerOf: (opened) => this.#ownerOf(() => opened),
      loadGenerations: () => this.#loadGenerations(),
      failed: ({ engine }) => engine.abandon(begunAnew(engine.name)),
    })
  }

  #heard(from: string, message: unknown): void {
    if (typeof message !== 'object' || message === null) return
    const said = message as AwarenessMessage
    if (typeof said.document !== 'string') return
    for (const { awareness } of this.#of(said.document)) awareness?.receive(from, said)
  }

  #refused(opened: OpenedDocument, error: GridError, update: Uint8Array | undefined): void {
    const { logger } = this.#parts
    logger.warn(`an edit of '${opened.engine.name}' was refused: ${error.message}`, { code: error.code })
    opened.emit('refused', { error, update })
  }

  /** Looks whether documents are to begin anew. */
  #look(): void {
    if (this.#generations !== undefined) this.#generations.look()
    else if (this.#byName.size > 0) this.#loadGenerations().catch(() => undefined)
  }

  /** Carries over what was edited before a document began anew, if it ever did. */
  #carry(name: string): void {
    if (this.#generations !== undefined) this.#generations.carry(name)
    else if (this.#parts.table.startsOf(name).length > 0) {
      this.#loadGenerations().then(
        (generations) => generations.carry(name),
        // It is tried again with the next look.
        () => undefined,
      )
    }
  }

  async #loadGenerations(): Promise<Generations> {
    const { Generations: Loaded } = await import('../generations/generations.ts')
    this.#generations ??= new Loaded({
      ...this.#parts,
      host: this.#host,
      engines: () => this.#all().map(({ engine }) => engine),
      refused: (name, error, update) => this.#refusedLate(name, error, update),
    })
    return this.#generations
  }

  /** Edits that were made before the document was begun anew; told once somebody listens. */
  #refusedLate(name: string, error: GridError, update: Uint8Array): boolean {
    const opened = this.#of(name).filter(({ isUsed }) => isUsed)
    this.#host.later(0, () => opened.forEach((each) => this.#refused(each, error, update)))
    return opened.length > 0
  }

  #of(name: string): readonly OpenedDocument[] {
    return this.#byName.get(name) ?? []
  }

  #all(): OpenedDocument[] {
    return [...this.#byName.values()].flat()
  }
}
