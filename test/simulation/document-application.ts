import type { Peer } from '@gossipgrid/core'
import type {
  Application,
  Ledger,
  LedgerWrite,
  Random,
  SimulatedCollection,
  SimulatedPeer,
} from '@gossipgrid/testing/simulation'
import { simulatedCollection } from '@gossipgrid/testing/simulation'
import * as Y from 'yjs'
import { DocumentEngine } from '../../packages/grid/src/documents/engine/document-engine.ts'
import type { DocumentEngineDeps } from '../../packages/grid/src/documents/engine/document-engine.ts'
import type { DocumentPump, SavedRows } from '../../packages/grid/src/documents/engine/document-pump.ts'
import { DocumentLeases } from '../../packages/grid/src/documents/engine/document-lease.ts'
import { GridError, readDocumentKey, splitKey } from '@gossipgrid/core'
import type { DocumentRow } from '../../packages/grid/src/documents/rows/document-table.ts'
import { DOCUMENTS, DocumentTable } from '../../packages/grid/src/documents/rows/document-table.ts'
import type { GenerationLimits } from '../../packages/grid/src/documents/generations/generation-limits.ts'
import { Generations } from '../../packages/grid/src/documents/generations/generations.ts'
import { goOn } from '../../packages/grid/src/documents/generations/going-on.ts'
import { lateEdits } from '../../packages/grid/src/documents/generations/late-edits.ts'
import type { LateEdit } from '../../packages/grid/src/documents/generations/late-edits.ts'
import { isOpen, siblingsOf } from '../../packages/grid/src/documents/generations/siblings.ts'
import { reopen, waitsForOthers } from './reopened-document.ts'
import { StartedGenerations } from './started-generations.ts'

const COLLECTION: SimulatedCollection = simulatedCollection(DOCUMENTS.name, DOCUMENTS.kind)
const NAMES = ['minutes', 'plan'] as const
/** The Y.Docs of this document outlive its compactions, and are destroyed now and then while they are edited. */
const GOES_ON = 'plan'
/** How long a Y.Doc waits for the rows that it needs to go on. */
const GOING_ON_MAX_MS = 10_000
/** One edit in so many is the last one of its Y.Doc. */
const DESTROYS = 20
/** How often a machine checks whether to compact a document. */
const LOOK_MS = 1000
/** When the faults are over no document is compacted any more. */
const CALM: GenerationLimits = {
  clientsMax: Infinity,
  weighedMinBytes: Infinity,
  weightMax: Infinity,
  quietMs: 300,
  checkMs: LOOK_MS,
  lagMax: 0,
  settledAfterMs: Infinity,
}
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A unique character that was typed, and the rows that contain it. */
interface Token {
  readonly name: string
  /** The generation it was typed into. */
  readonly generation: number
  readonly author: Life
  readonly writes: LedgerWrite[]
  /** The rows of each of its deletes. */
  readonly deletes: LedgerWrite[][]
  /** Its author got a report that it could not be rebased to the current generation. */
  reported: boolean
}

interface Open {
  engine: DocumentEngine
  /** Since when its document has another current generation in which it cannot go on yet. */
  waitingSinceMs: number | undefined
  /** Characters that were typed and deleted, and are in no row yet. */
  typed: Token[]
  deleted: Token[]
}

interface LifeOptions {
  readonly limits: GenerationLimits
  readonly goesOn: boolean
  wentOn(): void
  wrote(writes: readonly LedgerWrite[]): void
}

/** The open documents of a machine, from one start to its end. */
class Life {
  readonly pump: SimulatedPump
  readonly table: DocumentTable
  readonly open = new Map<string, Open>()
  readonly machine: SimulatedPeer
  limits: GenerationLimits
  readonly #leases: DocumentLeases
  readonly #poisoned = new Map<string, number>()
  readonly #generations: Generations
  readonly #options: LifeOptions
  #headed = false
  #nextLookMs = 0

