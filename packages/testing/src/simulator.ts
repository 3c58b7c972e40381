import { HOUSEKEEPING_AFTER_MS, HOUSEKEEPING_GAP_MS } from '@gossipgrid/core'
import type { Peer } from '@gossipgrid/core'
import type { Application } from './application.ts'
import { makeApplications } from './applications.ts'
import { checkCoverage } from './checkers.ts'
import type { Violation } from './checkers.ts'
import { deliverTo } from './delivery.ts'
import { EventQueue } from './event-queue.ts'
import { FaultInjector } from './fault-injector.ts'
import { DISK_FAULTS, drawFaultMix } from './fault-mix.ts'
import type { FaultKind, FaultMix } from './fault-mix.ts'
import { areEqual, checkEnd, differsOnDisk } from './final-check.ts'
import { entriesOf, vectorText } from './peer-state.ts'
import { Ledger } from './ledger.ts'
import type { LedgerWrite } from './ledger.ts'
import { Losses } from './losses.ts'
import { Random } from './random.ts'
import { SimulatedClock } from './simulated-clock.ts'
import type { SimulatedCollection, SimulatedKind } from './simulated-collection.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedPeer } from './simulated-peer.ts'
import { withSmallLimits } from './small-limits.ts'
import { TraceHash } from './trace-hash.ts'
import { Workload } from './workload.ts'

/** What to simulate. The seed decides everything that is left out, and every random choice. */
export interface SimulationOptions {
  readonly seed: number
  /** 3 to 12 by default. */
  readonly peers?: number
  /** Simulated minutes with faults, before everything is healed; 3 by default. */
  readonly minutes?: number
  /** The kinds that the applications use; only maps by default. */
  readonly kinds?: readonly SimulatedKind[]
  /** Whether peers may send frames directly to neighbours. In half of the simulations only some peers do. */
  readonly direct?: boolean
  /** Makes further applications. They write through the machines and into the ledger. */
  readonly more?: ((ledger: Ledger) => readonly Application[]) | undefined
  /** Called after each simulated minute with faults. */
  readonly onMinute?: (minute: number) => void
  /** Writes of one key that the ledger remembers, so that it does not grow with time; all by default. */
  readonly ledgerWritesMax?: number
}

export interface SimulationResult {
  readonly seed: number
  readonly peers: number
  readonly minutes: number
  /** A hash over everything that happened, and over the final state. */
  readonly hash: string
  readonly writes: number
  readonly deletes: number
  readonly acknowledged: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  /** Acknowledged sets that are missing. */
  readonly lost: number
  /** Acknowledged deletes that were undone. */
  readonly resurrected: number
  /** Peers that differ from the first peer at the end. */
  readonly diverged: number
  /** Writes whose every copy was lost with a disk. That is no fault of the grid. */
  readonly excused: number
  /** Broken promises; empty when there are none. */
  readonly violations: readonly Violation[]
  readonly simSeconds: number
  /** Simulated seconds from healing until all peers were equal. */
  readonly settleSeconds: number
  readonly events: number
}

/** The applications of a simulation, before its machines exist. */
interface Drawn {
  readonly applications: readonly Application[]
  over(machines: readonly SimulatedPeer[]): Workload
}

/** How long the peers have to become equal after everything is healed. */
const SETTLE_MAX_MS = 300_000
/** No message is in flight for longer. */
const LATE_MAX_MS = 10_000
const CHECK_EVERY_MS = 500
/** The checks look for confirmed copies on the disks no more often: opening them all takes long. */
const COPIES_CHECK_GAP_MS = 1000
const VIOLATIONS_MAX = 10

/** Runs one simulation from start to end. The same options give the same result on every runtime. */
export function simulate(options: SimulationOptions): SimulationResult {
  const random = new Random(options.seed).fork('limits')
  // Some simulations keep the limits of the shipped code.
  if (random.chance(0.15)) return new Simulator(options).run()
  const limits = {
    logMinBytes: random.between(2, 60) * 1024,
    segmentMaxBytes: random.between(1, 40) * 1024,
    chunkMaxBytes: random.between(100, 4000),
  }
  return withSmallLimits(limits, () => new Simulator(options).run())
}

