import { peerIdOf } from './peer-ids.ts'
import { witnessOf } from './partition-faults.ts'
import type { PartitionFaults } from './partition-faults.ts'
import { hasWrite } from './partition-ledger.ts'
import type { PartitionLedger } from './partition-ledger.ts'
import type { PartitionReads } from './partition-reads.ts'
import type { PartitionViews } from './partition-views.ts'
import type { Random } from './random.ts'
import type { EventQueue } from './event-queue.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

const DAY_MS = 86_400_000

export interface PartitionDaysDeps {
  readonly faults: PartitionFaults
  readonly ledger: PartitionLedger
  readonly machines: readonly SimulatedPeer[]
  readonly network: SimulatedNetwork
  readonly queue: EventQueue
  readonly reads: PartitionReads
  readonly random: Random
  /** Marks machines that are apart as away. Undefined where none are marked. */
  readonly views: PartitionViews | undefined
  /** Lets the simulation go on up to a moment. */
  runUntil(timeMs: number): void
}

/**
 * Weeks pass in a simulation of partitions, so that deletes are purged: the machines that are there agree on what may be, and then the
 * clocks jump. Others are apart meanwhile, running or not, and come back with what they had.
 */
export class PartitionDays {
  /** Weeks that have passed. */
  passed = 0
  readonly #deps: PartitionDaysDeps

  constructor(deps: PartitionDaysDeps) {
    this.#deps = deps
  }

  /** More than a grace period passes. */
  pass(): void {
    const { faults, machines, queue, random, runUntil, views } = this.#deps
    faults.paused = true
    const apart = this.#partOff()
    // Both sides write.
    runUntil(queue.nowMs + random.between(4000, 20_000))
    for (const machine of apart) if (random.chance(0.6)) faults.crash(machine, random)
    for (const machine of machines) faults.up(machine)
    views?.away(apart, random)
    if (random.chance(0.15) && views === undefined) this.#forget(apart)
    // Five minutes after a start, owners look at their floors, and then every 15 s.
    this.#standStill(300_000)
    runUntil(queue.nowMs + random.between(40_000, 80_000))
    this.#standStill(random.between(15, 22) * DAY_MS)
    this.#deps.reads.forget()
    this.passed += 1
    faults.paused = false
    for (const machine of apart) {
      if (random.chance(0.2)) continue
      queue.after(random.below(20_000), () => this.#takeBack([machine]))
    }
  }

  /** The clocks of all machines jump. Nothing that is under way arrives so much later, not by a slow way either. */
  #standStill(forMs: number): void {
    const { faults, machines, network, queue, runUntil } = this.#deps
    network.split(machines.map(({ index }) => index))
    for (const link of network.links) network.breakLink(link)
    runUntil(queue.nowMs + 10_000)
    queue.skip(queue.nowMs + forMs)
    faults.split(machines.map(() => 0))
  }

  /** Everything comes back. */
  end(): void {
    this.#takeBack([...this.#deps.faults.apart])
  }

  /** Some machines, at most all but one, reach no other one from now on. */
  #partOff(): SimulatedPeer[] {
    const { faults, machines, random } = this.#deps
    const up = random.shuffle(machines.filter(({ peer }) => peer !== undefined))
    for (const machine of up.slice(1)) if (random.chance(0.35)) faults.apart.add(machine)
    faults.split(machines.map(() => 0))
    return [...faults.apart]
  }

  #takeBack(apart: readonly SimulatedPeer[]): void {
    const { faults, machines, queue } = this.#deps
    for (const machine of apart) {
      faults.apart.delete(machine)
      faults.backAtMs.set(machine, queue.nowMs)
    }
    faults.split(machines.map(() => 0))
    for (const machine of apart) faults.up(machine)
  }

  /** One that is apart will not come back, as its user believes. */
  #forget(apart: readonly SimulatedPeer[]): void {
    const { faults, ledger, machines, random } = this.#deps
    const here = machines.find((each) => each.peer !== undefined && !faults.apart.has(each))
    if (here?.peer === undefined || apart.length === 0) return
    const forgotten = random.pick(apart)
    const staying = machines.filter((each) => each.persistent && each !== forgotten && !faults.forgotten.has(each))
    if (staying.length < ledger.ownersMax) return
    faults.forgotten.add(forgotten)
    here.peer.forget(peerIdOf(forgotten.index), here.clock.now())
    here.take({ type: 'tick' })
    const others = machines.filter((each) => each !== forgotten && each.life > 0).map((each) => witnessOf(each))
    for (const write of ledger.writes) {
      if (write.machine === forgotten.index) write.forgotten = true
      // The others go on without what it alone has, until it comes back.
      if (!others.some((each) => hasWrite(each, write))) write.readable = false
    }
  }
}
