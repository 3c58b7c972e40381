import { PRESENT, compositeKey, splitKey } from '@gossipgrid/core'
import type { Peer } from '@gossipgrid/core'
import type { Application } from './application.ts'
import type { Violation } from './checkers.ts'
import { ElementHistory } from './element-history.ts'
import { partitionOf } from './peer-state.ts'
import type { Random } from './random.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedWrite, SimulatedPeer } from './simulated-peer.ts'

/** As in the SDK: an add that finds more rows than this removes the others. */
const ROWS_MAX = 4

/** Adds and removes elements at every peer. An add wins over a remove whose writer had not seen it. */
export class SetApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #collection: SimulatedCollection
  readonly #elementCount: number
  readonly #elements = new Map<string, ElementHistory>()

  constructor(collection: SimulatedCollection, elementCount: number) {
    this.#collection = collection
    this.collections = [collection]
    this.#elementCount = elementCount
  }

  act(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    const element = `element ${random.mostlySmall(0, this.#elementCount - 1)}`
    const adds = random.chance(0.6)
    if (peer === undefined) return
    if (adds) this.#add(machine, peer, element)
    else this.#remove(machine, peer, element)
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    if (peer === undefined) return
    const present = [...this.#elements.keys()].filter((element) => this.#isPresent(peer, element))
    if (present.length > 0) this.#remove(machine, peer, random.pick(present))
  }

  read(): void {}

  check(peer: Peer): Violation | undefined {
    const { table } = partitionOf(peer, this.#collection)!.replica
    const present = new Set<string>()
    for (const slot of table.slots()) if (!table.deleted(slot)) present.add(splitKey(table.key(slot)).main)
    for (const element of present) {
      if (!this.#elements.has(element)) return `set: ${peer.peerId} shows '${element}', which no peer added`
    }
    for (const [name, element] of this.#elements) {
      if (present.has(name) !== this.#isPresent(peer, name)) {
        return `set: ${peer.peerId} finds other rows of '${name}' by its text than by looking at all`
      }
      if (present.has(name) && element.mustBeGone)
        return `set: ${peer.peerId} shows '${name}', whose every add was removed`
      if (!present.has(name) && element.mustBeThere)
        return `set: ${peer.peerId} lacks '${name}', whose last add no peer removed`
    }
    return undefined
  }

  #add(machine: SimulatedPeer, peer: Peer, name: string): void {
    const element = this.#elementOf(name)
    const key = compositeKey(name, peer.slotId)
    const live = this.#liveRows(peer, name)
    const others = live.length > ROWS_MAX ? live.filter((row) => row.key !== key) : []
    const rows: SimulatedWrite[] = [
      { key, value: PRESENT },
      ...others.map((row) => ({ key: row.key, value: undefined })),
    ]
    const [add, ...removes] = machine.write(this.#collection, rows)
    if (add !== undefined) element.added(add)
    removes.forEach((write, i) => element.removed(write, others[i]!.hlc))
    if (machine.peer === peer && !this.#isPresent(peer, name))
      machine.check(`set: ${peer.peerId} lacks what it just added`)
  }

  #remove(machine: SimulatedPeer, peer: Peer, name: string): void {
    const element = this.#elementOf(name)
    const live = this.#liveRows(peer, name)
    const removes = machine.write(
      this.#collection,
      live.map(({ key }) => ({ key, value: undefined })),
    )
    removes.forEach((write, i) => element.removed(write, live[i]!.hlc))
    // A quarantined row of another peer may have been applied in the same step: this remove does not cover it.
    const isSeen = (row: LiveRow): boolean => live.some(({ key, hlc }) => key === row.key && hlc === row.hlc)
    if (machine.peer === peer && this.#liveRows(peer, name).some(isSeen))
      machine.check(`set: ${peer.peerId} shows what it just removed`)
  }

  #elementOf(name: string): ElementHistory {
    let element = this.#elements.get(name)
    if (element === undefined) this.#elements.set(name, (element = new ElementHistory()))
    return element
  }

  #liveRows(peer: Peer, name: string): LiveRow[] {
    const { table } = partitionOf(peer, this.#collection)!.replica
    const live = table.slotsOf(name).filter((slot) => !table.deleted(slot))
    return live.map((slot) => ({ key: table.key(slot), hlc: table.hlc(slot) }))
  }

  #isPresent(peer: Peer, name: string): boolean {
    return this.#liveRows(peer, name).length > 0
  }
}

interface LiveRow {
  readonly key: string
  readonly hlc: number
}