class Simulator {
  readonly #options: SimulationOptions
  readonly #random: Random
  readonly #queue = new EventQueue()
  readonly #ledger: Ledger
  readonly #trace = new TraceHash()
  readonly #machines: SimulatedPeer[] = []
  readonly #applications: readonly Application[]
  readonly #collections: readonly SimulatedCollection[]
  readonly #workload: Workload
  readonly #network: SimulatedNetwork
  readonly #mix: FaultMix
  readonly #injector: FaultInjector
  readonly #losses: Losses
  readonly #minutes: number
  /** Share of the machines that accept direct frames. */
  readonly #directShare: number
  readonly #violations: Violation[] = []
  #nextCopiesMs = 0
  #lost = 0
  #resurrected = 0
  #diverged = 0
  #settleMs = 0
  #healedMs = 0
  /** Rows that sessions have sent. */
  #travelled = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#ledger = new Ledger(options.ledgerWritesMax)
    this.#random = new Random(options.seed)
    this.#minutes = options.minutes ?? 3
    const traits = this.#random.fork('traits')
    const count = options.peers ?? traits.between(3, 12)
    const direct = this.#random.fork('direct')
    this.#directShare = direct.chance(0.5) ? 1 : direct.fraction()
    const maps = traits.chance(0.5) ? ['notes'] : ['notes', 'tasks']
    this.#mix = drawFaultMix(this.#random.fork('faults'))
    const workload = this.#drawWorkload(maps)
    this.#applications = workload.applications
    this.#collections = this.#applications.flatMap(({ collections }) => collections)
    this.#network = this.#makeNetwork(count, traits)
    for (let index = 0; index < count; index++) this.#machines.push(this.#makeMachine(index, traits))
    this.#workload = workload.over(this.#machines)
    this.#losses = new Losses(this.#ledger, this.#machines)
    this.#injector = new FaultInjector(
      this.#queue,
      this.#random.fork('injector'),
      this.#network,
      this.#machines,
      this.#losses,
    )
  }

  run(): SimulationResult {
    for (const machine of this.#machines) {
      this.#queue.after(this.#random.below(3000), () => {
        machine.start()
        this.#join(machine.index)
      })
    }
    this.#workload.start()
    this.#injector.start(this.#mix)
    try {
      this.#trouble()
      this.#workload.end()
      if (this.#violations.length === 0) this.#settle()
    } catch (error) {
      // No event may make a peer throw.
      this.#violated(`threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
    return this.#result()
  }

  #trouble(): void {
    for (let minute = 1; minute <= this.#minutes; minute++) {
      this.#runUntil(minute * 60_000)
      this.#options.onMinute?.(minute)
    }
    this.#runUntil(this.#minutes * 60_000)
  }

  #settle(): void {
    for (const machine of this.#machines) {
      // Every machine starts from disk once more. Peers without a disk stay up, or they would lose writes that only
      // they have.
      // A peer that says goodbye stops now: after the healing nothing would start it again.
      if (machine.persistent || machine.closing) machine.crash('whole')
      this.#losses.crashed()
    }
    this.#injector.heal()
    const startMs = this.#queue.nowMs
    this.#healedMs = startMs
    // Broadcasts that were late when everything was healed are still in flight, some of them from before a restart.
    this.#runUntil(startMs + LATE_MAX_MS)
    let settled = false
    while (!settled && this.#queue.nowMs - startMs < SETTLE_MAX_MS && this.#violations.length === 0) {
      this.#runUntil(this.#queue.nowMs + 1000)
      const busy = this.#applications.filter(({ isDone }) => isDone !== undefined)
      // Ask each one, so that each starts its remaining work.
      const done = busy.flatMap((application) => this.#machines.map((machine) => application.isDone!(machine)))
      settled = areEqual(this.#machines) && !done.includes(false)
    }
    this.#settleMs = this.#queue.nowMs - startMs
    // Batches under way reach the disk, and damaged disks are repaired.
    for (let tries = 0; tries < 20 && this.#violations.length === 0; tries++) {
      this.#runUntil(this.#queue.nowMs + 500)
      // A peer may have registered in the last moment.
      const isStored = this.#machines.every((machine) => differsOnDisk(machine, this.#applications) === undefined)
      if (isStored && areEqual(this.#machines)) break
    }
    if (this.#violations.length === 0) this.#checkEnd()
    if (this.#violations.length === 0 && !settled) {
      this.#violated(
        `unsettled: after ${SETTLE_MAX_MS / 1000} s something is still quarantined, or an application is not done`,
      )
    }
    if (this.#violations.length === 0 && this.#random.fork('quiet').chance(0.25)) this.#checkQuiet()
  }

  /** Equal peers have nothing more to send each other, and know each other. */
  #checkQuiet(): void {
    // Peers that had not lived for long enough before register now, and acknowledge proposals.
    const registeredMs = this.#healedMs + HOUSEKEEPING_AFTER_MS + 2 * HOUSEKEEPING_GAP_MS
    this.#runUntil(Math.max(this.#queue.nowMs, registeredMs) + 10_000)
    const before = this.#travelled
    this.#runUntil(this.#queue.nowMs + 20_000)
    if (this.#travelled > before) this.#violated(`quiet: ${this.#travelled - before} rows travel between equal peers`)
    if (!areEqual(this.#machines)) this.#violated('quiet: equal peers became different again')
    for (const { peer } of this.#machines) this.#violated(this.#findStranger(peer!))
  }

  /** A member that a peer does not know, or whose record there is out of date. */
  #findStranger(peer: Peer): Violation | undefined {
    for (const { peer: other } of this.#machines) {
      if (other === undefined || other === peer) continue
      const member = peer.membership.get(other.peerId)
      if (member?.state === 'alive' && member.record.replicaId === other.replicaId) continue
      const known = member === undefined ? 'nothing' : `${member.state}, ${member.record.replicaId}`
      return `members: ${peer.peerId} knows of ${other.peerId}, ${other.replicaId}: ${known}`
    }
    return undefined
  }

  /** A confirmed copy is on a disk, as long as no disk has lost anything. */
  #confirmed(write: LedgerWrite, copies: number): void {
    if (DISK_FAULTS.some((kind) => this.#mix.has(kind)) || this.#queue.nowMs < this.#nextCopiesMs) return
    if (this.#ledger.mayBeDropped(write)) return
    this.#nextCopiesMs = this.#queue.nowMs + COPIES_CHECK_GAP_MS
    const found = this.#losses.copies(write, copies)
    if (found < copies) {
      this.#violated(`copies: ${copies} of ${write.replicaId}/${write.sequence} are confirmed, ${found} are on disks`)
    }
  }

  #runUntil(timeMs: number): void {
    while (this.#queue.nowMs < timeMs && this.#violations.length === 0) {
      const pauseMs = Math.min(timeMs, this.#queue.nowMs + CHECK_EVERY_MS)
      while (this.#queue.step(pauseMs)) if (this.#violations.length > 0) return
      for (const { peer } of this.#machines) {
        if (peer !== undefined) this.#violated(checkCoverage(this.#ledger, peer))
      }
    }
  }

  #checkEnd(): void {
    const { lost, resurrected, diverged, violations } = checkEnd(this.#ledger, this.#machines, this.#applications)
    this.#lost = lost
    this.#resurrected = resurrected
    this.#diverged = diverged
    for (const violation of violations) this.#violated(violation)
  }

  #violated(violation: Violation | undefined): void {
    if (violation === undefined || this.#violations.length >= VIOLATIONS_MAX) return
    this.#violations.push(`${(this.#queue.nowMs / 1000).toFixed(3)} s: ${violation}`)
  }

  #makeNetwork(count: number, random: Random): SimulatedNetwork {
    const of = (kind: FaultKind): number => this.#mix.get(kind) ?? 0
    const traits = {
      loss: of('broadcast-loss') * 0.4,
      duplication: of('broadcast-duplication') * 0.3,
      reordering: of('broadcast-reordering') * 0.3,
      delayMaxMs: random.between(10, 150),
      congestionMs: 5 + of('congestion') * 5000,
      missed: of('congestion') * 0.2,
      unnoticedMs: this.#mix.has('half-open') ? 20_000 * of('half-open') : 500,
    }
    // A chain keeps a sparse grid connected.
    const density = this.#mix.has('sparse-links') ? 0.6 * (1 - of('sparse-links')) : 1
    const allowed = (a: number, b: number): boolean => b - a === 1 || random.chance(density)
    const listener = deliverTo(this.#machines)
    return new SimulatedNetwork(this.#queue, this.#random.fork('network'), listener, count, traits, allowed)
  }

  #makeMachine(index: number, traits: Random): SimulatedPeer {
    const random = this.#random.fork(`machine ${index}`)
    const clock = new SimulatedClock(this.#queue, random.below(1_000_000))
    if (this.#mix.has('clock-skew')) clock.skewMs = random.between(-20_000, 20_000)
    if (this.#mix.has('coarse-clock')) clock.resolutionMs = Math.ceil(2000 * this.#mix.get('coarse-clock')!)
    const disk = new SimulatedDisk(this.#queue, random.fork('disk'))
    if (this.#mix.has('slow-disk')) disk.delayMaxMs = Math.ceil(3000 * this.#mix.get('slow-disk')!)
    // The first machine always has a disk, so that one peer never forgets.
    const persistent = index === 0 || !(this.#mix.has('memory-peers') && traits.chance(0.4))
    const world = {
      queue: this.#queue,
      network: this.#network,
      ledger: this.#ledger,
      trace: this.#trace,
      collections: this.#collections,
      confirmed: (write: LedgerWrite, copies: number) => this.#confirmed(write, copies),
      travelled: (rows: number) => {
        this.#travelled += rows
      },
      violated: (violation: Violation) => this.#violated(violation),
      changed: (machine: SimulatedPeer, collection: SimulatedCollection, key: string) => {
        for (const application of this.#applications) {
          if (application.collections.includes(collection)) application.changed?.(machine, key)
        }
      },
      stepped: (machine: SimulatedPeer) => {
        for (const application of this.#applications) application.stepped?.(machine)
      },
    }
    const direct = this.#options.direct === true && random.fork('direct').chance(this.#directShare)
    return new SimulatedPeer(world, { index, disk, clock, persistent, direct, random: random.fork('peer') })
  }

  #drawWorkload(maps: readonly string[]): Drawn {
    const random = this.#random.fork('workload')
    const keys = random.between(5, 60)
    const everyMs = random.between(700, 1300)
    const deleteShare = 0.15 + 0.05 * random.fraction()
    const map = { keys, deleteShare, valueMaxBytes: random.pick([10, 60, 60, 400, 3000]) }
    const burstShare = this.#mix.has('write-burst') ? 0.01 * this.#mix.get('write-burst')! : 0
    const few = this.#random.fork('kinds')
    const applications = [
      ...makeApplications(
        {
          kinds: this.#options.kinds ?? ['map'],
          maps,
          map,
          elements: few.between(3, 40),
          objects: few.between(3, 20),
          leases: few.between(3, 40),
          ttlMaxMs: few.pick([3000, 20_000, 120_000]),
        },
        this.#ledger,
      ),
      ...(this.#options.more?.(this.#ledger) ?? []),
    ]
    const traits = { everyMs, burstShare }
    return {
      applications,
      over: (machines) => new Workload(this.#queue, random, machines, applications, traits),
    }
  }

  /** A new machine knows one other machine to join by. */
  #join(index: number): void {
    if (index > 0) this.#network.dial(index, index - 1)
  }

  #result(): SimulationResult {
    for (const { peer } of this.#machines) {
      if (peer === undefined) continue
      for (const collection of this.#collections) {
        this.#trace.text(vectorText(peer, collection))
        for (const entry of entriesOf(peer, collection)) {
          this.#trace.text(entry.key)
          this.#trace.number(entry.hlc)
          if (entry.value !== undefined) this.#trace.bytes(entry.value)
        }
      }
    }
    return {
      seed: this.#options.seed,
      peers: this.#machines.length,
      minutes: this.#minutes,
      hash: this.#trace.hex(),
      writes: this.#ledger.writes,
      deletes: this.#ledger.deletes,
      acknowledged: this.#ledger.acknowledged,
      faults: Object.fromEntries([...this.#injector.counts].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      lost: this.#lost,
      resurrected: this.#resurrected,
      diverged: this.#diverged,
      excused: this.#losses.excused,
      violations: this.#violations,
      simSeconds: this.#queue.nowMs / 1000,
      settleSeconds: this.#settleMs / 1000,
      events: this.#queue.ran,
    }
  }
}