  constructor(machine: SimulatedPeer, peer: Peer, options: LifeOptions, onRefused: (update: Uint8Array) => void) {
    this.machine = machine
    this.#options = options
    this.limits = options.limits
    this.pump = new SimulatedPump(machine, peer, (writes) => this.#wrote(writes))
    this.table = new DocumentTable(peer)
    this.#leases = new DocumentLeases(peer, Number.parseInt(peer.slotId.slice(0, 8), 16))
    const limitsNow = (): GenerationLimits => this.limits
    this.#generations = new Generations({
      isGuest: false,
      pump: this.pump,
      logger: silent,
      table: this.table,
      leases: this.#leases,
      get limits() {
        return limitsNow()
      },
      engines: () => Array.from(this.open.values(), ({ engine }) => engine),
      refused: (_name, _error, update) => {
        onRefused(update)
        return true
      },
    })
  }

  /** A Y.Doc waits to go on in another generation. */
  get isWaiting(): boolean {
    return Array.from(this.open.values()).some(({ waitingSinceMs }) => waitingSinceMs !== undefined)
  }

  /** A row has changed. */
  changed(key: string): void {
    const { main: name, sub } = splitKey(key)
    const open = this.open.get(name)?.engine
    open?.touched(key)
    const isElsewhere = sub?.endsWith('.s') ?? true
    if (!isElsewhere && (open === undefined || sub!.startsWith(`${open.generation.toString(36)}.`))) return
    if (this.#headed) return
    this.#headed = true
    this.pump.afterStep(() => {
      this.#headed = false
      this.#head()
    })
  }

  /** Compacts documents, and rebases late edits. */
  look(): void {
    if (this.pump.monotonicMs < this.#nextLookMs) return
    this.#nextLookMs = this.pump.monotonicMs + LOOK_MS
    this.#generations.look()
    this.#head()
  }

  /** The current generation of a document may have changed. */
  #head(): void {
    for (const [name, open] of this.open) {
      if (open.engine.generation === this.table.generationOf(name).number) continue
      if (this.#options.goesOn && name === GOES_ON && this.#goOn(open)) continue
      open.engine.end(new GridError('DOCUMENT_GENERATION', 'compacted'))
      this.open.delete(name)
    }
    for (const name of this.open.keys()) this.#generations.rebase(name)
  }

  /** False when it has waited too long. */
  #goOn(open: Open): boolean {
    const { engine } = open
    const { name, y } = engine
    const engineDeps = this.#depsOf(name)
    const make = (knownDeletes: readonly number[]): DocumentEngine => {
      const lease = this.#leases.lend(this.table.rowsOf(name))
      return new DocumentEngine(engineDeps, { name, generation: this.table.generationOf(name), lease, y, knownDeletes })
    }
    const { table } = this
    const deps = { table, generations: this.#generations, logger: silent, poisoned: this.#poisoned, make }
    const result = goOn(engine, deps)
    if (result === 'later') {
      open.waitingSinceMs ??= this.pump.monotonicMs
      return this.pump.monotonicMs - open.waitingSinceMs < GOING_ON_MAX_MS
    }
    open.waitingSinceMs = undefined
    if (result === 'never') this.machine.check(`document: '${name}' could not go on in its new generation`)
    else {
      open.engine = result
      this.#options.wentOn()
    }
    return result !== 'never'
  }

  /** The Y.Doc of a document is destroyed right after an edit. */
  destroy(name: string): void {
    const open = this.open.get(name)
    if (!this.#options.goesOn || open === undefined) return
    open.engine.y.destroy()
    this.open.delete(name)
    if (open.typed.length > 0) this.machine.check(`document: what was typed into '${name}' went with its Y.Doc`)
  }

  /** The document, opened on first use. */
  document(name: string): Open {
    const known = this.open.get(name)
    if (known !== undefined) return known
    this.#generations.rebase(name)
    const engineDeps = this.#depsOf(name)
    const generation = this.table.generationOf(name)
    const rows = this.table.rowsOf(name)
    const elsewhere = new Set(rows.filter((row) => row.parts.generation !== generation.number).map(clientOf))
    const make = (doc: Y.Doc, lacking?: number): DocumentEngine => {
      const lease = this.#leases.take(rows, (client) => client === lacking || elsewhere.has(client))
      const made = new DocumentEngine(engineDeps, { name, generation, lease, y: doc })
      made.load()
      return made
    }
    let engine = make(new Y.Doc())
    if (engine.lacksOwnEdits) {
      engine.detach()
      engine = make(new Y.Doc(), engine.lease.client)
    }
    const open: Open = { engine, waitingSinceMs: undefined, typed: [], deleted: [] }
    this.open.set(name, open)
    return open
  }

  #depsOf(name: string): DocumentEngineDeps {
    const ends = ['DOCUMENT_GENERATION', 'DOCUMENT_DESTROYED']
    return {
      pump: this.pump,
      table: this.table,
      logger: silent,
      poisoned: this.#poisoned,
      // After a compaction, edits that could not be written were reported, and are in no row.
      refused: (_: string, error: GridError) => {
        if (error.code === 'DOCUMENT_GENERATION') return
        this.machine.check(`document: an edit of '${name}' was refused: ${error.message}`)
      },
      ended: (_: string, error: GridError) => {
        if (ends.includes(error.code)) return
        this.machine.check(`document: '${name}' has ended: ${error.message}`)
      },
    }
  }

  /** Rows were written: they contain all edits of their document so far. */
  #wrote(writes: readonly LedgerWrite[]): void {
    this.#options.wrote(writes)
    for (const { engine, typed, deleted } of this.open.values()) {
      const rows = writes.filter(({ key }) => key.startsWith(engine.name))
      if (rows.length === 0) continue
      for (const token of typed.splice(0)) token.writes.push(...rows)
      for (const token of deleted.splice(0)) token.deletes.push([...rows])
    }
  }
}

