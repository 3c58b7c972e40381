import type { CollectionDescriptor, PartitionName } from '@gossipgrid/core'
import type { Rendezvous } from '@gossipgrid/core/internals'
import type { EventQueue } from './event-queue.ts'
import { isLastOwner } from './partition-ledger.ts'
import type { PartitionLedger } from './partition-ledger.ts'
import { PartitionDrops } from './partition-drops.ts'
import { PartitionResends } from './partition-resends.ts'
import type { PartitionViews } from './partition-views.ts'
import { copyKey, witness } from './partition-witness.ts'
import type { Witness } from './partition-witness.ts'
import { peerIdOf } from './peer-ids.ts'
import type { Random } from './random.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

const DROPS_LOOK_MS = 100
/** How long machines may take to meet one that was apart. */
const BACK_MAX_MS = 60_000

export interface PartitionFaultsDeps {
  readonly collections: readonly CollectionDescriptor[]
  readonly ledger: PartitionLedger
  /** All of them, also those that are added later. */
  readonly machines: readonly SimulatedPeer[]
  readonly network: SimulatedNetwork
  /** Machines without a disk own as well. */
  readonly ownsInMemory: boolean
  readonly queue: EventQueue
}

export interface PartitionFaultOptions {
  readonly drops?: boolean
  readonly leaves?: boolean
  readonly resends?: boolean
  readonly views?: PartitionViews | undefined
}

/** What happens to the machines of a simulation of partitions: they crash, lose their disks, are cut off, leave and come back. */
export class PartitionFaults {
  /** Nothing more happens. */
  healed = false
  leaves = 0
  lostDisks = 0
  /** Machines whose peers have left the grid, for a while or for good. */
  readonly gone: Set<SimulatedPeer> = new Set()
  /** Nothing happens for a while. */
  paused = false
  /** Machines that reach no other one, and do not come up again if they are down. */
  readonly apart: Set<SimulatedPeer> = new Set()
  /** Machines that will not come back, as a user believes. */
  readonly forgotten: Set<SimulatedPeer> = new Set()
  /** Simulated milliseconds at which machines that were apart reached the others again. */
  readonly backAtMs: Map<SimulatedPeer, number> = new Map()
  /** Simulated milliseconds at which disks last lost something. */
  readonly lostDiskAtMs: Map<SimulatedPeer, number> = new Map()
  readonly #deps: PartitionFaultsDeps
  /** Machines whose peers are leaving, and in which life. */
  readonly #leaving = new Map<SimulatedPeer, number>()
  #goodbyes: Random | undefined

  constructor(deps: PartitionFaultsDeps) {
    this.#deps = deps
  }

