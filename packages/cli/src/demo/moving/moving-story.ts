import type { Cluster } from '../cluster/cluster.ts'
import { readCities } from '../story/cities.ts'
import { DemoLedger } from '../story/ledger.ts'
import { loadCities } from '../story/load-cities.ts'
import { searchable } from '../story/search-name.ts'
import { Stage } from '../story/stage.ts'
import type { StoryOptions } from '../story/story.ts'
import { count, partitionLines } from '../screen/partition-lines.ts'
import type { LiveLines, Screen } from '../screen/screen.ts'
import { bytesText, countOf, countText, durationText } from '../../terminal/quantities.ts'
import { countCopies, entriesOfPartitions, entriesToMove, ownersOf } from './copy-count.ts'
import type { Owners } from './copy-count.ts'
import { OWNERS } from './moving-outcome.ts'
import type { MovingOutcome } from './moving-outcome.ts'
import { SteadyLoad } from './steady-load.ts'

/** Peers that are there from the beginning, and all that there are in the course of the demo. */
const FIRST_PEERS = 7
export const MOVING_PEERS = 9
const JOINING = [8, 9] as const
const LEAVING = 2
/** Killed for good. */
const VICTIM = 4
/** Loses an entry of its copy with `--sabotage`. */
const SABOTEUR = 5

/** The time limit of each step, far above its usual time: a demo that hangs must say so. */
const START_MAX_MS = 60_000
const LOAD_MAX_MS = 300_000
const STEADY_MAX_MS = 30_000
const MOVE_MAX_MS = 240_000
const CHECK_MAX_MS = 180_000

const STEADY_MS = 8000
const LOAD_BATCH_WRITES = 500

export interface MovingStoryOptions extends StoryOptions {
  /** Called once the first peers are open. */
  readonly opened: () => Promise<void>
}

/** The demo of partitioned maps from start to end, step by step: peers come and go, and the cities move to other owners. */
export class MovingStory {
  readonly #options: MovingStoryOptions
  readonly #cluster: Cluster
  readonly #screen: Screen
  readonly #stage: Stage
  readonly #ledger = new DemoLedger()
  /** The owners of all partitions after each step. */
  readonly #owners: Owners[] = []
  #movedRowsBefore = 0

  constructor(options: MovingStoryOptions) {
    this.#options = options
    this.#cluster = options.cluster
    this.#screen = options.screen
    this.#stage = new Stage(options)
  }

  /** Runs all steps. Rejects when a step fails or takes too long, and when a peer dies by itself. */
  async tell(): Promise<MovingOutcome> {
    await this.#start()
    const cities = new Map(Array.from(readCities(this.#options.citiesMax), ([key, city]) => [key, searchable(city)]))
    await this.#fill(cities)
    const load = new SteadyLoad({ cluster: this.#cluster, ledger: this.#ledger, cities, random: Math.random })
    await this.#steady(load)
    this.#movedRowsBefore = this.#movedRows()
    // That the check finds a lost copy takes no moves, which last minutes.
    if (!this.#options.sabotage) await this.#move(load)
    await this.#stage.guarded('ending the load', STEADY_MAX_MS, load.stop())
    return this.#check(load)
  }

  async #start(): Promise<void> {
    const { host, name } = this.#cluster
    this.#screen.step(
      `Start ${FIRST_PEERS} peers with a partitioned map`,
      `Seven processes, each with a disk folder and a port of its own on ${host}. The map has 256 partitions, and each of them is to be on ${OWNERS} peers. A column stands for eight partitions, and is as high as the peer has of them. The grid is called ${name}.`,
    )
    const startMs = performance.now()
    const work = this.#cluster
      .open(FIRST_PEERS)
      .then(() => this.#meshed())
      .then(() => this.#settled())
    await this.#stage.during('starting seven peers', START_MAX_MS, this.#lines(), work)
    this.#owners.push(this.#ownersNow())
    this.#screen.done(`Every partition has ${OWNERS} owners after ${durationText(performance.now() - startMs)}.`)
    await this.#options.opened()
  }

  async #fill(cities: ReadonlyMap<string, object>): Promise<void> {
    this.#screen.step(
      `Load ${countText(cities.size)} cities, at all peers`,
      'The key says which partition an entry is in. A write counts once two owners of that have it on their disks, so that one disk may be lost.',
    )
    const startMs = performance.now()
    const head = (): string => {
      return `${countText(this.#ledger.writes)} acknowledged`
    }
    const peers = Array.from({ length: FIRST_PEERS }, (_, index) => index + 1)
    const work = loadCities({
      ...{ cluster: this.#cluster, ledger: this.#ledger, cities, peers },
      batchWrites: LOAD_BATCH_WRITES,
    }).then(() => this.#delivered())
    await this.#stage.during('loading the cities', LOAD_MAX_MS, this.#lines(head), work)
    const entries = this.#cluster.running.map(({ state }) => state.entries)
    this.#screen.done(
      `All are at their owners after ${durationText(performance.now() - startMs)}. A peer has ${countText(Math.min(...entries))} to ${countText(Math.max(...entries))} of them.`,
    )
  }

  async #steady(load: SteadyLoad): Promise<void> {
    this.#screen.step(
      'Read and write, all the time',
      'Every peer reads cities, edits, adds and deletes some, from now on until the end.',
    )
    for (const { number } of this.#cluster.running) load.start(number)
    const work = new Promise<void>((resolve) => setTimeout(resolve, STEADY_MS))
    await this.#stage.during(
      'reading and writing',
      STEADY_MAX_MS,
      this.#loadedLines(load),
      Promise.race([work, load.broken]),
    )
    this.#screen.done(`99 of 100 reads took at most ${durationText(load.p99Ms('steady'))}.`)
  }

  async #move(load: SteadyLoad): Promise<void> {
    load.enter('moving')
    await this.#join(load)
    await this.#leave(load)
    await this.#loseOne(load)
  }

  async #join(load: SteadyLoad): Promise<void> {
    this.#screen.step(
      'Two peers join',
      'Each takes over its share of the partitions, and nothing else moves. An old owner drops its copy once the new owners have all of it on their disks. Since they promise to keep it for a minute, some copies go a little later.',
    )
    const tookMs = await this.#moved('taking over partitions', load, async () => {
      await Promise.all(JOINING.map((number) => this.#cluster.join(number)))
      await this.#meshed()
      for (const number of JOINING) load.start(number)
    })
    this.#screen.done(`They have all of their partitions after ${durationText(tookMs)}.`)
  }

