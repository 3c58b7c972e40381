import { GridError, splitKey } from '@gossipgrid/core'
// Named imports of what may not be installed fail the builds of those who open no document.
import type { Awareness } from 'y-protocols/awareness'
import * as protocol from 'y-protocols/awareness'
import * as Y from 'yjs'
import { Emitter } from '../emitter.ts'
import type { GridTopic } from '../grid-topic.ts'
import type { Logger } from '../logger.ts'
import type { Runtime } from '../runtime.ts'
import { settlesWithin } from '../waiting.ts'
import { DocumentAwareness } from './document-awareness.ts'
import type { AwarenessMessage } from './document-awareness.ts'
import { DocumentEngine, deletesOf } from './document-engine.ts'
import { hostOf } from './document-host.ts'
import type { DocumentHost } from './document-host.ts'
import type { DocumentLease, DocumentLeases } from './document-lease.ts'
import type { DocumentTable } from './document-table.ts'
import type { GenerationLimits } from '../generations/generation-limits.ts'
import type { Generations } from '../generations/generations.ts'
import { GridDocument } from './grid-document.ts'
import type { DocumentEvents, DocumentOptions } from './grid-document.ts'

/** Documents that nobody has open any more and that are kept for the next one, and bytes of their rows. */
const WARM_MAX = 16
const WARM_MAX_BYTES = 8 * 1024 * 1024
/** Rows left out because Yjs could not take them that are remembered. */
const POISONED_MAX = 1000
/** How long closing waits for what was edited last. */
const FLUSH_MAX_MS = 5000

export interface OpenDocumentsParts {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly topic: GridTopic<AwarenessMessage>
  readonly limits: GenerationLimits
}

/** A Y.Doc that is kept the same as its document. */
interface Opened {
  readonly engine: DocumentEngine
  /** Made by the grid, and shared by all who open the document without a Y.Doc of their own. */
  readonly shared: boolean
  readonly users: Map<GridDocument, Emitter<DocumentEvents>>
  awareness: DocumentAwareness | undefined
  /** It was made here. */
  ownAwareness: boolean
}

/** A Y.Doc of the application's own that was open. */
interface Detached {
  readonly name: string
  readonly generation: number
  readonly lease: DocumentLease
  readonly knownDeletes: readonly number[]
}

/** The documents that are open, and those that were a moment ago. */
export class OpenDocuments {
  readonly #parts: OpenDocumentsParts
  readonly #host: DocumentHost
  /** Loaded once it is needed: most documents never begin anew. */
  #generations: Generations | undefined
  readonly #timer: ReturnType<typeof setInterval>
  readonly #byName = new Map<string, Opened[]>()
  readonly #warm = new Set<Opened>()
  readonly #poisoned = new Map<string, number>()
  readonly #detached = new WeakMap<Y.Doc, Detached>()
  /** Documents of which something has come that may say which generation counts. */
  readonly #headed = new Set<string>()
  #closed = false

  constructor(parts: OpenDocumentsParts) {
    this.#parts = parts
    this.#host = hostOf(parts.runtime)
    const { table, topic, limits } = parts
    this.#timer = setInterval(() => this.#look(), limits.checkMs)
    if (typeof this.#timer === 'object') this.#timer.unref?.()
    const { replica } = table.partition
    replica.observer = {
      changed: (slot) => this.#changed(replica.table.key(slot)),
      discarded: () => undefined,
    }
    topic.on('message', ({ from, value }) => this.#heard(from, value), { own: false })
  }

  /** The lease of a Y.Doc that is open, or was. */
  leaseOf(name: string, doc: Y.Doc): DocumentLease | undefined {
    const open = this.#of(name).find(({ engine }) => engine.y === doc)?.engine
    return open?.lease ?? this.#detachedOf(name, doc)?.lease
  }

  open(name: string, { doc, awareness }: DocumentOptions, lease: DocumentLease | undefined): GridDocument {
    this.#carry(name)
    const opened = this.#find(name, doc) ?? this.#engine(name, doc, lease)
    this.#warm.delete(opened)
    if (opened.awareness === undefined) {
      opened.awareness = this.#awareness(opened.engine, awareness)
      opened.ownAwareness = awareness === undefined
    }
    const events = new Emitter<DocumentEvents>(this.#parts.logger)
    const document: GridDocument = new GridDocument({
      name,
      y: opened.engine.y,
      awareness: opened.awareness.awareness,
      events,
      endedBy: () => opened.engine.endedBy,
      flush: (options) => opened.engine.flush(options),
      close: () => this.#leave(opened, document),
    })
    opened.users.set(document, events)
    return document
  }

  /** A peer has come that may not have heard what was said before. */
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
    const users = this.#all().flatMap((opened) => [...opened.users.keys()].map((document) => document.close()))
    await Promise.all(users)
    for (const opened of this.#all()) this.#drop(opened)
    this.#parts.table.partition.replica.observer = undefined
  }

  #find(name: string, doc: Y.Doc | undefined): Opened | undefined {
    return this.#of(name).find(({ engine, shared }) => {
      return engine.endedBy === undefined && (doc === undefined ? shared : engine.y === doc)
    })
  }

