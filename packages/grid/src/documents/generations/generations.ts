import { GridError, generationStart } from '@gossipgrid/core'
import * as Y from 'yjs'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { Logger } from '../../logger.ts'
import type { DocumentEngine } from '../engine/document-engine.ts'
import type { DocumentPump } from '../engine/document-pump.ts'
import type { DocumentLeases } from '../engine/document-lease.ts'
import type { DocumentRow, DocumentTable, StartedGeneration } from '../rows/document-table.ts'
import { compactionRows, shownBytes } from './generation-begin.ts'
import type { GenerationLimits } from './generation-limits.ts'
import type { OpenStart } from './generation-map.ts'
import { lateEdits } from './late-edits.ts'
import type { LateAuthor } from './late-edits.ts'
import { isOpen, lostContents, siblingsOf } from './siblings.ts'

/** Limit for the number of peers that check a document before this one. */
const RANK_MAX = 8
/** Number of refused edits that are remembered. */
const REFUSED_MAX = 10_000
/**
 * Limit for the generations of one document to which edits are rebased. Honest peers have two at most, since they compact again
 * only after the last generation is settled. A hostile member can make thousands, through each of which edits would be rebased.
 */
const OPEN_GENERATIONS_MAX = 8

/** Why edits of another peer are hidden. */
const UNPLACED = 'not all of them can be rebased to the current generation, and their author must learn that first'
const UNREACHED = 'there is no way from their generation to the current one, and only their author gets them back'

export interface GenerationsDeps {
  readonly pump: DocumentPump
  readonly logger: Logger
  readonly table: DocumentTable
  readonly leases: DocumentLeases
  readonly limits: GenerationLimits
  /** Members compact the documents of a guest. It only rebases its own edits. */
  readonly isGuest: boolean
  /** The engines of open documents. */
  engines(): Iterable<DocumentEngine>
  /** Reports edits of this peer that cannot be rebased. Returns false if the document has no users. */
  refused(name: string, error: GridError, update: Uint8Array): boolean
}

interface Quiet {
  readonly hlc: number
  readonly sinceMs: number
  weighed: boolean
}

/**
 * Compacts documents: starts a new generation with the visible content, when a document has too many client ids or too much
 * deleted content. Rebases edits that were made in an older generation.
 */
export class Generations {
  readonly #deps: GenerationsDeps
  readonly #quiet = new WeakMap<DocumentEngine, Quiet>()
  /** Since when all members are known to have the current generation. */
  readonly #equal = new Map<string, { readonly number: number; readonly sinceMs: number }>()
  readonly #refused = new Set<string>()
  /** The fingerprint of a document's rows when there was nothing to rebase. */
  readonly #clean = new Map<string, string>()

  constructor(deps: GenerationsDeps) {
    this.#deps = deps
  }

