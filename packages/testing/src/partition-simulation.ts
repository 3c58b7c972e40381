import { encodeValue, expiring } from '@gossipgrid/core'
import type { CollectionDescriptor, PeerEvent } from '@gossipgrid/core'
import { partitioning } from '@gossipgrid/core/internals'
import type { Violation } from './checkers.ts'
import { deliverTo } from './delivery.ts'
import { EventQueue } from './event-queue.ts'
import { Ledger } from './ledger.ts'
import { PARTITIONS, PartitionLedger, hasWrite, nameOf } from './partition-ledger.ts'
import { PartitionKeyed, keyedCollections } from './partition-keyed.ts'
import { PartitionWriting } from './partition-writing.ts'
import { isOwner } from './partition-witness.ts'
import type { Witness } from './partition-witness.ts'
import { PartitionDays } from './partition-days.ts'
import { PartitionFaults, witnessOf } from './partition-faults.ts'
import { PartitionFollows } from './partition-follows.ts'
import { PartitionHandovers } from './partition-handovers.ts'
import type { PartitionSimulationOptions, PartitionSimulationResult } from './partition-options.ts'
import { PartitionReads } from './partition-reads.ts'
import { unsettled } from './partition-settled.ts'
import { PartitionViews } from './partition-views.ts'
import { Random } from './random.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import type { NetworkTraits } from './simulated-network.ts'
import { SimulatedPeer } from './simulated-peer.ts'
import { TraceHash } from './trace-hash.ts'

const CHECK_EVERY_MS = 500
const SETTLE_MAX_MS = 300_000
const KEYS = 60
const DAY_MS = 86_400_000

/** Runs one simulation of partitioned collections from start to end. The same options give the same result everywhere. */
export function simulatePartitions(options: PartitionSimulationOptions): PartitionSimulationResult {
  return new PartitionSimulation(options).run()
}

function mapsOf(names: readonly string[], owners: number): CollectionDescriptor[] {
  return names.map((name) => ({ name, kind: 'map', mode: 'partitioned', partitions: PARTITIONS, owners }))
}

/** How bad the network is. */
function drawNetwork(traits: Random): NetworkTraits {
  const lossy = traits.chance(0.5)
  return {
    loss: lossy ? 0.3 * traits.fraction() : 0,
    duplication: lossy ? 0.2 : 0,
    reordering: lossy ? 0.2 : 0,
    delayMaxMs: traits.between(10, 150),
    congestionMs: 5,
    missed: 0,
    unnoticedMs: 500,
  }
}

class PartitionSimulation {
  readonly #options: PartitionSimulationOptions
  readonly #random: Random
  readonly #queue = new EventQueue()
  readonly #trace = new TraceHash()
  readonly #ledger: PartitionLedger
  readonly #machines: SimulatedPeer[] = []
  readonly #network: SimulatedNetwork
  readonly #collections: readonly CollectionDescriptor[]
  /** The names of those that are maps. */
  readonly #maps: readonly string[]
  readonly #violations: Violation[] = []
  readonly #faults: PartitionFaults
  readonly #reads: PartitionReads
  readonly #handovers: PartitionHandovers
  readonly #hints: boolean
  /** Undefined where no weeks pass. */
  readonly #days: PartitionDays | undefined
  /** Machines without a disk own as well, if there are too few with one. */
  readonly #ownsInMemory: boolean
  readonly #writing: PartitionWriting
  readonly #keyed: PartitionKeyed | undefined
  readonly #views: PartitionViews | undefined
  readonly #follows: PartitionFollows | undefined