  async #leave(load: SteadyLoad): Promise<void> {
    this.#screen.step(
      `Peer ${LEAVING} leaves`,
      'It hands over what it has, and ends when the other owners have all of it on their disks. It answers until then.',
    )
    const tookMs = await this.#moved('handing over partitions', load, async () => {
      await load.stop(LEAVING)
      await this.#cluster.leave(LEAVING, MOVE_MAX_MS)
    })
    this.#screen.done(`Others have what it had, and it has left after ${durationText(tookMs)}.`)
  }

  async #loseOne(load: SteadyLoad): Promise<void> {
    this.#screen.step(
      `Peer ${VICTIM} is killed, and its disk is lost`,
      'Two owners of each of its partitions are left. Another peer declares that it will never come back (forget). Others take its place and fetch a copy.',
    )
    const tookMs = await this.#moved('replacing the lost copies', load, async () => {
      const { peerId } = this.#cluster.peer(VICTIM)
      await this.#cluster.kill(VICTIM)
      await this.#cluster.ask(1, 'forget', peerId)
    })
    this.#screen.done(`Every partition has ${OWNERS} owners again after ${durationText(tookMs)}.`)
  }

  /** Runs a step that changes the owners, until every partition has all of its owners. Resolves to how long that took. */
  async #moved(what: string, load: SteadyLoad, change: () => Promise<void>): Promise<number> {
    const startMs = performance.now()
    const work = change().then(() => this.#settled())
    await this.#stage.during(what, MOVE_MAX_MS, this.#loadedLines(load), Promise.race([work, load.broken]))
    this.#owners.push(this.#ownersNow())
    return performance.now() - startMs
  }

  async #check(load: SteadyLoad): Promise<MovingOutcome> {
    this.#screen.step(
      'Check every entry, and every copy of it, against the ledger',
      `The ledger stands outside the grid. It has noted every acknowledged write. Each peer now reads all entries, also those of others; and each entry must be in the copies of ${OWNERS} peers, no more and no less.`,
    )
    await this.#stage.during('dropping old copies', MOVE_MAX_MS, this.#lines(), this.#dropped())
    if (this.#options.sabotage) await this.#sabotage()
    const outcome = await this.#stage.guarded('checking', CHECK_MAX_MS, this.#audit(load))
    this.#tell(outcome)
    return outcome
  }

  async #audit(load: SteadyLoad): Promise<MovingOutcome> {
    const running = this.#cluster.running.map(({ number }) => number)
    const copies = await Promise.all(running.map((number) => this.#cluster.ask(number, 'copies', null)))
    const { max, min, scarcest } = countCopies(this.#ledger, copies)
    for (const fault of load.faults) this.#screen.failed(fault)
    if (min < OWNERS) this.#screen.failed(`Key ${scarcest} is in ${min} copies.`)
    const mismatches = []
    // One after the other: each reads everything.
    for (const number of running) {
      mismatches.push(...this.#ledger.check(number, new Map(await this.#cluster.ask(number, 'audit', null))))
    }
    for (const { peer, key, kind } of mismatches.slice(0, 10))
      this.#screen.failed(`${this.#screen.colors.red(`${kind} at peer ${peer}`)}: key ${key}`)
    const movedRows = this.#movedRows() - this.#movedRowsBefore
    const rowsToMove = this.#rowsToMove(entriesOfPartitions(copies))
    return {
      ...{ peers: running.length, entries: this.#ledger.entries, writes: this.#ledger.writes, reads: load.reads },
      ...{ mismatches, copiesMin: min, copiesMax: max },
      ...{ failedReads: load.failedReads, falseMissing: load.falseMissing, failedWrites: load.failedWrites },
      movedBytes: movedRows * this.#entryBytes(),
      movedOverOptimum: rowsToMove === 0 ? 0 : movedRows / rowsToMove,
      ...{ p99MsSteady: load.p99Ms('steady'), p99MsMoving: load.p99Ms('moving') },
    }
  }

  async #sabotage(): Promise<void> {
    await this.#cluster.ask(SABOTEUR, 'sabotageCopy', null)
    this.#screen.note(`Sabotage: peer ${SABOTEUR} has dropped an entry behind the grid's back. Will the ledger see it?`)
  }

  #tell(outcome: MovingOutcome): void {
    const { colors } = this.#screen
    const facts: [string, string][] = [
      ['writes', `${countText(outcome.writes)} acknowledged, ${countText(outcome.failedWrites)} not`],
      ['reads', `${countText(outcome.reads)}, ${countText(outcome.failedReads)} of them without an answer`],
      ['lost', countText(outcome.mismatches.length)],
      ['false missing', countText(outcome.falseMissing)],
      ['copies', `${outcome.copiesMin} to ${outcome.copiesMax} of each entry`],
      [
        'moved',
        `${bytesText(Math.round(outcome.movedBytes))}, ${outcome.movedOverOptimum.toFixed(2)} times what had to move`,
      ],
      [
        'reads, p99',
        `${durationText(outcome.p99MsSteady)} with steady owners, ${durationText(outcome.p99MsMoving)} while partitions moved`,
      ],
    ]
    this.#screen.line()
    for (const [name, text] of facts) this.#screen.line(`  ${colors.dim(name.padEnd(14))} ${text}`)
  }

  #lines(head?: () => string): LiveLines {
    return partitionLines({ cluster: this.#cluster, colors: this.#screen.colors, ...(head !== undefined && { head }) })
  }

  #loadedLines(load: SteadyLoad): LiveLines {
    const { colors } = this.#screen
    return this.#lines(() => {
      const bad = load.failedReads + load.falseMissing
      const failed = bad === 0 ? colors.green('none failed') : colors.red(`${countText(bad)} failed`)
      return `${countOf(load.reads, 'read')}, ${failed}; ${countOf(this.#ledger.writes, 'acknowledged write')}`
    })
  }

  /** Everyone is connected to everyone: a peer that has just come knows no owner yet. */
  #meshed(): Promise<void> {
    const { running } = this.#cluster
    return this.#cluster.until(() => running.every(({ state }) => state.neighbours >= running.length - 1))
  }

  /** Every partition has as many owners as it is to have, and all of them are whole. */
  #settled(): Promise<void> {
    return this.#cluster.until(() => {
      const owners = this.#ownersNow()
      const isWhole = this.#cluster.running.every(({ state: { partitions } }) => {
        return partitions !== undefined && count(partitions.picture, 'w') > 0 && count(partitions.picture, 'c') === 0
      })
      return isWhole && owners.length > 0 && owners.every(({ size }) => size === OWNERS)
    })
  }

  /** No write is on its way to its owners. */
  #delivered(): Promise<void> {
    return this.#cluster.until(() => this.#cluster.running.every(({ state }) => state.partitions?.hints === 0))
  }

  /** Former owners have dropped their copies, and the owners of each partition have the same. */
  #dropped(): Promise<void> {
    return this.#cluster.until(() =>
      this.#cluster.running.every(({ state: { partitions } }) => {
        if (partitions === undefined) return false
        return !/[ch]/.test(partitions.picture) && partitions.hints === 0 && partitions.underReplicated === 0
      }),
    )
  }

  #ownersNow(): Owners {
    const pictures = this.#cluster.running.map(
      ({ number, state }) => [number, state.partitions?.picture ?? ''] as const,
    )
    return ownersOf(new Map(pictures))
  }

  #movedRows(): number {
    return this.#cluster.peers.reduce((sum, { state }) => sum + (state.partitions?.movedRows ?? 0), 0)
  }

  #rowsToMove(entries: ReadonlyMap<number, number>): number {
    return this.#owners.slice(1).reduce((sum, owners, i) => sum + entriesToMove(this.#owners[i]!, owners, entries), 0)
  }

  /** The mean of the keys and values of the ledger, as JSON. */
  #entryBytes(): number {
    let [bytes, entries] = [0, 0]
    for (const { key, value } of this.#ledger.all()) {
      if (value === null) continue
      bytes += Buffer.byteLength(key) + Buffer.byteLength(JSON.stringify(value))
      entries += 1
    }
    return entries === 0 ? 0 : bytes / entries
  }
}
