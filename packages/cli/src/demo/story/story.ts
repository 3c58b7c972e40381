import type { Cluster } from '../cluster/cluster.ts'
import { readCities } from './cities.ts'
import { closingTable } from './closing-table.ts'
import { DemoLedger } from './ledger.ts'
import type { Mismatch } from './ledger.ts'
import type { Outcome } from './outcome.ts'
import { loadCities } from './load-cities.ts'
import { bar, peerLines } from '../screen/peer-lines.ts'
import { bytesText, countOf, countText, durationText } from '../../terminal/quantities.ts'
import type { LiveLines, Screen } from '../screen/screen.ts'
import { searchable } from './search-name.ts'
import { SplitWrites } from './split-writes.ts'
import { Stage } from './stage.ts'
import { planWorkload, workloadSize } from './workload.ts'

/** The time limit of each step, far above its usual time: a demo that hangs must say so. */
const START_MAX_MS = 30_000
const LOAD_MAX_MS = 120_000
const SPREAD_MAX_MS = 120_000
const SPLIT_MAX_MS = 60_000
const HEAL_MAX_MS = 60_000
const CHECK_MAX_MS = 60_000

const LOAD_BATCH_WRITES = 2500
/** Four batches of peer 1 under way at once. */
const LOADERS = [1, 1, 1, 1]
const SIDES: readonly (readonly number[])[] = [
  [1, 2],
  [3, 4, 5],
]
/** Killed during the split. */
const VICTIM = 4
/** Loses an entry with `--sabotage`. */
const SABOTEUR = 5

export interface StoryOptions {
  readonly cluster: Cluster
  readonly screen: Screen
  readonly citiesMax: number
  readonly sabotage: boolean
  /** Rejects when the user wants it to end. */
  readonly interrupted: Promise<never>
}

/** The demo from start to closing table, step by step. */
export class Story {
  readonly #options: StoryOptions
  readonly #cluster: Cluster
  readonly #screen: Screen
  readonly #stage: Stage
  readonly #ledger = new DemoLedger()
  #splitWrites: SplitWrites | undefined
  #loadMs = 0
  #spreadMs = 0
  #spreadBytes = 0
  #healMs = 0
  #healBytes = 0

  constructor(options: StoryOptions) {
    this.#options = options
    this.#cluster = options.cluster
    this.#screen = options.screen
    this.#stage = new Stage(options)
  }

