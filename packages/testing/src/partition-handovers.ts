import type { PartitionName, Peer } from '@gossipgrid/core'
import type { Rendezvous } from '@gossipgrid/core/internals'
import type { Violation } from './checkers.ts'
import type { EventQueue } from './event-queue.ts'
import { hasRow, rememberedVersions } from './partition-ledger.ts'
import type { PartitionLedger, PartitionWrite } from './partition-ledger.ts'
import { copyKey, ownersOf } from './partition-witness.ts'
import { peerIdOf } from './peer-ids.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** The words that a copy is dropped on are no older than this. */
const WORD_MAX_MS = 30_000
/** An owner keeps its copy for so long after another peer has dropped one on its word, which holds for a minute. */
const KEPT_AFTER_DROP_MS: number = 60_000 - WORD_MAX_MS

/** How long a former owner may take to notice that an owner has started again: 500 ms, and what is under way. */
const UNNOTICED_MAX_MS = 750

export interface PartitionHandoversDeps {
  readonly ledger: PartitionLedger
  /** Simulated milliseconds at which disks last lost something. */
  readonly lostDiskAtMs: ReadonlyMap<SimulatedPeer, number>
  readonly machines: readonly SimulatedPeer[]
  readonly queue: EventQueue
  readonly violated: (violation: Violation) => void
}

/** The copies of a machine after its last step. */
interface Had {
  readonly life: number
  /** When this life began. */
  readonly sinceMs: number
  readonly names: ReadonlyMap<string, PartitionName>
}

/** A copy was dropped on the word of these machines, each in its life of then. */
interface Dropped {
  readonly atMs: number
  readonly by: SimulatedPeer
  readonly words: ReadonlyMap<SimulatedPeer, number>
}

/**
 * Looks at every copy in the very step in which it is dropped. All that was in it is on the disks of the owners then, and none of
 * those drops its own copy soon after.
 */
export class PartitionHandovers {
  readonly #deps: PartitionHandoversDeps
  readonly #had = new Map<SimulatedPeer, Had>()
  /** By machine and partition: what its copy had at the last look. */
  readonly #rows = new Map<string, PartitionWrite[]>()
  readonly #dropped = new Map<string, Dropped[]>()

  constructor(deps: PartitionHandoversDeps) {
    this.#deps = deps
  }

  /** Notes what the copies have. */
  look(): void {
    this.#rows.clear()
    const versions = rememberedVersions()
    for (const machine of this.#deps.machines) {
      const { peer } = machine
      if (peer === undefined) continue
      for (const write of this.#deps.ledger.writes) {
        if (!write.acknowledged || write.excused || !hasRow(peer, write, versions)) continue
        const place = placeOf(machine, copyKey(write.name))
        const rows = this.#rows.get(place)
        if (rows === undefined) this.#rows.set(place, [write])
        else rows.push(write)
      }
    }
  }

  /** A machine has taken a step. */
  stepped(machine: SimulatedPeer): void {
    const { life, peer } = machine
    if (peer === undefined) return
    const { copies } = peer.collections.placement as Rendezvous
    const names = new Map([...copies.names()].map((name) => [copyKey(name), name]))
    const before = this.#had.get(machine)
    const sinceMs = before?.life === life ? before.sinceMs : this.#deps.queue.nowMs
    this.#had.set(machine, { life, names, sinceMs })
    if (before?.life !== life) return
    for (const [key, name] of before.names) if (!names.has(key)) this.#check(machine, peer, key, name)
  }

  #check(machine: SimulatedPeer, peer: Peer, key: string, name: PartitionName): void {
    const owners = ownersOf(peer, name)
    if (owners.size === 0 || owners.has(peer.peerId)) return
    const { nowMs } = this.#deps.queue
    const words = this.#deps.machines.filter(({ index }) => owners.has(peerIdOf(index)))
    const earlier = this.#dropped.get(key) ?? []
    for (const { atMs, by, words: relied } of earlier) {
      if (by === machine || relied.get(machine) !== machine.life || nowMs - atMs >= KEPT_AFTER_DROP_MS) continue
      this.#deps.violated(`word: ${peer.peerId} drops ${key}, on which ${peerIdOf(by.index)} has relied`)
    }
    // It may have given its word in the life before, and forgotten it. That the connection broke is not noticed at once.
    const bound = words.filter((owner) => nowMs - (this.#had.get(owner)?.sinceMs ?? nowMs) > UNNOTICED_MAX_MS)
    earlier.push({ atMs: nowMs, by: machine, words: new Map(bound.map((owner) => [owner, owner.life])) })
    this.#dropped.set(key, earlier)
    // The word of one whose disk was lost since holds until that is noticed.
    const sound = words.filter((owner) => {
      return owner.persistent && nowMs - (this.#deps.lostDiskAtMs.get(owner) ?? -Infinity) > WORD_MAX_MS
    })
    for (const write of this.#rows.get(placeOf(machine, key)) ?? []) {
      for (const owner of sound) {
        if (hasRow(owner.stored(), write)) continue
        this.#deps.violated(
          `drop: ${peer.peerId} drops ${key}, and '${write.key}' is not on the disk of ${peerIdOf(owner.index)}`,
        )
        return
      }
    }
  }
}

function placeOf({ index }: SimulatedPeer, key: string): string {
  return `${index} ${key}`
}
