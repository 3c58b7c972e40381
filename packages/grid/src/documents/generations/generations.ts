import { GridError, generationStart } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { Logger } from '../../logger.ts'
import type { DocumentEngine } from '../engine/document-engine.ts'
import type { DocumentHost } from '../engine/document-host.ts'
import type { DocumentLeases } from '../engine/document-lease.ts'
import type { DocumentRow, DocumentTable, StartedGeneration } from '../rows/document-table.ts'
import { begunAnew, shownBytes } from './generation-begin.ts'
import type { GenerationLimits } from './generation-limits.ts'
import type { OpenStart } from './generation-map.ts'
import { isOpen, lateEdits, siblingsOf } from './late-edits.ts'
import type { LateAuthor } from './late-edits.ts'

/** How many others may look first whether a document is to begin anew. */
const RANK_MAX = 8
/** Rows of edits that were refused which are remembered. */
const REFUSED_MAX = 10_000
/**
 * Generations of one document to which edits are carried over. Honest peers have two at most, since the next one begins when
 * the last one is settled; a hostile member can make up a line of thousands, through which each edit would be carried.
 */
const OPEN_GENERATIONS_MAX = 8

export interface GenerationsParts {
  readonly host: DocumentHost
  readonly logger: Logger
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly limits: GenerationLimits
  /** Documents that are open. */
  engines(): Iterable<DocumentEngine>
  /** Edits of this peer cannot be carried over. False when nobody is there to be told. */
  refused(name: string, error: GridError, update: Uint8Array): boolean
}

interface Quiet {
  readonly hlc: number
  readonly sinceMs: number
  weighed: boolean
}

/**
 * Lets documents begin anew, with the same content, once they drag too much along that nobody sees; and carries edits
 * over that were made in an older generation without knowing of the new one.
 */
export class Generations {
  readonly #parts: GenerationsParts
  readonly #quiet = new WeakMap<DocumentEngine, Quiet>()
  /** Since when all members are known to have the generation that counts. */
  readonly #equal = new Map<string, { readonly number: number; readonly sinceMs: number }>()
  readonly #refused = new Set<string>()
  /** How the rows of documents looked when nothing of theirs was to be carried over. */
  readonly #clean = new Map<string, string>()

  constructor(parts: GenerationsParts) {
    this.#parts = parts
  }