  /** Rebases the edits of this peer in older generations. Those whose rows are missing are rebased later. */
  rebase(name: string): void {
    this.#guard(name, () => {
      if (this.#clean.get(name) !== this.#fingerprintOf(name)) this.#rebase(name, true)
    })
  }

  /** Rebases, and returns true if no edits of this peer are left to rebase or to report. */
  hasRebased(name: string): boolean {
    this.rebase(name)
    let left = true
    this.#guard(name, () => (left = this.#rebase(name, true)))
    return !left
  }

  /** Checks all open documents. To be called from time to time. */
  look(): void {
    const looked = new Set<string>()
    for (const engine of this.#deps.engines()) {
      const { name } = engine
      if (looked.has(name) || engine.endedBy !== undefined) continue
      looked.add(name)
      this.rebase(name)
      if (!this.#deps.isGuest) this.#guard(name, () => this.#lookAt(engine))
    }
    for (const known of [this.#equal, this.#clean]) {
      for (const name of known.keys()) if (!looked.has(name)) known.delete(name)
    }
  }

  #guard(name: string, act: () => unknown): void {
    if (this.#deps.pump.closed) return
    try {
      act()
    } catch (error) {
      // The next check retries it.
      this.#deps.logger.debug(`the generations of '${name}' could not be checked`, { error })
    }
  }

  #lookAt(engine: DocumentEngine): void {
    const { name } = engine
    const start = this.#startOf(name)
    if (!this.#isQuiet(engine)) return
    // The authors have had the time to rebase their edits themselves. Waiting rows may refer to these edits.
    const fingerprint = this.#fingerprintOf(name)
    const isClean = this.#clean.get(name) === fingerprint
    if (!isClean && this.#rebase(name, false)) return
    this.#clean.set(name, fingerprint)
    if (engine.waiting.size > 0) return
    if (isOpen(start) && !start.settled) this.#settle(name, start)
    else if (this.#isTooHeavy(engine)) this.#compact(engine)
    else if (!isClean) this.#deleteOld(name)
  }

  /** The start of the current generation. Undefined if the document was never compacted. */
  #startOf(name: string): StartedGeneration | undefined {
    return this.#deps.table.lineOf(name).at(-1)
  }

  /** Returns true if there is anything left to rebase or to report. */
  #rebase(name: string, onlyOwn: boolean): boolean {
    const { pump, table } = this.#deps
    const { replicaId } = pump.peer
    const isWanted = ({ own }: LateAuthor): boolean => own || !onlyOwn
    let left = !this.#refuse(name, onlyOwn)
    // From one generation to the next: edits that were rebased to one are late in the next.
    for (const start of openIn(table.lineOf(name))) {
      const { edits, waiting } = lateEdits(table, name, start, { replicaId, isWanted })
      if (waiting) left = true
      for (const { author, writes, unplaced } of edits) {
        const { own, client, update } = author
        const what = `${name}/${start.number}/${client}`
        // The author must learn first that it loses edits, and only its own peer can report that.
        if (unplaced && !own) {
          this.#warn(name, what, UNPLACED)
          continue
        }
        left = true
        if (unplaced && !this.#report(name, [what], () => update)) continue
        pump.write(writes, undefined, () => undefined)
      }
    }
    return left
  }

  /** Reports own edits in generations from which there is no way to the current one. False while the document has no users. */
  #refuse(name: string, onlyOwn: boolean): boolean {
    const { table } = this.#deps
    const rows = this.#lostRows(name)
    const lost = rows.flatMap(({ key, own }) => (own ? [key] : []))
    const others = onlyOwn ? [] : rows.filter(({ own }) => !own)
    for (const { parts } of others) this.#warn(name, `${name}/${parts.generation}/${parts.client}`, UNREACHED)
    const reported = this.#report(name, lost, (keys) => Y.mergeUpdates(keys.map((key) => table.read(key)!.bytes)))
    return this.#refuseContents(name) && reported
  }

  /** Reports the content that only a settled generation of this peer began with, if another one became current. */
  #refuseContents(name: string): boolean {
    let reported = true
    for (const { start, own, update } of lostContents(this.#deps.table, name)) {
      const what = `${name}/${start.number}/content`
      if (!own) this.#warn(name, what, UNPLACED)
      else if (!this.#report(name, [what], update)) reported = false
    }
    return reported
  }

  #report(name: string, subjects: readonly string[], updateOf: (unreported: readonly string[]) => Uint8Array): boolean {
    const unreported = subjects.filter((what) => !this.#refused.has(what))
    if (unreported.length === 0) return true
    const what = `edits of '${name}' were made in an older generation and cannot be rebased`
    const error = new GridError('DOCUMENT_GENERATION', `${what}: make them again`)
    if (!this.#deps.refused(name, error, updateOf(unreported))) return false
    this.#remember(unreported)
    return true
  }

  /** Warns of hidden edits. If their author has lost its replica id, it never reports them itself. */
  #warn(name: string, what: string, why: string): void {
    if (this.#refused.has(what)) return
    this.#remember([what])
    this.#deps.logger.warn(`edits of another peer in '${name}' are hidden: ${why}`, { document: name })
  }

  #remember(subjects: readonly string[]): void {
    if (this.#refused.size > REFUSED_MAX) this.#refused.clear()
    for (const each of subjects) this.#refused.add(each)
  }

  /** A fingerprint of the rows of a document. */
  #fingerprintOf(name: string): string {
    const { table } = this.#deps
    let hash = 0
    for (const { hlc } of table.rowsOf(name)) hash = Math.imul(hash ^ (hlc % 0x7fffffff), 0x9e3779b1) + 1
    const starts = table.startsOf(name).map(({ number, settled }) => `${number}${settled}`)
    return `${table.generationOf(name).number} ${hash} ${starts.join()}`
  }

  /** Rows that are neither in the current generation nor in one with a way to it, and that were not rebased in time. */
  #lostRows(name: string): DocumentRow[] {
    const { table } = this.#deps
    const { number, deleted } = table.generationOf(name)
    const rows = table.rowsOf(name)
    if (deleted || rows.every(({ parts }) => parts.generation === number)) return []
    const line = table.lineOf(name)
    const reached = reachedFrom(line)
    // Edits of a generation that did not become current were rebased to any of the later current ones.
    const all = line[0] === undefined ? undefined : reached.get(line[0].from)
    const open = new Set<number>()
    for (const start of openIn(line)) {
      open.add(start.from)
      for (const sibling of siblingsOf(table, name, start)) open.add(sibling.number)
    }
    const here = new Map<number, number>()
    // The first content of a generation is a copy, not an edit.
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

  /** True if there were no edits for a while. That time is different for each peer, so that one of them checks first. */
  #isQuiet(engine: DocumentEngine): boolean {
    const { pump, limits, table } = this.#deps
    const hlc = table.rowsOf(engine.name).reduce((latest, row) => Math.max(latest, row.hlc), 0)
    const now = pump.monotonicMs
    const known = this.#quiet.get(engine)
    if (known?.hlc !== hlc) this.#quiet.set(engine, { hlc, sinceMs: now, weighed: false })
    if (known?.hlc !== hlc || engine.unsaved) return false
    const before = this.#present().filter((other) => other < pump.peer.peerId).length
    return now - known.sinceMs >= limits.quietMs * (1 + Math.min(before, RANK_MAX))
  }

  /** True if the document should be compacted. Weighs it once after each edit. */
  #isTooHeavy(engine: DocumentEngine): boolean {
    const { limits, table } = this.#deps
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

  #compact(engine: DocumentEngine): void {
    const { pump, leases, logger, table } = this.#deps
    const { name } = engine
    if (table.generationOf(name).number !== engine.generation) return
    const writes = compactionRows(engine, table, leases.lend(table.rowsOf(name)))
    if (writes === undefined) return
    logger.info(`compacting '${name}'`, { document: name })
    pump.write(writes, undefined, () => undefined)
  }

  /** Settles the current generation when all members have reported for a while that they have it: deletes the older ones. */
  #settle(name: string, start: StartedGeneration & OpenStart): void {
    const { pump, limits, table } = this.#deps
    const known = this.#equal.get(name)
    this.#equal.delete(name)
    const { membership, housekeeping } = pump.peer
    const members = housekeeping.registry.members(pump.wallMs).map(({ peerId }) => peerId)
    const met = membership.others.map(({ record }) => record.peerId)
    const others = [...members, ...met]
    if (!this.#areEqual(others, undefined)) return
    const now = pump.monotonicMs
    const since = known?.number === start.number ? known : { number: start.number, sinceMs: now }
    this.#equal.set(name, since)
    // A member may report rows that it has not stored yet, and lose them in a crash. So each must report them again later.
    const againMs = since.sinceMs + limits.settledAfterMs
    if (now < againMs || !this.#areEqual(others, undefined, againMs)) return
    const siblings = siblingsOf(table, name, start)
    const old = new Set([start.from, ...siblings.map(({ number }) => number)])
    const { partition } = table
    // Starts of older generations stay until the next one is settled, for peers that were never met or whose disk was restored.
    const before = table
      .lineOf(name)
      .filter(isOpen)
      .filter(({ number }) => number !== start.number)
    // Their own peer deletes the content of those that lost something, once it has reported it.
    const lost = new Set(lostContents(table, name).map((content) => content.start.number))
    const older = before.flatMap((each) => siblingsOf(table, name, each)).filter(({ number }) => !lost.has(number))
    // Nothing says any more what those began with, which would pass for edits.
    const copies = new Map(older.map(({ number, client }) => [number, client]))
    const rows = table.rowsOf(name).filter(({ parts: { generation, client } }) => {
      return old.has(generation) || copies.get(generation) === client
    })
    // Each is settled now, also one whose own row of that did not arrive: its content is deleted, so it would look incomplete.
    const starts: RowWrite[] = [start, ...before.map((each) => ({ ...each, copied: undefined }))].map((each) => ({
      partition,
      key: each.key,
      bytes: generationStart({ ...each, settled: true }),
    }))
    pump.write(starts, undefined, () => undefined)
    this.#delete([...older, ...rows].map(({ key }) => key))
  }

  /** Deletes the rows of older generations that this peer has issued, except for edits that were never rebased. */
  #deleteOld(name: string): void {
    const { pump, table } = this.#deps
    const { replicaId } = pump.peer
    const { number } = table.generationOf(name)
    const lost = new Set(this.#lostRows(name).map(({ key }) => key))
    const rows = table.rowsOf(name).filter(({ parts, writer }) => {
      return writer === replicaId && parts.generation !== number
    })
    this.#delete(rows.flatMap(({ key }) => (lost.has(key) ? [] : [key])))
  }

  #delete(keys: readonly string[]): void {
    const { pump, table } = this.#deps
    for (const rows of table.deletes(keys)) pump.write(rows, undefined, () => undefined)
  }

  #present(): string[] {
    const { others } = this.#deps.pump.peer.membership
    return others.flatMap(({ record, state }) => (state === 'alive' ? [record.peerId] : []))
  }

  /**
   * True if the peers are known to have the same writes as this one, and have reported so after `sinceMs`. With `lagMax`: if none
   * is known to differ by more.
   */
  #areEqual(others: readonly string[], lagMax: number | undefined, sinceMs: number = -Infinity): boolean {
    const { pump, table } = this.#deps
    const { collection, kind } = table.partition.name
    const lags = new Map(pump.peer.lag.of(collection, kind).map((lag) => [lag.peerId, lag]))
    return others.every((other) => {
      const lag = lags.get(other)
      if (other === pump.peer.peerId) return true
      if (lag === undefined) return lagMax !== undefined
      return lag.reportedAtMs >= sinceMs && lag.behind + lag.ahead <= (lagMax ?? 0) && lag.unequal === 0
    })
  }
}

/**
 * By generation and client id: the clock up to which later generations have its edits. Edits that were rebased keep their ids,
 * so the next generation covers them under the same ids.
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

/** The last generations of a line to which edits are rebased. */
function openIn(line: readonly StartedGeneration[]): (StartedGeneration & OpenStart)[] {
  return line.filter(isOpen).slice(-OPEN_GENERATIONS_MAX)
}