  constructor(options: PartitionSimulationOptions) {
    this.#options = options
    this.#random = new Random(options.seed).fork('partitions')
    const traits = this.#random.fork('traits')
    const hints = this.#random.fork('hints')
    this.#hints = options.hints ?? hints.chance(0.75)
    const memory = this.#random.fork('memory')
    this.#ownsInMemory = options.memory ?? (memory.chance(0.3) && options.weeks !== true)
    const all = options.peers ?? traits.between(3, 6)
    const durable = this.#ownsInMemory ? memory.below(3) : all
    const count = all + (this.#hints && hints.chance(0.4) ? 1 : 0)
    // A single owner that goes down and is marked as away at once leaves what it alone had.
    const owners = Math.max(options.views === true ? 2 : 1, traits.between(1, 3))
    // Some disks are slow then.
    this.#ledger = new PartitionLedger(owners, this.#hints ? 12 : 4)
    const violated = (violation: Violation): void => this.#violated(violation)
    this.#reads = new PartitionReads(this.#ledger, this.#machines, violated)
    const names = traits.chance(0.5) ? ['users'] : ['users', 'orders']
    const days = this.#random.fork('days')
    const passWeeks = options.weeks ?? (!this.#ownsInMemory && days.chance(0.3))
    const isKeyed = options.keyed ?? (this.#hints && !passWeeks && this.#random.fork('keyed or not').chance(0.3))
    const maps = mapsOf(names, owners)
    this.#maps = names
    this.#collections = isKeyed ? [...maps, ...keyedCollections(owners)] : maps
    const network = drawNetwork(traits)
    const listener = deliverTo(this.#machines)
    const chance = this.#random.fork('network')
    this.#network = new SimulatedNetwork(this.#queue, chance, listener, count, network, () => true)
    const seen = { machines: this.#machines, ledger: this.#ledger }
    this.#faults = new PartitionFaults({
      ...seen,
      network: this.#network,
      queue: this.#queue,
      collections: this.#collections,
      ownsInMemory: this.#ownsInMemory,
    })
    const { lostDiskAtMs } = this.#faults
    this.#handovers = new PartitionHandovers({ ...seen, lostDiskAtMs, queue: this.#queue, violated })
    this.#writing = new PartitionWriting({
      ...seen,
      apart: this.#faults.apart,
      flaps: options.views === true,
      forgotten: this.#faults.forgotten,
      ownsInMemory: this.#ownsInMemory,
      queue: this.#queue,
      waits: this.#hints,
    })
    this.#keyed = isKeyed
      ? new PartitionKeyed({ queue: this.#queue, writing: this.#writing, deletes: options.deletes === true })
      : undefined
    if (options.views === true) this.#views = new PartitionViews({ ...seen, apart: this.#faults.apart })
    if (options.follows === true)
      this.#follows = new PartitionFollows({ ...seen, collections: names, queue: this.#queue })
    const passing = {
      ...seen,
      network: this.#network,
      reads: this.#reads,
      queue: this.#queue,
      faults: this.#faults,
      views: this.#views,
    }
    const runUntil = (timeMs: number): void => this.#runUntil(timeMs)
    if (passWeeks) this.#days = new PartitionDays({ ...passing, random: days, runUntil })
    for (let index = 0; index < count; index++) this.#machines.push(this.#makeMachine(index, index < durable))
  }

  run(): PartitionSimulationResult {
    const minutes = this.#options.minutes ?? 2
    try {
      this.#start(minutes * 60_000)
      this.#trouble(minutes * 60_000)
      if (this.#violations.length === 0) this.#settle()
    } catch (error) {
      this.#violated(`threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
    const writes = this.#ledger.writes
    const owed = writes.filter(({ acknowledged, excused }) => acknowledged && !excused)
    return {
      seed: this.#options.seed,
      peers: this.#machines.length,
      minutes,
      hash: this.#trace.hex(),
      writes: this.#writing.count,
      acknowledged: writes.filter(({ acknowledged }) => acknowledged).length,
      lost: owed.filter((write) => this.#witnesses().every((each) => !hasWrite(each, write))).length,
      excused: writes.filter(({ excused }) => excused).length,
      hinted: writes.filter(({ hinted }) => hinted).length,
      reads: this.#reads.answered,
      unreachable: this.#reads.unreachable,
      wholes: this.#reads.wholes,
      lostDisks: this.#faults.lostDisks,
      settleSeconds: this.#settleMs / 1000,
      leaves: this.#faults.leaves,
      weeks: this.#days?.passed ?? 0,
      purged: writes.filter(({ purgedAtMs }) => purgedAtMs < Infinity).length,
      followed: this.#follows?.answers ?? 0,
      resets: this.#follows?.resets ?? 0,
      violations: this.#violations,
    }
  }

  #settleMs = 0

  /** Minutes with faults. Where weeks pass, they do so in between. */
  #trouble(lengthMs: number): void {
    const parts = this.#days === undefined ? 1 : 4
    for (let part = 1; part <= parts; part++) {
      this.#runUntil(this.#queue.nowMs + lengthMs / parts)
      if (part < parts && this.#violations.length === 0) this.#days!.pass()
    }
  }

  #start(troubleMs: number): void {
    const random = this.#random.fork('start')
    for (const machine of this.#machines) {
      // Some are there from the start, others join later.
      const joins = machine.index > 1 && random.chance(0.5)
      this.#queue.after(joins ? random.below(troubleMs) : random.below(3000), () => this.#faults.up(machine))
    }
    this.#writeOnAndOn(this.#random.fork('writes'))
    if (this.#hints) this.#readOnAndOn(this.#random.fork('reads'))
    if (this.#keyed !== undefined) this.#keyedOnAndOn(this.#keyed, this.#random.fork('keyed'))
    this.#follows?.start()
    const { drops = false, leaves, resends = false } = this.#options
    this.#faults.start(this.#random, {
      drops,
      resends,
      views: this.#views,
      ...(leaves === undefined ? {} : { leaves }),
    })
  }

  #writeOnAndOn(random: Random): void {
    this.#queue.after(random.between(50, 700), () => {
      if (this.#faults.healed) return
      this.#write(random.pick(this.#machines), random)
      this.#writeOnAndOn(random)
    })
  }

  #keyedOnAndOn(keyed: PartitionKeyed, random: Random): void {
    this.#queue.after(random.between(50, 500), () => {
      if (this.#faults.healed) return
      keyed.act(random.pick(this.#machines), random)
      this.#keyedOnAndOn(keyed, random)
    })
  }

  #readOnAndOn(random: Random): void {
    this.#queue.after(random.between(50, 700), () => {
      if (this.#faults.healed) return
      const collection = random.pick(this.#maps)
      const key = `key ${random.below(KEYS)}`
      const isOfAll = this.#options.repairs === true && random.chance(0.5)
      const machine = random.pick(this.#machines)
      if (isOfAll) this.#reads.readAll(machine, nameOf(collection, key), key)
      else this.#reads.read(machine, nameOf(collection, key), key)
      this.#readOnAndOn(random)
    })
  }

  /** Without hints only owners write, to copies that are whole. */
  #write(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    const collection = random.pick(this.#maps)
    const key = `key ${random.below(KEYS)}`
    const name = nameOf(collection, key)
    const { value, endsAtMs } = this.#draw(machine, random)
    if (peer === undefined) return
    const { placement } = peer.collections
    const isOwning = isOwner(peer, name) && placement.holds(name) && placement.hasAllOwn(name)
    if (!this.#hints && (!isOwning || !('replica' in peer.collections.locate(name)))) return
    const written = peer.partitions.write(name, key, value, machine.clock.now())
    this.#writing.made(machine, peer, { name, key, endsAtMs, removes: false }, written, random)
  }

  /** Where weeks pass, more is deleted, and some values expire. */
  #draw(machine: SimulatedPeer, random: Random): { value: Uint8Array | undefined; endsAtMs: number } {
    const isEnding = random.chance(this.#days === undefined ? 0.1 : 0.4)
    const value = encodeValue(this.#writing.count, 100)
    if (!isEnding) return { value, endsAtMs: Infinity }
    if (this.#days === undefined || random.chance(0.7)) return { value: undefined, endsAtMs: 0 }
    const endsAtMs = machine.clock.now().wallMs + random.mostlySmall(1000, 10 * DAY_MS)
    return { value: expiring(value, endsAtMs), endsAtMs }
  }

  #settle(): void {
    this.#faults.healed = true
    this.#days?.end()
    this.#network.heal()
    for (const machine of this.#machines) this.#faults.up(machine)
    const startMs = this.#queue.nowMs
    while (
      this.#queue.nowMs - startMs < SETTLE_MAX_MS &&
      this.#violations.length === 0 &&
      this.#unsettled() !== undefined
    ) {
      this.#runUntil(this.#queue.nowMs + 1000)
    }
    this.#settleMs = this.#queue.nowMs - startMs
    this.#violated(this.#unsettled())
    if (this.#violations.length === 0) this.#violated(this.#keyed?.check(this.#witnesses()))
  }

  #unsettled(): Violation | undefined {
    const witnesses = this.#witnesses()
    return unsettled(witnesses, this.#collections, this.#ledger.writes) ?? this.#follows?.behind(witnesses)
  }

  #runUntil(timeMs: number): void {
    while (this.#queue.nowMs < timeMs && this.#violations.length === 0) {
      const pauseMs = Math.min(timeMs, this.#queue.nowMs + CHECK_EVERY_MS)
      while (this.#queue.step(pauseMs)) if (this.#violations.length > 0) return
      const witnesses = this.#witnesses()
      this.#violated(this.#ledger.check(witnesses, this.#queue.nowMs))
      this.#reads.look(witnesses, this.#queue.nowMs)
      this.#handovers.look()
      this.#faults.letGo()
      this.#follows?.look()
    }
  }

  /** Some machine has a whole copy of a partition that is reported as lost. */
  #isThere({ name: collection, partitions }: Extract<PeerEvent, { readonly type: 'partition-lost' }>): boolean {
    const { kind } = nameOf(collection, '')
    return partitions.some((index) => this.#faults.hasWhole({ collection, kind, partition: PARTITIONS + index }))
  }

  #witnesses(): Witness[] {
    const there = this.#machines.filter(({ life, persistent, peer }) => life > 0 && (persistent || peer !== undefined))
    return there.filter((machine) => !this.#faults.gone.has(machine)).map((machine) => witnessOf(machine))
  }

  #violated(violation: Violation | undefined): void {
    if (violation !== undefined) this.#violations.push(`${(this.#queue.nowMs / 1000).toFixed(3)} s: ${violation}`)
  }

  #makeMachine(index: number, persistent: boolean): SimulatedPeer {
    const random = this.#random.fork(`machine ${index}`)
    const world = {
      queue: this.#queue,
      network: this.#network,
      ledger: new Ledger(),
      trace: this.#trace,
      collections: [],
      confirmed: () => undefined,
      travelled: () => undefined,
      heard: (machine: SimulatedPeer, event: PeerEvent) => {
        if (event.type === 'partition-lost' && this.#faults.hears(machine) && this.#isThere(event))
          this.#violated(`lost: ${machine.peer!.peerId} reports ${event.partitions.join()}`)
        if (event.type === 'session' && event.complete) this.#reads.met(machine, event.neighbour)
        this.#writing.heard(machine, event)
      },
      stepped: (machine: SimulatedPeer) => this.#handovers.stepped(machine),
      violated: (violation: Violation) => this.#violated(violation),
    }
    const disk = new SimulatedDisk(this.#queue, random.fork('disk'))
    // What is not durable yet is often much.
    if (
      this.#hints &&
      (random.fork('slow').chance(0.3) || this.#options.drops === true || this.#options.resends === true)
    )
      disk.delayMaxMs = 1500
    return new SimulatedPeer(world, {
      index,
      disk,
      clock: new SimulatedClock(this.#queue, random.below(1_000_000)),
      persistent,
      partitioning: partitioning({ joins: index > 0, ownsInMemory: this.#ownsInMemory }),
      random: random.fork('peer'),
    })
  }
}
