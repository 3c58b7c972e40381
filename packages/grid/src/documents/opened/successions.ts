import type { Logger } from '../../logger.ts'
import type { Generations } from '../generations/generations.ts'
import { goOn } from '../generations/going-on.ts'
import { DocumentEngine } from '../engine/document-engine.ts'
import type { DocumentEngineDeps } from '../engine/document-engine.ts'
import type { DocumentPump } from '../engine/document-pump.ts'
import type { DocumentLeases } from '../engine/document-lease.ts'
import type { DocumentTable } from '../rows/document-table.ts'
import type { OpenedDocument } from './opened-document.ts'

/** How long an open Y.Doc waits for the rows that it needs to go on, and how often it checks. */
const WAIT_MAX_MS = 10_000
const RETRY_MS = 100

/** What successions need of the documents of a grid. */
export interface SuccessionsDeps {
  readonly pump: DocumentPump
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly logger: Logger
  readonly poisoned: ReadonlyMap<string, number>
  depsOf(opened: OpenedDocument): DocumentEngineDeps
  loadGenerations(): Promise<Generations>
  /** The Y.Doc cannot go on. */
  failed(opened: OpenedDocument): void
}

/** Lets open Y.Docs go on in the current generation after a compaction. */
export class Successions {
  readonly #deps: SuccessionsDeps
  readonly #underWay = new Set<OpenedDocument>()

  constructor(deps: SuccessionsDeps) {
    this.#deps = deps
  }

  /** Begins in the next turn, never within a transaction of the Y.Doc. If the Y.Doc cannot go on in time, it ends. */
  begin(opened: OpenedDocument): void {
    if (this.#underWay.has(opened)) return
    this.#underWay.add(opened)
    void this.#follow(opened)
  }

  async #follow(opened: OpenedDocument): Promise<void> {
    const { pump, logger } = this.#deps
    try {
      await this.#try(opened, pump.monotonicMs + WAIT_MAX_MS)
    } catch (error) {
      logger.error(`'${opened.engine.name}' could not go on: ${String(error)}`, { error })
    }
    this.#underWay.delete(opened)
  }

  async #try(opened: OpenedDocument, untilMs: number): Promise<void> {
    const { pump } = this.#deps
    for (;;) {
      const result = await this.#deps.loadGenerations().then(
        (generations) => this.#goOn(opened, generations),
        () => 'later' as const,
      )
      if (result === undefined) return
      if (result === 'never' || pump.monotonicMs > untilMs) {
        this.#deps.failed(opened)
        return
      }
      await new Promise<void>((resolve) => pump.later(RETRY_MS, resolve))
    }
  }

  /** Undefined if there is nothing left to do. */
  #goOn(opened: OpenedDocument, generations: Generations): 'later' | 'never' | undefined {
    const { pump, table, leases } = this.#deps
    const { engine } = opened
    const { name, y } = engine
    const generation = table.generationOf(name)
    if (pump.closed || engine.endedBy !== undefined || engine.generation === generation.number) return undefined
    // It was deleted meanwhile, which its users learn by an event.
    if (!table.goesBackTo(name, engine.generation)) return undefined
    const engineDeps = this.#deps.depsOf(opened)
    const make = (knownDeletes: readonly number[]): DocumentEngine => {
      const lease = leases.renew(y, { name, number: generation.number }, table.rowsOf(name))
      return new DocumentEngine(engineDeps, { name, generation, lease, y, knownDeletes })
    }
    const result = goOn(engine, { ...this.#deps, generations, make })
    if (typeof result === 'string') return result
    opened.goOnWith(result)
    return undefined
  }
}
