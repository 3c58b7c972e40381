import type { PartitionName } from '@gossipgrid/core'
import type { Rendezvous } from '@gossipgrid/core/internals'
import { copyKey, ownersOf } from './partition-witness.ts'
import { peerIdOf } from './peer-ids.ts'
import type { Random } from './random.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** What a machine had copies of at the last look. */
interface Had {
  readonly life: number
  readonly names: ReadonlyMap<string, PartitionName>
}

/** Crashes owners just when a former owner has dropped its copy: what they have said that they have must be on their disks. */
export class PartitionDrops {
  readonly #machines: readonly SimulatedPeer[]
  readonly #crash: (machine: SimulatedPeer, random: Random) => void
  readonly #had = new Map<SimulatedPeer, Had>()

  constructor(machines: readonly SimulatedPeer[], crash: (machine: SimulatedPeer, random: Random) => void) {
    this.#machines = machines
    this.#crash = crash
  }

  look(random: Random): void {
    for (const machine of this.#machines) {
      const { life, peer } = machine
      if (peer === undefined) continue
      const { copies } = peer.collections.placement as Rendezvous
      const names = new Map([...copies.names()].map((name) => [copyKey(name), name]))
      const before = this.#had.get(machine)
      this.#had.set(machine, { life, names })
      if (before?.life !== life) continue
      for (const [key, name] of before.names) {
        if (names.has(key)) continue
        const owners = ownersOf(peer, name)
        for (const owner of this.#machines)
          if (owners.has(peerIdOf(owner.index)) && random.chance(0.8)) this.#crash(owner, random)
        break
      }
    }
  }
}