/** Lets documents write at a simulated peer. */
class SimulatedPump implements DocumentPump {
  readonly peer: Peer
  closed = false
  readonly #machine: SimulatedPeer
  readonly #wrote: (writes: readonly LedgerWrite[]) => void
  #soon: (() => void)[] = []
  /** Rows that are being written to disk. */
  #saving: { readonly last: LedgerWrite; readonly settled: () => void }[] = []

  constructor(machine: SimulatedPeer, peer: Peer, wrote: (writes: readonly LedgerWrite[]) => void) {
    this.peer = peer
    this.#machine = machine
    this.#wrote = wrote
  }

  get wallMs(): number {
    return this.peer.wallMs(this.#machine.clock.now())
  }

  get monotonicMs(): number {
    return this.#machine.clock.now().monotonicMs
  }

  afterStep(call: () => void): void {
    this.#soon.push(call)
  }

  soon(call: () => void): void {
    this.#soon.push(call)
  }

  later(_ms: number, call: () => void): void {
    this.#soon.push(call)
  }

  waits(): boolean {
    return false
  }

  write(rows: Parameters<DocumentPump['write']>[0], _options: unknown, settled: () => void): SavedRows {
    const writes = this.#machine.write(
      COLLECTION,
      rows.map(({ key, bytes }) => ({ key, value: bytes })),
    )
    this.#wrote(writes)
    const last = writes.at(-1)
    if (last !== undefined) this.#saving.push({ last, settled })
    return { follow: neverSettles }
  }

  /** Runs the postponed calls, and reports the rows that have become durable. */
  run(): void {
    if (this.closed) return
    const isDone = ({ last }: { readonly last: LedgerWrite }): boolean => last.acknowledged || !this.#machine.persistent
    const done = this.#saving.filter(isDone)
    this.#saving = this.#saving.filter((saving) => !isDone(saving))
    for (const { settled } of done) settled()
    for (const call of this.#soon.splice(0)) call()
  }
}

/**
 * Types into the documents of all peers, and deletes. In the end every peer shows every character whose row was
 * acknowledged and that no peer deleted, and no deleted one. An open document shows the same as a newly opened one.
 */
export class DocumentApplication implements Application {
  readonly collections: readonly SimulatedCollection[] = [COLLECTION]
  readonly #lives = new Map<SimulatedPeer, { readonly life: number; readonly documents: Life }>()
  readonly #tokens: Token[] = []
  readonly #started = new StartedGenerations()
  #running = false
  #compactions = 0
  #wentOnCount = 0
  #hidden = 0
  #limits: GenerationLimits | undefined
  readonly #goesOn: boolean

