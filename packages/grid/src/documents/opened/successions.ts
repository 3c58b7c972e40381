import type { Logger } from '../../logger.ts'
import type { Generations } from '../generations/generations.ts'
import { goOn } from '../generations/going-on.ts'
import { DocumentEngine } from '../engine/document-engine.ts'
import type { DocumentEngineOwner } from '../engine/document-engine.ts'
import type { DocumentHost } from '../engine/document-host.ts'
import type { DocumentLeases } from '../engine/document-lease.ts'
import type { DocumentTable } from '../rows/document-table.ts'
import type { OpenedDocument } from './opened-document.ts'

/** How long an open Y.Doc waits for the rows that it takes to go on, and how often it looks. */
const WAIT_MAX_MS = 10_000
const RETRY_MS = 100

/** What is used of the documents of a grid. */
export interface SuccessionsDeps {
  readonly host: DocumentHost
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly logger: Logger
  readonly poisoned: ReadonlyMap<string, number>
  ownerOf(opened: OpenedDocument): DocumentEngineOwner
  loadGenerations(): Promise<Generations>
  /** The Y.Doc cannot go on. */
  failed(opened: OpenedDocument): void
}

/** Lets open Y.Docs go on in the generation that follows the one they are in. */
export class Successions {
  readonly #deps: SuccessionsDeps
  readonly #underWay = new Set<OpenedDocument>()

  constructor(deps: SuccessionsDeps) {
    this.#deps = deps
  }

  /** Once the turn is over: never within a transaction of the Y.Doc. One that cannot go on in time is told of its end. */
  begin(opened: OpenedDocument): void {
    if (this.#underWay.has(opened)) return
    this.#underWay.add(opened)
    void this.#follow(opened)
  }

  async #follow(opened: OpenedDocument): Promise<void> {
    const { host, logger } = this.#deps
    try {
      await this.#try(opened, host.monotonicMs + WAIT_MAX_MS)
    } catch (error) {
      logger.error(`'${opened.engine.name}' could not go on: ${String(error)}`, { error })
    }
    this.#underWay.delete(opened)
  }

  async #try(opened: OpenedDocument, untilMs: number): Promise<void> {
    const { host } = this.#deps
    for (;;) {
      const result = await this.#deps.loadGenerations().then(
        (generations) => this.#goOn(opened, generations),
        () => 'later' as const,
      )
      if (result === undefined) return
      if (result === 'never' || host.monotonicMs > untilMs) {
        this.#deps.failed(opened)
        return
      }
      await new Promise<void>((resolve) => host.later(RETRY_MS, resolve))
    }
  }

  /** Undefined once there is nothing to do any more. */
  #goOn(opened: OpenedDocument, generations: Generations): 'later' | 'never' | undefined {
    const { host, table, leases } = this.#deps
    const { engine } = opened
    const { name, y } = engine
    const generation = table.generationOf(name)
    if (host.closed || engine.endedBy !== undefined || engine.generation === generation.number) return undefined
    // It was deleted meanwhile, and is told so.
    if (!table.goesBackTo(name, engine.generation)) return undefined
    const owner = this.#deps.ownerOf(opened)
    const make = (knownDeletes: readonly number[]): DocumentEngine => {
      const lease = leases.renew(y, { name, number: generation.number }, table.rowsOf(name))
      return new DocumentEngine(owner, { name, generation, lease, y, knownDeletes })
    }
    const result = goOn(engine, { ...this.#deps, generations, make })
    if (typeof result === 'string') return result
    opened.goOnWith(result)
    return undefined
  }
}