  /** Runs all steps. Rejects when a step fails or takes too long, and when a peer dies by itself. */
  async tell(): Promise<Outcome> {
    await this.#start()
    const cities = new Map(Array.from(readCities(this.#options.citiesMax), ([key, city]) => [key, searchable(city)]))
    await this.#load(cities)
    await this.#spread()
    await this.#split(cities)
    await this.#heal()
    const outcome = await this.#check()
    this.#close(outcome)
    return outcome
  }

  async #start(): Promise<void> {
    const { host, name } = this.#cluster
    const count = this.#cluster.peers.length
    this.#screen.step(
      `Start ${count} peers`,
      `Five processes, each with a disk folder and a port of its own on ${host}. Four get the address of the first one and nothing else; the rest they learn from each other. The grid is called ${name}.`,
    )
    const startMs = performance.now()
    const meshed = (): boolean => this.#cluster.running.every(({ state }) => state.neighbours === count - 1)
    const work = this.#cluster.open().then(() => this.#cluster.until(meshed))
    await this.#stage.during('starting five peers', START_MAX_MS, this.#lines(0), work)
    this.#screen.done(`Everyone is connected to everyone after ${durationText(performance.now() - startMs)}.`)
  }

  async #load(cities: ReadonlyMap<string, object>): Promise<void> {
    this.#screen.step(
      `Load ${countText(cities.size)} cities at peer 1`,
      'A write counts once it is on the disk of peer 1, synced, so that neither a crash nor a power cut can undo it. The other peers fetch what is new meanwhile.',
    )
    await this.#cluster.refresh()
    this.#spreadBytes = -this.#sentBytes()
    const startMs = performance.now()
    const { colors } = this.#screen
    const head = (columns: number): string => {
      const rate = Math.round(this.#ledger.writes / ((performance.now() - startMs) / 1000))
      const rates = `${countText(this.#ledger.writes)} acknowledged, ${countText(rate)} a second`
      return `load    ${bar(this.#ledger.writes / cities.size, Math.min(32, columns - rates.length - 12), colors)}  ${rates}`
    }
    const work = loadCities({
      ...{ cluster: this.#cluster, ledger: this.#ledger, cities },
      peers: LOADERS,
      batchWrites: LOAD_BATCH_WRITES,
    })
    await this.#stage.during('loading the cities', LOAD_MAX_MS, this.#lines(cities.size, { head }), work)
    this.#loadMs = performance.now() - startMs
    const rate = Math.round(cities.size / (this.#loadMs / 1000))
    this.#screen.done(
      `${countOf(cities.size, 'write')} acknowledged in ${durationText(this.#loadMs)}: ${countText(rate)} a second.`,
    )
  }

  async #spread(): Promise<void> {
    this.#screen.step(
      'Wait until all five hold everything',
      'Single writes are gossiped the moment they are durable; a bulk load travels over streams between neighbours. Peers that hold the same show the same fingerprint.',
    )
    const startMs = performance.now()
    await this.#stage.during(
      'spreading the cities',
      SPREAD_MAX_MS,
      this.#lines(this.#ledger.entries),
      this.#converged(),
    )
    this.#spreadMs = performance.now() - startMs
    await this.#cluster.refresh()
    this.#spreadBytes += this.#sentBytes()
    this.#screen.done(
      `All five are equal ${durationText(this.#spreadMs)} after the last write, with ${bytesText(this.#spreadBytes)} sent by all together.`,
    )
  }

  async #split(cities: ReadonlyMap<string, object>): Promise<void> {
    const size = workloadSize(cities.size)
    const drawn = SIDES.map((side) => side.join(' ')).join(' | ')
    this.#screen.step(
      `Split the network: peers ${drawn}`,
      `Every connection between the two sides is cut, and none is let in. Both go on working: ${countText(size.edits)} edits, ${countText(size.deletes)} deletes and ${countText(size.adds)} new towns on each side, and ${countText(size.contested)} keys that both sides write. Halfway, peer ${VICTIM} is killed (SIGKILL) and started again from its disk.`,
    )
    const startMs = performance.now()
    const split = new SplitWrites({
      cluster: this.#cluster,
      ledger: this.#ledger,
      sides: SIDES,
      workload: planWorkload(cities, size, Math.random),
      victim: VICTIM,
      onKilled: (acknowledged) => (killed = acknowledged),
      onRestarted: (entries, tookMs) => (restarted = { entries, tookMs }),
    })
    this.#splitWrites = split
    let killed = 0
    let restarted = { entries: 0, tookMs: 0 }
    const apart = (): boolean =>
      SIDES.every((side) => side.every((number) => this.#cluster.peer(number).state.neighbours < side.length))
    const work = this.#cluster
      .split(SIDES)
      .then(() => this.#cluster.until(apart))
      .then(() => split.run())
    const lines = this.#lines(this.#ledger.entries, { writes: (peer) => split.acknowledged(peer) })
    await this.#stage.during('writing on both sides', SPLIT_MAX_MS, lines, work)
    this.#screen.note(
      `Peer ${VICTIM} was killed after ${countOf(killed, 'acknowledged write')}, and was back after ${durationText(restarted.tookMs)} with ${countOf(restarted.entries, 'entry', 'entries')} from its disk, still on its side of the split.`,
    )
    this.#screen.done(
      `${countOf(this.#ledger.splitWrites, 'write')} acknowledged in ${durationText(performance.now() - startMs)}, and no peer waited for the other side.`,
    )
  }

  async #heal(): Promise<void> {
    this.#screen.step(
      'Heal the split',
      'The sides connect again, compare version vectors, and send each other only what differs. For a key that both wrote, the later write wins, everywhere alike.',
    )
    await this.#cluster.refresh()
    const sentBefore = this.#sentBytes()
    const startMs = performance.now()
    const work = this.#cluster.heal().then(() => this.#converged())
    await this.#stage.during('healing', HEAL_MAX_MS, this.#lines(this.#ledger.entries), work)
    this.#healMs = performance.now() - startMs
    await this.#cluster.refresh()
    this.#healBytes = this.#sentBytes() - sentBefore
    this.#screen.done(
      `All five are equal after ${durationText(this.#healMs)} and ${bytesText(this.#healBytes)} on the wire.`,
    )
  }

  async #check(): Promise<Outcome> {
    this.#screen.step(
      'Check every entry against the ledger',
      'The ledger stands outside the grid. It has noted every acknowledged write with its version, knows by them what must be there, and now reads every entry at every peer.',
    )
    if (this.#options.sabotage) await this.#sabotage()
    const audits = this.#cluster.peers.map(async ({ number }) => {
      const hashes = new Map(await this.#cluster.ask(number, 'audit', null))
      return this.#ledger.check(number, hashes)
    })
    const mismatches = (await this.#stage.guarded('checking', CHECK_MAX_MS, Promise.all(audits))).flat()
    await this.#cluster.refresh()
    const outcome = {
      peers: this.#cluster.running.length,
      entries: this.#cluster.running[0]?.state.entries ?? 0,
      writes: this.#ledger.writes,
      splitWrites: this.#ledger.splitWrites,
      conflicts: this.#ledger.conflicts,
      converged: this.#equal(),
      fingerprints: this.#cluster.peers.map(({ state }) => state.fingerprint),
      mismatches,
      loadMs: this.#loadMs,
      spreadMs: this.#spreadMs,
      healMs: this.#healMs,
      healBytes: this.#healBytes,
    }
    if (mismatches.length > 0) this.#tellMismatches(mismatches)
    else this.#screen.done(`${countText(outcome.entries * outcome.peers)} entries read, and each is what it must be.`)
    return outcome
  }

  async #sabotage(): Promise<void> {
    const victim = [...this.#ledger.all()].find(({ peer, value }) => peer !== SABOTEUR && value !== null)
    if (victim === undefined) throw new Error('there is no entry to sabotage')
    await this.#cluster.ask(SABOTEUR, 'sabotage', victim.key)
    this.#screen.note(`Sabotage: peer ${SABOTEUR} has dropped an entry behind the grid's back. Will the ledger see it?`)
  }

  #tellMismatches(mismatches: readonly Mismatch[]): void {
    const { colors } = this.#screen
    for (const { peer, key, kind } of mismatches.slice(0, 10)) {
      const write = this.#ledger.standing(key)
      const what = write === undefined ? '' : `, acknowledged by peer ${write.peer} with time ${write.version[0]}`
      this.#screen.failed(`${colors.red(`${kind} at peer ${peer}`)}: key ${key}${what}`)
    }
    if (mismatches.length > 10) this.#screen.failed(`and ${countText(mismatches.length - 10)} more`)
  }

  #close(outcome: Outcome): void {
    const { colors } = this.#screen
    this.#screen.line()
    const splitWrites = (peer: number): number => this.#splitWrites?.acknowledged(peer) ?? 0
    const table = closingTable({ cluster: this.#cluster, colors, outcome, sides: SIDES, splitWrites })
    for (const line of table) this.#screen.line(`  ${line}`)
    const resurrected = outcome.mismatches.filter(({ kind }) => kind === 'resurrected').length
    const lost = countText(outcome.mismatches.length)
    const facts: [string, string][] = [
      [
        'writes',
        `${countText(outcome.writes)} acknowledged, ${countText(outcome.splitWrites)} of them during the split`,
      ],
      ['conflicts', `${countOf(outcome.conflicts, 'key')} written on both sides`],
      ['lost', resurrected === 0 ? lost : `${lost}, ${countText(resurrected)} of them deleted keys that came back`],
      [
        'load, spread',
        `${durationText(outcome.loadMs)} until acknowledged, ${durationText(outcome.spreadMs)} more until everywhere`,
      ],
      ['time to heal', durationText(outcome.healMs)],
      ['bytes to heal', `${bytesText(outcome.healBytes)} on all sockets together`],
    ]
    for (const [name, text] of facts) this.#screen.line(`  ${colors.dim(name.padEnd(14))} ${text}`)
  }

  #lines(
    target: number,
    more: { head?: (columns: number) => string; writes?: (peer: number) => number } = {},
  ): LiveLines {
    return peerLines({ cluster: this.#cluster, colors: this.#screen.colors, target: () => target, ...more })
  }

  /** All five have the entries of the ledger, by their counters and fingerprints. */
  async #converged(): Promise<void> {
    await this.#cluster.until(() => this.#equal())
  }

  #equal(): boolean {
    const { running } = this.#cluster
    const first = running[0]?.state
    if (running.length !== this.#cluster.peers.length || first === undefined) return false
    // An unanswered write of a killed peer may be there or not; the audit of every entry knows which ones.
    if (Math.abs(first.entries - this.#ledger.entries) > this.#ledger.uncertain) return false
    return running.every(({ state }) => state.fingerprint === first.fingerprint && state.entries === first.entries)
  }

  #sentBytes(): number {
    return this.#cluster.peers.reduce((sum, { state }) => sum + state.sentBytes, 0)
  }
}
