import type { Application } from './application.ts'
import { makeApplications } from './applications.ts'
import { absencesOf, drawAlways, drawDurable, drawLeaver, drawVisitor } from './calendar-attendance.ts'
import type { Attendance, Presence } from './calendar-attendance.ts'
import { checkCoverage } from './checkers.ts'
import type { Violation } from './checkers.ts'
import { deliverTo } from './delivery.ts'
import { EventQueue } from './event-queue.ts'
import { areEqual, checkEnd, differsOnDisk } from './final-check.ts'
import { compareVersions, hasSeen, versionOf, partitionOf } from './peer-state.ts'
import { Ledger } from './ledger.ts'
import { MapApplication } from './map-application.ts'
import { Random } from './random.ts'
import { SimulatedClock, WALL_START_MS } from './simulated-clock.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import { SIMULATED_KINDS, simulatedCollection } from './simulated-collection.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedPeer } from './simulated-peer.ts'
import { TraceHash } from './trace-hash.ts'

export interface CalendarOptions {
  readonly seed: number
  /** 70 by default, at least 50. From 140 on, one of the durable peers leaves for good without saying so. */
  readonly days?: number
  /** Peers that come and go; 20 by default. */
  readonly visitors?: number
  /** Called after each day. */
  readonly onDay?: (day: number, tombstones: number) => void
}

export interface CalendarResult {
  readonly seed: number
  readonly days: number
  /** A hash over everything that happened, and over the final state. */
  readonly hash: string
  readonly windows: number
  readonly writes: number
  readonly deletes: number
  readonly acknowledged: number
  /** How often a machine was away for a day or longer, and the longest of these absences. */
  readonly absences: number
  readonly absenceMaxDays: number
  readonly crashes: number
  /** At the durable peer that stores the most: the highest number, and the number at the end. */
  readonly tombstonesMax: number
  readonly tombstones: number
  readonly lost: number
  readonly resurrected: number
  readonly diverged: number
  readonly violations: readonly Violation[]
  /** Simulated seconds during which machines ran. */
  readonly activeSeconds: number
  readonly events: number
}

const CALENDAR_DAYS = 70
/** As many as a test has time for. */
export const SMALL_CALENDAR: Omit<CalendarOptions, 'seed'> = { days: 50, visitors: 6 }
/** How long a delete is kept after the last durable peer has received it. */
const GRACE_DAYS = 14
/** From this length on, a durable peer that never returns is struck off the list before the end. */
const LEAVER_FROM_DAYS = 140
const DURABLE = 4
const VISITORS = 20
const DAY_MS = 86_400_000
/** Clocks differ by less than this; and the ledger records the events of a window at its end. */
const GRACE_MARGIN_MS = 300_000
const SETTLE_MAX_MS = 300_000
const VIOLATIONS_MAX = 10
/** Tombstones left two grace periods after the last delete, as a share of all deletes. */
const TOMBSTONES_LEFT_MAX = 0.01

/** Simulates weeks of a grid. Its peers meet for a minute or two a day, and are away for up to five weeks. */
export function simulateCalendar(options: CalendarOptions): CalendarResult {
  return new Calendar(options).run()
}

class Calendar {
  readonly #options: CalendarOptions
  readonly #days: number
  readonly #random: Random
  readonly #queue = new EventQueue()
  readonly #ledger: Ledger
  readonly #trace = new TraceHash()
  readonly #machines: SimulatedPeer[] = []
  readonly #attendances: readonly Attendance[]
  readonly #applications: readonly Application[]
  /** Applications that delete nothing. They go on after the others have stopped. */
  readonly #calmApplications: readonly Application[]
  readonly #network: SimulatedNetwork
  readonly #violations: Violation[] = []
  #found = { lost: 0, resurrected: 0, diverged: 0 }
  #windows = 0
  #crashes = 0
  #activeMs = 0
  #tombstonesMax = 0