  /** Carries over what this peer has edited elsewhere than in the generation that counts; later, where rows are missing. */
  carry(name: string): void {
    this.#guard(name, () => {
      if (this.#clean.get(name) !== this.#appearanceOf(name)) this.#carry(name, true)
    })
  }

  /** Carries over, and says whether nothing is left that this peer has edited elsewhere and was not told of. */
  hasCarried(name: string): boolean {
    this.carry(name)
    let left = true
    this.#guard(name, () => (left = this.#carry(name, true)))
    return !left
  }

  /** To be called every now and then. */
  look(): void {
    const looked = new Set<string>()
    for (const engine of this.#parts.engines()) {
      const { name } = engine
      if (looked.has(name) || engine.endedBy !== undefined) continue
      looked.add(name)
      this.carry(name)
      this.#guard(name, () => this.#lookAt(engine))
    }
    for (const known of [this.#equal, this.#clean]) {
      for (const name of known.keys()) if (!looked.has(name)) known.delete(name)
    }
  }

  #guard(name: string, act: () => unknown): void {
    if (this.#parts.host.closed) return
    try {
      act()
    } catch (error) {
      // It is tried again.
      this.#parts.logger.debug(`the generations of '${name}' were not looked after`, { error })
    }
  }

  #lookAt(engine: DocumentEngine): void {
    const { name } = engine
    const start = this.#startOf(name)
    if (!this.#isQuiet(engine)) return
    // Those who made them have had the time to do it themselves. What waits may be tied to them.
    const appearance = this.#appearanceOf(name)
    const isClean = this.#clean.get(name) === appearance
    if (!isClean && this.#carry(name, false)) return
    this.#clean.set(name, appearance)
    if (engine.waitingCount > 0) return
    if (isOpen(start) && !start.settled) this.#settle(name, start)
    else if (this.#isTooHeavy(engine)) this.#begin(engine)
    else if (!isClean) this.#takeOut(name)
  }

  /** How the generation that counts started; undefined where it began empty. */
  #startOf(name: string): StartedGeneration | undefined {
    return this.#parts.table.lineOf(name).at(-1)
  }

  /** True when there is anything left to do, or to tell. */
  #carry(name: string, onlyOwn: boolean): boolean {
    const { host, table } = this.#parts
    const { replicaId } = host.peer
    const isWanted = ({ own }: LateAuthor): boolean => own || !onlyOwn
    let left = !this.#refuse(name)
    // From one to the next: what was carried over to one is late in the next.
    for (const start of openIn(table.lineOf(name))) {
      const { edits, waiting } = lateEdits(table, name, start, { replicaId, isWanted })
      if (waiting) left = true
      for (const { author, writes, unplaced } of edits) {
        const { own, client, update } = author
        const what = `${name}/${start.number}/${client}`
        // The author is told first of what it loses, and only its own peer can do that.
        if (unplaced && !own) {
          this.#warn(name, what)
          continue
        }
        left = true
        if (unplaced && !this.#tell(name, [what], () => update)) continue
        host.write(writes, undefined, () => undefined)
      }
    }
    return left
  }

  /** Tells of own edits in generations that nothing leads from to the one that counts. False while nobody is there to be told. */
  #refuse(name: string): boolean {
    const { table } = this.#parts
    const lost = this.#lostRows(name).flatMap(({ key, own }) => (own ? [key] : []))
    return this.#tell(name, lost, (keys) => Y.mergeUpdates(keys.map((key) => table.read(key)!.bytes)))
  }

  #tell(name: string, whats: readonly string[], updateOf: (untold: readonly string[]) => Uint8Array): boolean {
    const untold = whats.filter((what) => !this.#refused.has(what))
    if (untold.length === 0) return true
    const what = `edits of '${name}' were made in an older generation and cannot be carried over`
    const error = new GridError('DOCUMENT_GENERATION', `${what}: make them again`)
    if (!this.#parts.refused(name, error, updateOf(untold))) return false
    this.#remember(untold)
    return true
  }

  /** An author that has lost its replica id does not come any more: its edits would be missing without a sign. */
  #warn(name: string, what: string): void {
    if (this.#refused.has(what)) return
    this.#remember([what])
    const why = 'not all of them can be carried over to the current generation, and their author is to be told first'
    this.#parts.logger.warn(`edits of another peer in '${name}' are hidden: ${why}`, { document: name })
  }

  #remember(whats: readonly string[]): void {
    if (this.#refused.size > REFUSED_MAX) this.#refused.clear()
    for (const each of whats) this.#refused.add(each)
  }

  /** Differs where rows do. */
  #appearanceOf(name: string): string {
    const { table } = this.#parts
    let hash = 0
    for (const { hlc } of table.rowsOf(name)) hash = Math.imul(hash ^ (hlc % 0x7fffffff), 0x9e3779b1) + 1
    const starts = table.startsOf(name).map(({ number, settled }) => `${number}${settled}`)
    return `${table.generationOf(name).number} ${hash} ${starts.join()}`
  }

  /** Rows that are in no generation that counts or leads to it, and that the next one had not when it was settled. */
  #lostRows(name: string): DocumentRow[] {
    const { table } = this.#parts
    const { number, deleted } = table.generationOf(name)
    const rows = table.rowsOf(name)
    if (deleted || rows.every(({ parts }) => parts.generation === number)) return []
    const line = table.lineOf(name)
    const reached = reachedFrom(line)
    // From a generation that lost, edits were carried over to any of those that count.
    const all = line[0] === undefined ? undefined : reached.get(line[0].from)
    const open = new Set<number>()
    for (const start of openIn(line)) {
      open.add(start.from)
      for (const sibling of siblingsOf(table, name, start)) open.add(sibling.number)
    }
    const here = new Map<number, number>()
    // What a generation began with was nobody's edit.
    const copies = new Map(table.startsOf(name).map((start) => [start.number, start.client]))
    for (const { key, parts } of rows) {
      if (parts.generation !== number) continue
      here.set(parts.client, Math.max(here.get(parts.client) ?? 0, table.read(key)!.update.to))
    }
    return rows.filter(({ key, parts: { generation, client } }) => {
      if (generation === number || open.has(generation) || copies.get(generation) === client) return false
      const covered = (reached.get(generation) ?? all)?.get(client) ?? 0
      return table.read(key)!.update.to > Math.max(covered, here.get(client) ?? 0)
    })
  }

  /** Nobody has edited it for a while; of several peers the first looks first. */
  #isQuiet(engine: DocumentEngine): boolean {
    const { host, limits, table } = this.#parts
    const hlc = table.rowsOf(engine.name).reduce((latest, row) => Math.max(latest, row.hlc), 0)
    const now = host.monotonicMs
    const known = this.#quiet.get(engine)
    if (known?.hlc !== hlc) this.#quiet.set(engine, { hlc, sinceMs: now, weighed: false })
    if (known?.hlc !== hlc || engine.unsaved) return false
    const before = this.#present().filter((other) => other < host.peer.peerId).length
    return now - known.sinceMs >= limits.quietMs * (1 + Math.min(before, RANK_MAX))
  }

  /** Asked once for what it holds. */
  #isTooHeavy(engine: DocumentEngine): boolean {
    const { limits, table } = this.#parts
    const { y, name, generation } = engine
    const quiet = this.#quiet.get(engine)!
    if (quiet.weighed) return false
    const isCrowded = y.store.clients.size > limits.clientsMax
    const sizeBytes = table.liveRowsOf(name, generation).reduce((sum, row) => sum + row.sizeBytes, 0)
    if (!isCrowded && sizeBytes <= limits.weighedMinBytes) return false
    if (!this.#areEqual(this.#present(), limits.lagMax)) return false
    quiet.weighed = true
    return isCrowded || sizeBytes > limits.weightMax * shownBytes(y)
  }

  #begin(engine: DocumentEngine): void {
    const { host, leases, logger, table } = this.#parts
    const { name } = engine
    if (table.generationOf(name).number !== engine.generation) return
    const writes = begunAnew(engine, table, leases.lend(table.rowsOf(name)))
    if (writes === undefined) return
    logger.info(`'${name}' begins anew with what it shows`, { document: name })
    host.write(writes, undefined, () => undefined)
  }

  /** Once everybody has had the generation that counts for a while, nothing leads from the others to it any more. */
  #settle(name: string, start: StartedGeneration & OpenStart): void {
    const { host, limits, table } = this.#parts
    const known = this.#equal.get(name)
    this.#equal.delete(name)
    const { membership, housekeeping } = host.peer
    const members = housekeeping.registry.members(host.wallMs).map(({ peerId }) => peerId)
    const met = membership.others.map(({ record }) => record.peerId)
    if (!this.#areEqual([...members, ...met], undefined)) return
    const now = host.monotonicMs
    const since = known?.number === start.number ? known : { number: start.number, sinceMs: now }
    this.#equal.set(name, since)
    if (now - since.sinceMs < limits.settledAfterMs) return
    const siblings = siblingsOf(table, name, start)
    const old = new Set([start.from, ...siblings.map(({ number }) => number)])
    const { partition } = table
    // Somebody may still come who was never met, or whose disk was set back: until the next generation is settled.
    const before = table
      .lineOf(name)
      .filter(isOpen)
      .filter(({ number }) => number !== start.number)
    const older = before.flatMap((each) => siblingsOf(table, name, each))
    // Nothing says any more what those began with, which would pass for edits.
    const copies = new Map(older.map(({ number, client }) => [number, client]))
    const rows = table.rowsOf(name).filter(({ parts: { generation, client } }) => {
      return old.has(generation) || copies.get(generation) === client
    })
    const starts: RowWrite[] = [
      { partition, key: start.key, bytes: generationStart({ ...start, settled: true }) },
      ...before.map((each) => ({ partition, key: each.key, bytes: generationStart({ ...each, copied: undefined }) })),
    ]
    host.write(starts, undefined, () => undefined)
    this.#delete([...older, ...rows].map(({ key }) => key))
  }

  /** Takes out this peer's rows of generations that do not count any more, except for what was never carried over. */
  #takeOut(name: string): void {
    const { table } = this.#parts
    const { number } = table.generationOf(name)
    const lost = new Set(this.#lostRows(name).map(({ key }) => key))
    const rows = table.rowsOf(name).filter(({ own, parts }) => own && parts.generation !== number)
    this.#delete(rows.flatMap(({ key }) => (lost.has(key) ? [] : [key])))
  }

  #delete(keys: readonly string[]): void {
    const { host, table } = this.#parts
    for (const rows of table.deletes(keys)) host.write(rows, undefined, () => undefined)
  }

  #present(): string[] {
    const { others } = this.#parts.host.peer.membership
    return others.flatMap(({ record, state }) => (state === 'alive' ? [record.peerId] : []))
  }

  /** Whether others are known to hold what this peer does; with `lagMax`, whether none is known to differ by more. */
  #areEqual(others: readonly string[], lagMax: number | undefined): boolean {
    const { host, table } = this.#parts
    const { collection, kind } = table.partition.name
    const lags = new Map(host.peer.lag.of(collection, kind).map((lag) => [lag.peerId, lag]))
    return others.every((other) => {
      const lag = lags.get(other)
      if (other === host.peer.peerId) return true
      if (lag === undefined) return lagMax !== undefined
      return lag.behind + lag.ahead <= (lagMax ?? 0) && lag.unequal === 0
    })
  }
}

/**
 * By generation, and client id: how far its edits have come into what began after it. What was carried over into one is
 * covered by the next under the same ids.
 */
function reachedFrom(line: readonly StartedGeneration[]): Map<number, ReadonlyMap<number, number>> {
  const reached = new Map<number, ReadonlyMap<number, number>>()
  let clocks = new Map<number, number>()
  for (const { from, covers } of line.toReversed()) {
    clocks = new Map(clocks)
    for (let i = 0; i < covers.length; i += 2) {
      clocks.set(covers[i]!, Math.max(clocks.get(covers[i]!) ?? 0, covers[i + 1]!))
    }
    reached.set(from, clocks)
  }
  return reached
}

/** The last generations of a line to which edits are carried over. */
function openIn(line: readonly StartedGeneration[]): (StartedGeneration & OpenStart)[] {
  return line.filter(isOpen).slice(-OPEN_GENERATIONS_MAX)
}