  /** `goesOn`: Y.Docs of one of the documents outlive its compaction, and are destroyed while they are edited. */
  constructor({ goesOn = false }: { readonly goesOn?: boolean } = {}) {
    this.#goesOn = goesOn
  }

  /** Compactions in the history of the current generations; those of generations that lost are left out. */
  get compactions(): number {
    return this.#compactions
  }

  /** How often a Y.Doc went on in a new generation. */
  get wentOn(): number {
    return this.#wentOnCount
  }

  /** Share of the characters whose author got a report that they could not be rebased. */
  get reported(): number {
    return this.#tokens.filter(({ reported }) => reported).length / this.#tokens.length
  }

  /** Characters that stay hidden because no peer is their author any more, summed over the peers. */
  get hidden(): number {
    return this.#hidden
  }

  act(machine: SimulatedPeer, random: Random): void {
    const name = random.pick(NAMES)
    const at = random.fraction()
    const count = random.mostlySmall(1, 12)
    const deletes = random.chance(0.3)
    this.#limits ??= drawLimits(random)
    const life = this.#lifeOf(machine)
    if (life === undefined) return
    const open = life.document(name)
    if (deletes) this.#delete(open, at, count)
    else this.#type(open, life, at, count)
    if (name === GOES_ON && Math.floor(at * 9973) % DESTROYS === 0) life.destroy(name)
    this.#run(life)
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const life = this.#lifeOf(machine)
    if (life === undefined) return
    this.#delete(life.document(random.pick(NAMES)), random.fraction(), 1)
    this.#run(life)
  }

  read(machine: SimulatedPeer, random: Random): void {
    const looks = random.chance(0.05)
    const life = this.#lifeOf(machine)
    if (!looks || life === undefined) return
    this.#run(life)
    for (const [name, { engine }] of life.open) {
      const shown = textOf(engine.y)
      if (new Set(shown).size !== shown.length) machine.check(`document: '${name}' shows a character twice`)
    }
  }

  changed(machine: SimulatedPeer, key: string): void {
    const life = this.#lifeOf(machine)
    life?.changed(key)
  }

  stepped(machine: SimulatedPeer): void {
    const life = this.#lifeOf(machine)
    if (life === undefined) return
    this.#run(life, () => life.look())
  }

