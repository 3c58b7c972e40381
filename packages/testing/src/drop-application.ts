import { DROPS, compositeKey, encodeValue } from '@gossipgrid/core'
import type { Peer } from '@gossipgrid/core'
import type { Application } from './application.ts'
import type { Violation } from './checkers.ts'
import { isOwed } from './ledger.ts'
import type { Ledger, LedgerWrite } from './ledger.ts'
import type { Random } from './random.ts'
import { simulatedCollection } from './simulated-collection.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

const NAMES = ['drafts', 'pages', 'trials'] as const
const KEYS = 8
const DROP_SHARE = 0.12

/** A collection of one name, between two drops of it. */
interface Generation {
  readonly name: string
  readonly generation: number
  readonly collection: SimulatedCollection
}

/**
 * Writes to collections and drops them at every peer. Going by what was acknowledged: what was dropped is gone, and what was
 * written with knowledge of all drops is there.
 */
export class DropApplication implements Application {
  /** Which collections there are changes, so that the checks of all collections are made here. */
  readonly collections: readonly SimulatedCollection[] = []
  readonly #drops = simulatedCollection(DROPS.name, DROPS.kind)
  /** By the name under which it is stored. */
  readonly #generations = new Map<string, Generation>()
  readonly #dropped: { readonly name: string; readonly generation: number; readonly write: LedgerWrite }[] = []
  #count = 0

  constructor(ledger: Ledger) {
    ledger.mayBeDropped = (write) => this.#mayBeDropped(write)
  }

  act(machine: SimulatedPeer, random: Random): void {
    const name = random.pick(NAMES)
    const key = `key ${random.mostlySmall(0, KEYS - 1)}`
    const choice = random.fraction()
    const { peer } = machine
    if (peer === undefined) return
    if (choice < DROP_SHARE) this.#drop(machine, peer, name)
    else this.#write(machine, peer, name, key, choice < 0.25)
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const name = random.pick(NAMES)
    const { peer } = machine
    if (peer !== undefined) this.#drop(machine, peer, name)
  }

  read(): void {}

  check(peer: Peer): Violation | undefined {
    const { collections } = peer
    for (const name of NAMES) {
      const current = collections.dropped.generationOf(name)
      if (current <= this.#highest(name, isOwed)) {
        return `drops: ${peer.peerId} is at generation ${current} of '${name}', which was dropped`
      }
      if (current > this.#highest(name, mayHaveHappened) + 1) {
        return `drops: ${peer.peerId} is at generation ${current} of '${name}', and none before it was dropped`
      }
    }
    for (const { name, generation, collection } of this.#generations.values()) {
      const isThere = collections.get(collection.name, collection.code) !== undefined
      if (isThere && generation < collections.dropped.generationOf(name)) {
        return `drops: ${peer.peerId} has generation ${generation} of '${name}', which was dropped`
      }
    }
    return undefined
  }

  #write(machine: SimulatedPeer, peer: Peer, name: string, key: string, deletes: boolean): void {
    const { collection, generation } = this.#generationAt(peer, name)
    this.#count += 1
    const value = deletes ? undefined : encodeValue([this.#count, generation], 64)
    machine.write(collection, [{ key, value }])
  }

  #drop(machine: SimulatedPeer, peer: Peer, name: string): void {
    const { generation } = this.#generationAt(peer, name)
    peer.collections.internal(DROPS)
    const key = compositeKey(name, String(generation))
    const [write] = machine.write(this.#drops, [{ key, value: encodeValue({ parts: [] }, 64) }])
    if (write !== undefined) this.#dropped.push({ name, generation, write })
    if (machine.peer === peer && peer.collections.dropped.generationOf(name) <= generation) {
      machine.check(`drops: ${peer.peerId} has dropped '${name}' and is still at generation ${generation}`)
    }
  }

  /** The collection that a peer would open under a name. */
  #generationAt(peer: Peer, name: string): Generation {
    const generation = peer.collections.dropped.generationOf(name)
    const stored = peer.open({ name, kind: 'map', mode: 'replicated', partitions: 1 }).descriptor.name
    let known = this.#generations.get(stored)
    if (known === undefined) {
      known = { name, generation, collection: simulatedCollection(stored, 'map') }
      this.#generations.set(stored, known)
    }
    return known
  }

  /** The highest generation of a name of which a drop fits; -1 if there is none. */
  #highest(name: string, fits: (write: LedgerWrite) => boolean): number {
    const found = this.#dropped.filter((each) => each.name === name && fits(each.write))
    return found.reduce((highest, { generation }) => Math.max(highest, generation), -1)
  }

  #mayBeDropped({ collection }: LedgerWrite): boolean {
    const of = this.#generations.get(collection.name)
    return of !== undefined && of.generation <= this.#highest(of.name, mayHaveHappened)
  }
}

function mayHaveHappened({ withdrawn }: LedgerWrite): boolean {
  return !withdrawn
}
