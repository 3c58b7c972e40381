import { copyKey, ownersOf } from './partition-witness.ts'
import { peerIdOf } from './peer-ids.ts'
import type { PartitionName } from '@gossipgrid/core'
import type { Random } from './random.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** The hints of a machine at the last look. */
interface Had {
  readonly life: number
  readonly names: ReadonlyMap<string, PartitionName>
}

/**
 * Breaks the links of machines whose hints are under way, so that owners are sent rows again that they have and that are not on their
 * disks yet. It crashes owners just when a hint has ended: what they have confirmed must be on their disks.
 */
export class PartitionResends {
  readonly #machines: readonly SimulatedPeer[]
  readonly #network: SimulatedNetwork
  readonly #crash: (machine: SimulatedPeer, random: Random) => void
  readonly #had = new Map<SimulatedPeer, Had>()

  constructor(
    machines: readonly SimulatedPeer[],
    network: SimulatedNetwork,
    crash: (machine: SimulatedPeer, random: Random) => void,
  ) {
    this.#machines = machines
    this.#network = network
    this.#crash = crash
  }

  look(random: Random): void {
    for (const machine of this.#machines) {
      const { index, life, peer } = machine
      if (peer === undefined) continue
      const hints = [...(peer.partitions.hints ?? [])]
      const names = new Map(hints.map(({ name, row }) => [`${copyKey(name)} ${row.key}`, name]))
      const before = this.#had.get(machine)
      this.#had.set(machine, { life, names })
      if (before?.life !== life) continue
      const ended = [...before.names].find(([key]) => !names.has(key))
      if (ended !== undefined && random.chance(0.3)) {
        const owners = ownersOf(peer, ended[1])
        for (const owner of this.#machines) if (owners.has(peerIdOf(owner.index))) this.#crash(owner, random)
      } else if ([...names.keys()].some((key) => before.names.has(key)) && random.chance(0.3)) {
        for (const link of this.#network.links)
          if (link.ends.some((end) => end.peer === index)) this.#network.breakLink(link)
      }
    }
  }
}