  isDone(machine: SimulatedPeer): boolean {
    this.#limits = CALM
    const life = this.#lifeOf(machine)
    if (life === undefined) return true
    life.limits = CALM
    for (const name of NAMES) this.#run(life, () => void life.document(name))
    if (life.isWaiting) return false
    return NAMES.every((name) => lateEditsOf(life.pump.peer, name).every((edit) => this.#isHidden(edit)))
  }

  check(peer: Peer): string | undefined {
    const excused = new Set(this.#tokens.filter(isExcused).map(({ author }) => author))
    const table = new DocumentTable(peer)
    this.#compactions = NAMES.reduce((sum, name) => sum + table.lineOf(name).length, 0)
    for (const name of NAMES) {
      const hidden = lateEditsOf(peer, name).filter((edit) => this.#isHidden(edit))
      const left = this.#leftRows(table, name)
      const hiddenClients = new Set([...hidden.map(({ author }) => author.client), ...left.map(clientOf)])
      const reopened = reopen(peer, name)
      const shown = new Set(textOf(reopened.y))
      if (excused.size === 0 && waitsForOthers(reopened, hiddenClients))
        return `document: '${name}' at ${peer.peerId} waits for what does not come`
      const life = [...this.#lives.values()].find(({ documents }) => documents.pump.peer === peer)?.documents
      if (life !== undefined) this.#run(life)
      const open = life?.open.get(name)
      if (open !== undefined && excused.size === 0 && textOf(open.engine.y).join() !== [...shown].join()) {
        return `document: '${name}' at ${peer.peerId} shows one text where it is open, and another after it is reopened`
      }
      const updates = [...hidden.map(({ author }) => author.update), ...left.map(({ key }) => table.read(key)!.bytes)]
      const hiddenTokens = new Set(updates.flatMap(tokensOf))
      this.#hidden += hiddenTokens.size
      for (const [i, token] of this.#tokens.entries()) {
        if (token.name !== name || token.reported || hiddenTokens.has(i) || excused.has(token.author)) continue
        const violation = checkToken(token, shown.has(i), excused.size > 0, hiddenClients)
        if (violation !== undefined) return `document: '${name}' at ${peer.peerId} ${violation}`
      }
    }
    return undefined
  }

  /** Edits could not be rebased: of a peer that was never met, or one whose disk or memory was damaged, lost or set back. */
  #reported(machine: SimulatedPeer, update: Uint8Array): void {
    const table = new DocumentTable(machine.peer!)
    for (const i of tokensOf(update)) {
      const token = this.#tokens[i]!
      token.reported = true
      const { author, name, generation } = token
      const { peerId, replicaId, persistent } = author.pump.peer
      // A peer in memory is another one after each start: it has lost what it had, like a peer whose disk was lost.
      const id = persistent ? peerId : replicaId
      if (machine.disk.losses > 0 || !this.#started.wasToWaitFor(id, name, generation, table.lineOf(name))) continue
      machine.check(`document: edits of '${name}' were not rebased, of a known peer whose disk is sound`)
    }
  }

  /** Some of it cannot be rebased, and no peer has the replica id of its author any more. Only that one would get the report. */
  #isHidden({ author, unplaced }: LateEdit): boolean {
    return unplaced && this.#isGone(author.replicaId)
  }

  /** Rows in generations from which there is no way to the current one, of authors that are gone: no peer would get a report. */
  #leftRows(table: DocumentTable, name: string): DocumentRow[] {
    const current = table.generationOf(name).number
    const starts = table.lineOf(name).filter(isOpen)
    const open = starts.flatMap((start) => [start.from, ...siblingsOf(table, name, start).map(({ number }) => number)])
    const copies = new Map(table.startsOf(name).map(({ number, client }) => [number, client]))
    return table.rowsOf(name).filter(({ key, writer, parts: { generation, client } }) => {
      const isElsewhere = generation !== current && !open.includes(generation) && copies.get(generation) !== client
      return isElsewhere && this.#isGone(table.read(key)!.author ?? writer)
    })
  }

  #isGone(replicaId: string): boolean {
    return Array.from(this.#lives.values()).every(({ documents }) => documents.pump.peer.replicaId !== replicaId)
  }

  #lifeOf(machine: SimulatedPeer): Life | undefined {
    const { peer, life } = machine
    const known = this.#lives.get(machine)
    if (known !== undefined && peer !== undefined && known.life === life) return known.documents
    if (known !== undefined) known.documents.pump.closed = true
    this.#lives.delete(machine)
    if (peer === undefined) return undefined
    const wentOn = (): number => (this.#wentOnCount += 1)
    const knows = (): string[] => knownTo(peer, machine.clock.now().wallMs)
    const wrote = (writes: readonly LedgerWrite[]): void => {
      for (const { key, value } of writes) this.#started.record(key, value, knows)
    }
    const options = { limits: this.#limits ?? CALM, goesOn: this.#goesOn, wentOn, wrote }
    const documents = new Life(machine, peer, options, (update) => this.#reported(machine, update))
    this.#lives.set(machine, { life, documents })
    return documents
  }

  /** `act` may make the machine step, which calls this again; the inner call does nothing. */
  #run(life: Life, act?: () => void): void {
    if (this.#running) return
    this.#running = true
    act?.()
    life.pump.run()
    this.#running = false
  }

  #type({ engine, typed }: Open, author: Life, at: number, count: number): void {
    const tokens: number[] = []
    for (let i = 0; i < count; i++) {
      const { name, generation } = engine
      const token: Token = { name, generation, author, writes: [], deletes: [], reported: false }
      tokens.push(this.#tokens.push(token) - 1)
      typed.push(token)
    }
    const text = engine.y.getArray<number>('text')
    text.insert(Math.floor(at * (text.length + 1)), tokens)
  }

  #delete({ engine, deleted }: Open, at: number, count: number): void {
    const text = engine.y.getArray<number>('text')
    const first = Math.floor(at * text.length)
    const length = Math.min(count, text.length - first)
    if (length === 0) return
    for (const i of text.slice(first, first + length)) deleted.push(this.#tokens[i]!)
    text.delete(first, length)
  }
}

/** Small enough for compactions within a minute or two, on both sides of a split too. */
function drawLimits(random: Random): GenerationLimits {
  return {
    clientsMax: random.between(1, 5),
    weighedMinBytes: random.between(100, 2000),
    weightMax: random.between(1, 4),
    quietMs: random.between(0, 1000),
    checkMs: LOOK_MS,
    lagMax: random.chance(0.7) ? Infinity : 0,
    settledAfterMs: random.between(0, 5000),
  }
}

/**
 * No peer waits in a simulation. A promise that settles would queue a job, and a simulation is one turn of the event
 * loop: no job runs before all of its seeds are done, and each job of a rejection keeps a whole simulation in memory.
 */
function neverSettles(): Promise<never> {
  return new Promise(() => undefined)
}

/** The peers whose rows a peer waits for, by peer id and replica id: itself, the registered members, and those met since its start. */
function knownTo({ peerId: own, replicaId, housekeeping, membership }: Peer, wallMs: number): string[] {
  const registered = housekeeping.registry.members(wallMs).map(({ peerId }) => peerId)
  const met = membership.others.flatMap(({ record }) => [record.peerId, record.replicaId])
  return [own, replicaId, ...registered, ...met]
}

/** Edits of older generations that no peer has rebased. */
function lateEditsOf(peer: Peer, name: string): LateEdit[] {
  const table = new DocumentTable(peer)
  const { replicaId } = peer
  const starts = table.lineOf(name).filter(isOpen)
  return starts.flatMap((start) => lateEdits(table, name, start, { replicaId, isWanted: () => true }).edits)
}

/** The characters that an update adds. */
function tokensOf(update: Uint8Array): number[] {
  const structs = Y.decodeUpdate(update).structs as Partial<Y.Item>[]
  return structs.flatMap(({ content }) => (content instanceof Y.ContentAny ? (content.arr as number[]) : []))
}

function clientOf({ parts }: DocumentRow): number {
  return parts.client
}

function textOf(y: Y.Doc): number[] {
  return y.getArray<number>('text').toArray()
}

/**
 * A copy of it, or of later edits, may be gone without a fault: with a disk, or with a peer that never reported that
 * it is stored.
 */
function isExcused({ author, writes, deletes }: Token): boolean {
  const rows = [writes, ...deletes].flat()
  const mayBeGone = ({ excused, withdrawn, acknowledged }: LedgerWrite): boolean =>
    excused || withdrawn || (!acknowledged && author.pump.closed)
  return rows.some(mayBeGone)
}

/** `hiddenClients`: client ids whose edits are hidden, their deletes as well. */
function checkToken(
  { writes, deletes }: Token,
  isShown: boolean,
  mayWait: boolean,
  hiddenClients: ReadonlySet<number>,
): string | undefined {
  const kept = (rows: readonly LedgerWrite[]): boolean =>
    rows.length > 0 && rows.every(({ acknowledged }) => acknowledged)
  if (!isShown && kept(writes) && deletes.length === 0 && !mayWait) return 'lacks what was typed and no peer deleted'
  const hidden = (rows: readonly LedgerWrite[]): boolean =>
    rows.every(({ key }) => hiddenClients.has(readDocumentKey(key)?.client ?? -1))
  if (isShown && !mayWait && deletes.some((rows) => kept(rows) && !hidden(rows))) return 'shows what was deleted'
  return undefined
}

/** For `SimulationOptions.more`. */
export function documentApplications(_ledger: Ledger): readonly Application[] {
  return [new DocumentApplication({ goesOn: true })]
}