  #engine(name: string, doc: Y.Doc | undefined, lease: DocumentLease | undefined): Opened {
    const { logger, table } = this.#parts
    const owner = {
      host: this.#host,
      table,
      logger,
      poisoned: this.#poisoned,
      refused: (_: string, error: GridError, update: Uint8Array | undefined) => this.#refused(opened, error, update),
      ended: (_: string, error: GridError) => this.#tell(opened, 'ended', { error }),
    }
    const make = (y: Y.Doc): DocumentEngine => {
      const generation = table.generationOf(name)
      const { knownDeletes = [] } = this.#detachedOf(name, y) ?? {}
      return new DocumentEngine(owner, { name, generation, lease: lease ?? this.#take(name), y, knownDeletes })
    }
    let engine = make(doc ?? new Y.Doc())
    try {
      engine.load()
    } catch (error) {
      // What Yjs could not take is known by now, and left out.
      if (doc !== undefined || !(error instanceof GridError) || error.code !== 'DOCUMENT_POISONED') throw error
      engine = make(new Y.Doc())
      engine.load()
    }
    const users = new Map<GridDocument, Emitter<DocumentEvents>>()
    const opened: Opened = { engine, shared: doc === undefined, users, awareness: undefined, ownAwareness: false }
    while (this.#poisoned.size > POISONED_MAX) this.#poisoned.delete(this.#poisoned.keys().next().value!)
    this.#byName.set(name, [...this.#of(name), opened])
    return opened
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

  #awareness({ name, y }: DocumentEngine, given: Awareness | undefined): DocumentAwareness {
    const awareness = given ?? new protocol.Awareness(y)
    if (awareness.clientID !== y.clientID) {
      const state = awareness.getLocalState()
      protocol.removeAwarenessStates(awareness, [awareness.clientID], 'local')
      awareness.clientID = y.clientID
      awareness.setLocalState(state)
    }
    const { topic, logger } = this.#parts
    const publish = (message: AwarenessMessage): void => {
      topic.publish(message).catch((error: unknown) => logger.debug(`awareness of '${name}' was not told`, { error }))
    }
    return new DocumentAwareness({ document: name, awareness, publish })
  }

  async #leave(opened: Opened, document: GridDocument): Promise<void> {
    const { engine, users } = opened
    const events = users.get(document)
    if (events === undefined) return
    if (users.size === 1) {
      opened.awareness?.close()
      // Its timer would keep the program running.
      if (opened.ownAwareness) opened.awareness?.awareness.destroy()
      opened.awareness = undefined
    }
    if (engine.endedBy === undefined) {
      const flushed = engine.flush()
      await settlesWithin(flushed, FLUSH_MAX_MS)
    }
    users.delete(document)
    events.emit('close', undefined)
    if (users.size > 0) return
    engine.fold()
    if (!opened.shared || engine.endedBy !== undefined || this.#closed) this.#drop(opened)
    else this.#keepWarm(opened)
  }

  #keepWarm(opened: Opened): void {
    this.#warm.add(opened)
    const { table } = this.#parts
    let bytes = 0
    for (const [i, each] of [...this.#warm].toReversed().entries()) {
      for (const { sizeBytes } of table.liveRowsOf(each.engine.name, each.engine.generation)) bytes += sizeBytes
      // What is not stored yet is nowhere else.
      if ((i >= WARM_MAX || bytes > WARM_MAX_BYTES) && !each.engine.unsaved) this.#drop(each)
    }
  }

  #drop(opened: Opened): void {
    const { engine } = opened
    this.#warm.delete(opened)
    const rest = this.#of(engine.name).filter((each) => each !== opened)
    if (rest.length === 0) this.#byName.delete(engine.name)
    else this.#byName.set(engine.name, rest)
    engine.detach()
    const { name, generation, lease, y } = engine
    if (opened.shared) y.destroy()
    else this.#detached.set(y, { name, generation, lease, knownDeletes: deletesOf(y) })
  }

  #detachedOf(name: string, doc: Y.Doc): Detached | undefined {
    const detached = this.#detached.get(doc)
    const isSame = detached?.name === name && detached.generation === this.#parts.table.generationOf(name).number
    return isSame ? detached : undefined
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
    for (const { engine } of this.#of(name)) {
      if (engine.generation === number) continue
      const ended = deleted
        ? new GridError('DOCUMENT_DELETED', `'${name}' was deleted: open it again to begin a new one of that name`)
        : new GridError('DOCUMENT_GENERATION', `'${name}' was begun anew: open it again to go on`)
      engine.end(ended)
    }
    if (!deleted) this.#carry(name)
  }

  #heard(from: string, message: unknown): void {
    if (typeof message !== 'object' || message === null) return
    const said = message as AwarenessMessage
    if (typeof said.document !== 'string') return
    for (const { awareness } of this.#of(said.document)) awareness?.heard(from, said)
  }

  #refused(opened: Opened, error: GridError, update: Uint8Array | undefined): void {
    const { logger } = this.#parts
    logger.warn(`an edit of '${opened.engine.name}' was refused: ${error.message}`, { code: error.code })
    this.#tell(opened, 'refused', { error, update })
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
    const opened = this.#of(name).filter(({ users }) => users.size > 0)
    this.#host.later(0, () => opened.forEach((each) => this.#refused(each, error, update)))
    return opened.length > 0
  }

  #tell<Type extends 'refused' | 'ended'>(opened: Opened, type: Type, event: DocumentEvents[Type]): void {
    for (const events of opened.users.values()) events.emit(type, event)
  }

  #of(name: string): readonly Opened[] {
    return this.#byName.get(name) ?? []
  }

  #all(): Opened[] {
    return [...this.#byName.values()].flat()
  }
}
