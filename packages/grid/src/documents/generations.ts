import { GridError, generationKey } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { GenerationStart } from '@gossipgrid/core'
import type { RowWrite } from '../layout.ts'
import type { Logger } from '../logger.ts'
import type { Runtime } from '../runtime.ts'
import type { DocumentEngine } from './document-engine.ts'
import type { DocumentHost } from './document-host.ts'
import type { DocumentLeases } from './document-lease.ts'
import type { DocumentRow, DocumentTable } from './document-table.ts'
import { begunAnew, copyOf } from './generation-begin.ts'
import type { GenerationLimits } from './generation-limits.ts'
import { carriedRows, lateRows } from './late-edits.ts'
import type { GenerationStep } from './late-edits.ts'

/** Rows that one piece deletes. */
const DELETES_MAX = 1000
/** Generations that edits are carried through, one after the other. */
const STEPS_MAX = 16
/** How many others may look first whether a document is to begin anew. */
const RANK_MAX = 8

export interface GenerationsParts {
  readonly runtime: Runtime
  readonly host: DocumentHost
  readonly logger: Logger
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly limits: GenerationLimits
  /** Edits of this peer cannot be carried over. */
  refused(name: string, error: GridError, update: Uint8Array): void
}

interface Looked {
  readonly hlc: number
  readonly sinceMs: number
  weighed: boolean
}

/**
 * Lets documents begin anew, with the same content, once they drag too much along that nobody sees; and carries this
 * peer's edits over that were made in an older generation without knowing of the new one.
 */
export class Generations {
  readonly #parts: GenerationsParts
  readonly #looked = new WeakMap<DocumentEngine, Looked>()
  /** Documents that others have just begun anew, or that rows are missing of. */
  readonly #pending = new Set<string>()
  /** Since when all members are known to have the generation that counts. */
  readonly #settledMs = new Map<string, { readonly number: number; readonly sinceMs: number }>()
  readonly #refused = new Set<string>()
  readonly #timer: ReturnType<typeof setInterval>

  constructor(parts: GenerationsParts, engines: () => Iterable<DocumentEngine>) {
    this.#parts = parts
    this.#timer = setInterval(() => this.#look(engines()), parts.limits.checkMs)
    if (typeof this.#timer === 'object') this.#timer.unref?.()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Carries over what this peer has edited in older generations of a document; later, where rows are missing. */
  carry(name: string): void {
    this.#pending.delete(name)
    try {
      if (!this.#carryAll(name)) this.#pending.add(name)
    } catch (cause) {
      this.#parts.logger.error(`edits of '${name}' could not be carried over`, { error: cause })
      const own = this.#parts.table.rowsOf(name).filter(({ own: isOwn }) => isOwn)
      const { number } = this.#parts.table.generationOf(name)
      this.#refuse(
        name,
        own.filter(({ parts }) => parts.generation !== number),
        cause,
      )
    }
  }

  /** False while rows are missing. */
  #carryAll(name: string): boolean {
    const { table } = this.#parts
    const { number, deleted } = table.generationOf(name)
    const own = table.rowsOf(name).filter((row) => row.own && row.parts.generation !== number)
    if (deleted || own.length === 0) return true
    const steps = this.#stepsTo(name, number)
    if (!this.#carryRows(steps, (row) => row.own)) return false
    const known = new Set(steps.map(({ start }) => start.from))
    this.#refuse(
      name,
      own.filter(({ parts }) => !known.has(parts.generation)),
      undefined,
    )
    return true
  }

  /** The edits of those who are not there. Should they come back, they find that it is done, or do the rest. */
  #carryAbsent(name: string): void {
    const { host, runtime, table } = this.#parts
    const { number } = table.generationOf(name)
    const present = new Set([host.peer.replicaId])
    for (const { record, state } of runtime.peer.membership.others) if (state !== 'gone') present.add(record.replicaId)
    this.#carryRows(this.#stepsTo(name, number), ({ writer }) => !present.has(writer))
  }

