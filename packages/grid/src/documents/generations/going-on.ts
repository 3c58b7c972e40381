import * as Y from 'yjs'
import { fillFrom } from '../rows/apply-rows.ts'
import { deletesOf } from '../engine/document-engine.ts'
import type { DocumentEngine } from '../engine/document-engine.ts'
import type { DocumentTable } from '../rows/document-table.ts'
import type { Logger } from '../../logger.ts'
import { adoptContent, askForRoots } from './adopt-content.ts'
import type { Generations } from './generations.ts'

export interface GoingOnDeps {
  readonly table: DocumentTable
  readonly generations: Generations
  readonly logger: Logger
  /** HLC timestamps of rows that Yjs could not apply, by key. */
  readonly poisoned: ReadonlyMap<string, number>
  /** Makes an engine for the Y.Doc in the current generation. */
  make(knownDeletes: readonly number[]): DocumentEngine
}

/**
 * Moves a Y.Doc to the current generation of its document. It keeps its shared types, so that the editors bound to them keep
 * working. Its edits are rebased first. Returns the new engine; `later` while rows are missing or the backlog is full; `never`
 * if listeners of the Y.Doc keep it from showing the document's content. Must not be called within a transaction.
 */
export function goOn(engine: DocumentEngine, deps: GoingOnDeps): DocumentEngine | 'later' | 'never' {
  const { table, generations, logger, poisoned } = deps
  const { name, y } = engine
  engine.saved().catch(() => undefined)
  if (engine.unwritten || !generations.hasRebased(name)) return 'later'
  const next = new Y.Doc()
  askForRoots(next, y)
  try {
    fillFrom(table, name, table.generationOf(name).number, next, poisoned)
    const knownDeletes = deletesOf(next)
    engine.pause()
    const failed = (error: unknown): void =>
      logger.error(`a listener of the Y.Doc of '${name}' threw: ${String(error)}`, { document: name, error })
    if (!adoptContent(y, next, engine, failed)) return 'never'
    engine.detach()
    const following = deps.make(knownDeletes)
    following.load()
    return following
  } catch (error) {
    logger.error(`'${name}' could not go on in its new generation: ${String(error)}`, { document: name, error })
    return 'never'
  }
}