  constructor(options: CalendarOptions) {
    this.#options = options
    this.#days = options.days ?? CALENDAR_DAYS
    this.#random = new Random(options.seed).fork('calendar')
    const purging = { graceMs: GRACE_DAYS * DAY_MS - GRACE_MARGIN_MS, nowMs: () => this.#queue.nowMs }
    this.#ledger = new Ledger(Infinity, purging)
    const map = { keys: 150, deleteShare: 0.25, valueMaxBytes: 60 }
    const traits = { kinds: SIMULATED_KINDS, maps: ['notes', 'tasks'], map, elements: 60, objects: 40, leases: 80 }
    const all = makeApplications({ ...traits, ttlMaxMs: 3 * DAY_MS }, this.#ledger)
    const log = new MapApplication([simulatedCollection('log', 'map')], { ...map, deleteShare: 0 })
    this.#applications = [...all, log]
    this.#calmApplications = [log, ...all.filter(({ collections }) => collections[0]!.kind === 'counter')]
    const network = this.#random.fork('network')
    const count = DURABLE + (options.visitors ?? VISITORS)
    const quiet = {
      loss: 0.02,
      duplication: 0.02,
      reordering: 0.05,
      delayMaxMs: 80,
      congestionMs: 5,
      missed: 0.02,
      unnoticedMs: 500,
    }
    const allowed = (a: number, b: number): boolean => a < DURABLE || network.chance(0.15) || b - a === 1
    const listener = deliverTo(this.#machines)
    this.#network = new SimulatedNetwork(this.#queue, network, listener, count, quiet, allowed)
    for (let index = 0; index < count; index++) this.#machines.push(this.#makeMachine(index))
    this.#attendances = this.#machines.map(({ index }) => this.#drawAttendance(index))
  }

  /** The last day on which something is deleted or expires: two grace periods before the end, plus one day. */
  get #lastBusyDay(): number {
    return this.#days - 2 * GRACE_DAYS - 2
  }

  run(): CalendarResult {
    try {
      for (let day = 0; day < this.#days && this.#violations.length === 0; day++) {
        const windows = this.#random.chance(0.3) ? 2 : 1
        for (let window = 0; window < windows; window++) {
          this.#queue.skip(day * DAY_MS + (window + this.#random.fraction() / 2) * (DAY_MS / windows))
          this.#window(day, window === windows - 1)
        }
        this.#options.onDay?.(day + 1, this.#tombstones())
      }
      if (this.#violations.length === 0) this.#settle()
    } catch (error) {
      this.#violated(`threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
    return this.#result()
  }

  #window(day: number, endsDay: boolean): void {
    const startMs = this.#queue.nowMs
    const random = this.#random
    this.#windows += 1
    this.#gather((index) => this.#attendances[index]![day]!)
    const lengthMs = random.mostlySmall(30_000, 90_000)
    for (const machine of this.#machines) if (machine.peer !== undefined) this.#occupy(machine, day, lengthMs)
    this.#runUntil(startMs + lengthMs)
    this.#noticeSeen()
    this.#scatter()
    this.#runUntil(this.#queue.nowMs + 3000)
    for (const { peer } of this.#machines) if (peer !== undefined) this.#violated(checkCoverage(this.#ledger, peer))
    this.#tombstonesMax = Math.max(this.#tombstonesMax, this.#tombstones())
    const next = day + 1 < this.#days ? day + 1 : undefined
    for (const machine of this.#machines) {
      const leaves = endsDay && next !== undefined && this.#attendances[machine.index]![next] === 'off'
      if (leaves && random.chance(0.5)) machine.close()
      else if (leaves || random.chance(0.03)) this.#crash(machine)
    }
    this.#runUntil(this.#queue.nowMs + 100)
    this.#activeMs += this.#queue.nowMs - startMs
  }

  /** Starts every machine that is not switched off. The machines that are `in` connect to each other. */
  #gather(presenceOf: (index: number) => Presence): void {
    this.#network.split(this.#machines.map(({ index }) => (presenceOf(index) === 'in' ? 0 : index + 1)))
    for (const machine of this.#machines) if (presenceOf(machine.index) !== 'off') machine.start()
    for (const { ends } of this.#network.links) {
      const [a, b] = [ends[0].peer, ends[1].peer]
      if (presenceOf(a) === 'in' && presenceOf(b) === 'in') this.#network.dial(a, b)
    }
  }

  /** Breaks all connections and lets everything in flight arrive or get lost. */
  #scatter(): void {
    this.#network.split(this.#machines.map(({ index }) => index + 1))
    for (const link of this.#network.links) this.#network.breakLink(link)
  }

  /** The applications at a machine act for one window; the machine may crash meanwhile. */
  #occupy(machine: SimulatedPeer, day: number, lengthMs: number): void {
    const random = this.#random
    const alone = this.#attendances[machine.index]![day] === 'alone'
    const busy = day <= this.#lastBusyDay
    const count = alone && random.chance(0.5) ? 0 : random.mostlySmall(1, machine.index < DURABLE ? 50 : 30)
    for (let i = 0; i < count; i++) this.#queue.after(random.below(lengthMs), () => this.#act(machine, busy))
    if (!random.chance(0.05)) return
    this.#queue.after(random.below(lengthMs), () => {
      this.#crash(machine)
      this.#queue.after(random.between(100, 5000), () => machine.start())
    })
  }

  #act(machine: SimulatedPeer, busy: boolean): void {
    const random = this.#random
    const application = random.pick(busy ? this.#applications : this.#calmApplications)
    if (busy && random.chance(0.15)) application.remove(machine, random)
    else application.act(machine, random)
    application.read(machine, random)
  }

  #crash(machine: SimulatedPeer): void {
    if (machine.peer === undefined) return
    this.#crashes += 1
    machine.crash(this.#random.pick(['whole', 'nothing']))
  }

  /** Records the moment from which a durable peer has seen these writes: the grace period starts there. */
  #noticeSeen(): void {
    const durable = this.#machines.slice(0, this.#rememberers).flatMap(({ peer }) => peer ?? [])
    for (const { collection, writes } of this.#ledger.keys) {
      for (const write of writes) {
        if (write.seenAtMs < Infinity || write.withdrawn) continue
        const { replicaId, sequence } = write
        if (durable.some((peer) => hasSeen(peer, collection, replicaId, sequence))) write.seenAtMs = this.#queue.nowMs
      }
    }
  }

  /** Starts all machines and waits until they are equal. */
  #settle(): void {
    const present = this.#machines.filter(({ index }) => index < this.#rememberers || index >= DURABLE)
    this.#queue.skip(this.#days * DAY_MS)
    const startMs = this.#queue.nowMs
    this.#network.heal()
    this.#gather((index) => (present.includes(this.#machines[index]!) ? 'in' : 'off'))
    while (this.#queue.nowMs - startMs < SETTLE_MAX_MS && this.#violations.length === 0) {
      this.#runUntil(this.#queue.nowMs + 1000)
      if (areEqual(present)) break
    }
    for (let tries = 0; tries < 20 && this.#violations.length === 0; tries++) {
      this.#runUntil(this.#queue.nowMs + 500)
      if (present.every((machine) => differsOnDisk(machine, this.#applications) === undefined)) break
    }
    this.#activeMs += this.#queue.nowMs - startMs
    if (this.#violations.length > 0) return
    const { violations, ...found } = checkEnd(this.#ledger, present, this.#applications)
    this.#found = found
    for (const violation of violations) this.#violated(violation)
    this.#checkPurged()
  }

  /** Hardly any of the deletes that durable peers received two grace periods ago may still be stored. */
  #checkPurged(): void {
    const knownMs = (this.#days - 2 * GRACE_DAYS) * DAY_MS
    const { peer } = this.#machines[0]!
    let left = 0
    for (const { collection, key, writes } of this.#ledger.keys) {
      const found = versionOf(peer!, collection, key)
      const write = found && writes.find((each) => compareVersions(each, found) === 0)
      const ended = write !== undefined && (write.value === undefined || write.expiresAtMs - WALL_START_MS < knownMs)
      if (ended && write.seenAtMs < knownMs) left += 1
    }
    if (left <= TOMBSTONES_LEFT_MAX * this.#ledger.deletes) return
    this.#violated(`unpurged: ${left} of ${this.#ledger.deletes} deletes are remembered two grace periods later`)
  }

  /** Durable peers that never leave for good. They come first. */
  get #rememberers(): number {
    return this.#days >= LEAVER_FROM_DAYS ? DURABLE - 1 : DURABLE
  }

  /** At the durable peer that stores the most. */
  #tombstones(): number {
    const collections = this.#applications.flatMap((application) => application.collections)
    const tombstones = (machine: SimulatedPeer): number =>
      collections.reduce((sum, each) => sum + tombstonesOf(machine, each), 0)
    return Math.max(...this.#machines.slice(0, this.#rememberers).map(tombstones))
  }

  #runUntil(timeMs: number): void {
    while (this.#violations.length === 0 && this.#queue.step(timeMs));
  }

  #makeMachine(index: number): SimulatedPeer {
    const random = this.#random.fork(`machine ${index}`)
    const clock = new SimulatedClock(this.#queue, random.below(1_000_000))
    clock.skewMs = random.between(-20_000, 20_000)
    const disk = new SimulatedDisk(this.#queue, random.fork('disk'))
    const world = {
      queue: this.#queue,
      network: this.#network,
      ledger: this.#ledger,
      trace: this.#trace,
      collections: this.#applications.flatMap(({ collections }) => collections),
      confirmed: () => {},
      travelled: () => {},
      violated: (violation: Violation) => this.#violated(violation),
    }
    const durable = index < DURABLE
    const persistent = durable || random.chance(0.6)
    const role = durable ? 'storage' : 'light'
    return new SimulatedPeer(world, { index, disk, clock, persistent, role, random: random.fork('peer') })
  }

  #drawAttendance(index: number): Attendance {
    const random = this.#random.fork(`attendance ${index}`)
    if (index >= DURABLE) return drawVisitor(random, this.#days)
    if (index >= this.#rememberers) return drawLeaver(random, this.#days)
    const away = index > 0 && random.chance(0.4)
    // It has time to receive the last deletes before they are purged.
    return away ? drawDurable(random, this.#days, this.#lastBusyDay + 5) : drawAlways(this.#days)
  }

  #violated(violation: Violation | undefined): void {
    if (violation === undefined || this.#violations.length >= VIOLATIONS_MAX) return
    this.#violations.push(`day ${(this.#queue.nowMs / DAY_MS + 1).toFixed(3)}: ${violation}`)
  }

  #result(): CalendarResult {
    const absences = this.#attendances.flatMap((attendance) => absencesOf(attendance))
    return {
      seed: this.#options.seed,
      days: this.#days,
      hash: this.#trace.hex(),
      windows: this.#windows,
      writes: this.#ledger.writes,
      deletes: this.#ledger.deletes,
      acknowledged: this.#ledger.acknowledged,
      absences: absences.length,
      absenceMaxDays: Math.max(0, ...absences),
      crashes: this.#crashes,
      tombstonesMax: this.#tombstonesMax,
      tombstones: this.#tombstones(),
      ...this.#found,
      violations: this.#violations,
      activeSeconds: this.#activeMs / 1000,
      events: this.#queue.ran,
    }
  }
}

function tombstonesOf({ peer }: SimulatedPeer, collection: SimulatedCollection): number {
  return peer === undefined ? 0 : partitionOf(peer, collection)!.replica.table.tombstoneCount
}