  /** False while rows are missing. */
  #carryRows(steps: readonly GenerationStep[], isWanted: (row: DocumentRow) => boolean): boolean {
    const { host, table } = this.#parts
    for (const step of steps) {
      const late = lateRows(table, step).filter(isWanted)
      if (late.length === 0) continue
      const writes = carriedRows(table, step, late, host.peer.replicaId)
      if (writes === undefined) return false
      host.write(writes, undefined, () => undefined)
    }
    return true
  }

  /** How a generation came about, oldest first, and from which others edits come to it. */
  #stepsTo(name: string, number: number): GenerationStep[] {
    const starts = this.#parts.table.startsOf(name)
    const byNumber = new Map(starts)
    const steps: GenerationStep[] = []
    for (let to = number; steps.length < STEPS_MAX; to = steps[0]!.start.from) {
      const start = byNumber.get(to)
      if (start === undefined) break
      steps.unshift({ name, start, to })
    }
    return steps.flatMap((step) => {
      const lost = starts.filter(([other, { from }]) => other !== step.to && from === step.start.from)
      return [step, ...lost.map(([other, start]) => lostStep(step, other, start))]
    })
  }

  #refuse(name: string, rows: readonly DocumentRow[], cause: unknown): void {
    const { table, refused } = this.#parts
    const untold = rows.filter(({ key }) => !this.#refused.has(key))
    if (untold.length === 0) return
    for (const { key } of untold) this.#refused.add(key)
    const update = Y.mergeUpdates(untold.map(({ key }) => table.read(key)!.bytes))
    const what = `edits of '${name}' were made in an older generation and cannot be carried over`
    refused(name, new GridError('DOCUMENT_GENERATION', `${what}: make them again`, { cause }), update)
  }

  #look(engines: Iterable<DocumentEngine>): void {
    const { host, logger } = this.#parts
    if (host.closed) return
    for (const name of this.#pending) this.carry(name)
    for (const engine of engines) {
      if (engine.endedBy !== undefined) continue
      try {
        // What started which generation may come later than its rows.
        this.carry(engine.name)
        const isQuiet = this.#isQuiet(engine)
        if (isQuiet) this.#carryAbsent(engine.name)
        if (isQuiet && this.#isTooHeavy(engine)) this.#begin(engine)
        else this.#prune(engine.name)
      } catch (error) {
        // It is looked at again.
        logger.debug(`'${engine.name}' was not begun anew`, { error })
      }
    }
  }

  /** Nobody has edited it for a while; of several peers the first looks first. */
  #isQuiet(engine: DocumentEngine): boolean {
    const { limits, runtime, table } = this.#parts
    const rows = table.liveRowsOf(engine.name, engine.generation)
    const hlc = rows.reduce((latest, row) => Math.max(latest, row.hlc), 0)
    const now = performance.now()
    const looked = this.#looked.get(engine)
    if (looked?.hlc !== hlc) this.#looked.set(engine, { hlc, sinceMs: now, weighed: false })
    if (looked?.hlc !== hlc || engine.unsaved || engine.waitingCount > 0) return false
    const { peerId } = runtime.peer
    const before = this.#present().filter((other) => other < peerId).length
    return now - looked.sinceMs >= limits.quietMs * (1 + Math.min(before, RANK_MAX))
  }

  #isTooHeavy(engine: DocumentEngine): boolean {
    const { limits, table } = this.#parts
    const { y, name, generation } = engine
    if (y.store.clients.size > limits.clientsMax) return true
    const looked = this.#looked.get(engine)!
    if (looked.weighed) return false
    const sizeBytes = table.liveRowsOf(name, generation).reduce((sum, row) => sum + row.sizeBytes, 0)
    if (sizeBytes <= limits.weighedMinBytes) return false
    looked.weighed = true
    const copy = copyOf(y, engine.lease.client)
    const shownBytes = Y.encodeStateAsUpdate(copy).length
    copy.destroy()
    return sizeBytes > limits.weightMax * shownBytes
  }

  #begin(engine: DocumentEngine): void {
    const { host, leases, limits, logger, table } = this.#parts
    const { name } = engine
    if (table.generationOf(name).number !== engine.generation || !this.#isEqualTo(this.#present(), limits.lagMax))
      return
    // Another one while not everybody has this one could not be led back to it.
    if (table.startOf(name, engine.generation) !== undefined) return
    const writes = begunAnew(engine, table, leases.lend(table.rowsOf(name)))
    if (writes === undefined) return
    logger.info(`'${name}' begins anew with what it shows`, { document: name })
    host.write(writes, undefined, () => undefined)
  }

  /** Takes out the rows of older generations once everybody has had what came of them for a while. */
  #prune(name: string): void {
    const { host, limits, runtime, table } = this.#parts
    const { partition } = table
    const { number, deleted } = table.generationOf(name)
    const steps = this.#stepsTo(name, number)
    const last = steps.findLast(({ lost }) => lost === undefined)
    const settled = this.#settledMs.get(name)
    this.#settledMs.delete(name)
    if (deleted || last === undefined) return
    const members = runtime.peer.housekeeping.registry.members(runtime.wallMs).map(({ peerId }) => peerId)
    const known = runtime.peer.membership.others.map(({ record }) => record.peerId)
    if (!this.#isEqualTo([...members, ...known], undefined)) return
    if (steps.some((step) => lateRows(table, step).length > 0)) return
    const now = performance.now()
    const since = settled?.number === number ? settled : { number, sinceMs: now }
    this.#settledMs.set(name, since)
    if (now - since.sinceMs < limits.pruneAfterMs) return
    const rows = table.rowsOf(name)
    const isStarter = rows.some(({ own, parts }) => own && parts.client === last.start.client)
    const old = new Set(steps.map(({ start }) => start.from))
    const keys = rows.filter(({ own, parts }) => old.has(parts.generation) && (own || isStarter)).map(({ key }) => key)
    const starts = new Set(table.startsOf(name).map(([start]) => generationKey(name, start, 'h')))
    if (isStarter) keys.push(...starts)
    for (let i = 0; i < keys.length; i += DELETES_MAX) {
      const writes: RowWrite[] = keys.slice(i, i + DELETES_MAX).map((key) => ({ partition, key, bytes: undefined }))
      host.write(writes, undefined, () => undefined)
    }
  }

  #present(): string[] {
    return this.#parts.runtime.peer.membership.others.flatMap(({ record, state }) =>
      state === 'alive' ? [record.peerId] : [],
    )
  }

  /** Whether others are known to hold what this peer does; with `lagMax`, whether none is known to differ by more. */
  #isEqualTo(others: readonly string[], lagMax: number | undefined): boolean {
    const { runtime, table } = this.#parts
    const { peer } = runtime
    const lags = new Map(
      peer.lag.of(table.partition.name.collection, table.partition.name.kind).map((lag) => [lag.peerId, lag]),
    )
    return others.every((other) => {
      const lag = lags.get(other)
      if (other === peer.peerId) return true
      if (lag === undefined) return lagMax !== undefined
      return lag.behind + lag.ahead <= (lagMax ?? 0) && lag.unequal === 0
    })
  }
}

/** The step to the same generation from another one that started from the same, and lost. */
function lostStep({ name, start: against, to }: GenerationStep, from: number, lost: GenerationStart): GenerationStep {
  const { client, end } = lost
  const start: GenerationStart = { from, client, end, covers: [client, 0, end], deletes: [] }
  return { name, to, start, lost: { start: lost, against } }
}