  /**
   * `leaves`: whether machines leave; in some simulations if left out. `drops`: whether owners crash when others have dropped their copies.
   * `resends`: whether rows are sent again, and owners crash when a hint has ended.
   */
  start(random: Random, { drops = false, leaves, resends = false, views }: PartitionFaultOptions): void {
    const { machines, network, queue } = this.#deps
    this.#goodbyes = random.fork('goodbyes')
    const faults = random.fork('faults')
    this.#repeat(faults.between(3000, 20_000), faults.fork('crash'), (each) => this.crash(each.pick(machines), each))
    this.#repeat(faults.between(4000, 30_000), faults.fork('break'), (each) => {
      network.breakLink(each.pick(network.links))
    })
    this.#repeat(faults.between(10_000, 60_000), faults.fork('split'), (each) => {
      const groups = each.between(2, 3)
      this.split(machines.map(() => each.below(groups)))
      queue.after(each.between(1000, 25_000), () => this.split(machines.map(() => 0)))
    })
    this.#repeat(faults.between(15_000, 60_000), faults.fork('disk'), (each) => {
      this.#loseDisk(each.pick(machines), each)
    })
    this.#repeat(faults.between(20_000, 80_000), faults.fork('storm'), (each) => this.#storm(each))
    if (views !== undefined) {
      const flaps = random.fork('views')
      views.start(flaps)
      this.#repeat(flaps.between(300, 4000), flaps, (each) => views.flap(each))
    }
    if (drops) {
      const watch = new PartitionDrops(machines, (machine, each) => this.crash(machine, each))
      this.#repeat(DROPS_LOOK_MS, random.fork('drops'), (each) => watch.look(each))
    }
    if (resends) {
      const watch = new PartitionResends(machines, network, (machine, each) => this.crash(machine, each))
      this.#repeat(DROPS_LOOK_MS, random.fork('resends'), (each) => watch.look(each))
    }
    const leaving = random.fork('leave')
    if (leaves ?? leaving.chance(0.4)) {
      this.#repeat(leaving.between(15_000, 50_000), leaving, (each) => this.#leave(each.pick(machines)))
    }
  }

  /** Machines reach those of their own group, and those that are apart none. */
  split(groups: readonly number[]): void {
    const { machines, network } = this.#deps
    network.split(machines.map((machine, at) => (this.apart.has(machine) ? machines.length + at : groups[at]!)))
  }

  /** A machine hands over what it has, if enough others stay that it knows as owners. */
  #leave(machine: SimulatedPeer): void {
    const { peer } = machine
    if (peer === undefined) return
    const placement = peer.collections.placement as Rendezvous
    const staying = this.#deps.machines.filter((each) => each.peer !== undefined && !this.#leaving.has(each))
    const durable = staying.filter((each) => {
      // One that has just joined is not registered yet: the machine hands over to the others.
      const isKnown = each === machine || placement.isExpected(peerIdOf(each.index))
      return isKnown && (each.persistent || this.#deps.ownsInMemory) && !this.forgotten.has(each)
    })
    if (!durable.includes(machine) || durable.length <= this.#deps.ledger.ownersMax) return
    this.#leaving.set(machine, machine.life)
    peer.partitions.leave(machine.clock.now())
  }

  /** Peers that have handed over everything go. */
  letGo(): void {
    for (const [machine, life] of this.#leaving) {
      const { peer } = machine
      if (peer !== undefined && machine.life === life) {
        const { hints, remaining } = peer.partitions
        // It goes once it is durable that it has nothing left: until then its disk has what it had.
        const isDurable = peer.report(machine.clock.now()).backlog.undurableBytes === 0
        if (remaining.length > 0 || (hints?.count ?? 0) > 0 || !isDurable || machine.closing) continue
        machine.close(true)
        this.gone.add(machine)
        this.leaves += 1
        // Some come back.
        if (this.#goodbyes!.chance(0.5)) {
          this.#deps.queue.after(this.#goodbyes!.between(1000, 30_000), () => {
            this.gone.delete(machine)
            this.up(machine)
          })
        }
      }
      this.#leaving.delete(machine)
    }
  }

  /** Others lose their disks and begin again, slowly, when the machine that still has everything goes down. */
  #storm(random: Random): void {
    const { links } = this.#deps.network
    const slowMs = random.between(0, 2000)
    for (const link of links) link.slowMs = slowMs
    this.#deps.queue.after(25_000, () => links.forEach((link) => (link.slowMs = 0)))
    const [last, ...others] = random.shuffle(this.#deps.machines)
    for (const machine of others) if (random.chance(0.7)) this.#loseDisk(machine, random)
    this.#deps.queue.after(random.between(0, 15_000), () => {
      this.crash(last!, random, random.between(5000, 25_000))
      // They meet each other again meanwhile.
      for (const link of links) this.#deps.network.breakLink(link)
    })
  }

  #repeat(everyMs: number, random: Random, cause: (random: Random) => void): void {
    this.#deps.queue.after(everyMs * (0.5 + random.fraction()), () => {
      if (this.healed) return
      if (!this.paused) cause(random)
      this.#repeat(everyMs, random, cause)
    })
  }

  /** A machine that others may know has a whole copy of a partition. Those that begin while it is apart have never heard of it. */
  hasWhole(name: PartitionName): boolean {
    return this.#deps.machines
      .filter((machine) => machine.life > 0 && !this.gone.has(machine) && this.hears(machine))
      .some((machine) => witnessOf(machine).copies.get(copyKey(name))?.whole === true)
  }

  /** Whether a machine has been in reach of others for long enough for them to know what it says, and the other way round. */
  hears(machine: SimulatedPeer): boolean {
    const backAtMs = this.backAtMs.get(machine) ?? -Infinity
    return !this.apart.has(machine) && this.#deps.queue.nowMs - backAtMs > BACK_MAX_MS
  }

  /** Starts a machine that is down, unless its peer has left. */
  up(machine: SimulatedPeer): void {
    const isDown = machine.peer === undefined && !this.gone.has(machine)
    if (!isDown || (this.apart.has(machine) && machine.life > 0)) return
    machine.start()
    for (const other of this.#deps.machines) if (other !== machine) this.#deps.network.dial(machine.index, other.index)
    for (const collection of this.#deps.collections) machine.peer!.open(collection)
    machine.take({ type: 'tick' })
  }

  /** A machine goes down, and comes up again after a while, unless it is apart then. */
  crash(machine: SimulatedPeer, random: Random, downMs: number = random.mostlySmall(50, 20_000)): void {
    if (machine.peer === undefined || this.healed) return
    // What a peer has only in memory is lost like a disk.
    const losing = !machine.persistent && this.#deps.ownsInMemory ? witnessOf(machine) : undefined
    const others = losing === undefined ? [] : this.#othersThan(machine)
    if (losing !== undefined && isLastOwner(losing, others)) return
    machine.crash(random.pick(['whole', 'nothing']))
    this.#deps.ledger.crashed(machine.index, machine.persistent ? witness(machine.stored()) : undefined)
    if (losing !== undefined) this.#deps.ledger.excuse(others, this.#deps.queue.nowMs)
    this.#deps.queue.after(downMs, () => this.up(machine))
  }

  /** A disk loses all, or a part of what it has, unless no other owner has a whole copy of something. */
  #loseDisk(machine: SimulatedPeer, random: Random): void {
    if (machine.life === 0 || !machine.persistent) return
    this.crash(machine, random)
    if (machine.peer !== undefined) return
    const others = this.#othersThan(machine)
    if (isLastOwner(witnessOf(machine), others)) return
    const blobs = machine.disk.blobs()
    if (random.chance(0.5) || blobs.length === 0) machine.disk.lose()
    else machine.disk.damage(random.pick(blobs)[0])
    this.lostDisks += 1
    this.lostDiskAtMs.set(machine, this.#deps.queue.nowMs)
    this.#deps.ledger.excuse([...others, witnessOf(machine)], this.#deps.queue.nowMs)
  }

  /** What other machines have for certain: what a peer with a disk has only in memory may be gone with the next crash. */
  #othersThan(machine: SimulatedPeer): Witness[] {
    const others = this.#deps.machines.filter((each) => each !== machine && each.life > 0 && !this.gone.has(each))
    return others.flatMap((each) => {
      if (each.persistent) return [witness(each.stored())]
      return this.#deps.ownsInMemory && each.peer !== undefined ? [witness(each.peer)] : []
    })
  }
}

/** What a machine has: its running peer, or its disk. */
export function witnessOf(machine: SimulatedPeer): Witness {
  return witness(machine.peer ?? machine.stored())
}
