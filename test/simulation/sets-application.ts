import type { Peer } from '@gossipgrid/core'
import { ElementHistory, partitionOf, simulatedCollection } from '@gossipgrid/testing/simulation'
import type { Application, Random, SimulatedCollection, SimulatedPeer, Violation } from '@gossipgrid/testing/simulation'
import { KeyElements, mainOf, mainParts } from '../../packages/grid/src/keyed/key-elements.ts'
import { encodeElement } from '../../packages/grid/src/sets/set-element.ts'
import { LifeTables } from './life-tables.ts'

const KEYS = 4
const ELEMENTS = 6

/** Adds and removes elements of sets under keys at every peer, and deletes keys, with the tables of the SDK. */
export class SetsApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #collection = simulatedCollection('labels', 'sets')
  /** By key and element. */
  readonly #histories = new Map<string, ElementHistory>()
  readonly #tables: LifeTables<KeyElements>

  constructor() {
    this.collections = [this.#collection]
    this.#tables = new LifeTables(this.#collection, (partition) => new KeyElements(partition))
  }

  act(machine: SimulatedPeer, random: Random): void {
    const key = `key ${random.mostlySmall(0, KEYS - 1)}`
    const main = mainOf(key, encodeElement(random.mostlySmall(0, ELEMENTS - 1)))
    const choice = random.fraction()
    const { peer } = machine
    if (peer === undefined) return
    const elements = this.#tables.of(machine, peer)
    if (choice < 0.6) this.#write(machine, peer, [main], true)
    else if (choice < 0.85) this.#write(machine, peer, [main], false)
    else this.#write(machine, peer, mainsOf(elements, key), false)
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    if (peer === undefined) return
    const present = [...this.#tables.of(machine, peer).mains()]
    if (present.length > 0) this.#write(machine, peer, [random.pick(present)], false)
  }

  read(): void {}

  /** Elements are there whose adds no remove had seen, and no others. */
  check(peer: Peer): Violation | undefined {
    const fresh = new KeyElements(partitionOf(peer, this.#collection)!)
    const kept = this.#tables.now(peer)
    for (const main of new Set([...fresh.mains(), ...(kept?.mains() ?? []), ...this.#histories.keys()])) {
      const name = mainParts(main).join('/')
      const history = this.#histories.get(main)
      const isThere = fresh.has(main)
      if (kept !== undefined && kept.has(main) !== isThere) {
        return `sets: ${peer.peerId} finds '${name}' in one of two ways to look, and not in the other`
      }
      if (history === undefined) return `sets: ${peer.peerId} shows '${name}', which no peer added`
      if (isThere && history.mustBeGone) return `sets: ${peer.peerId} shows '${name}', whose every add was removed`
      if (!isThere && history.mustBeThere) return `sets: ${peer.peerId} lacks '${name}', whose last add no peer removed`
    }
    return undefined
  }

  #write(machine: SimulatedPeer, peer: Peer, mains: readonly string[], adds: boolean): void {
    const elements = this.#tables.of(machine, peer)
    const live = new Map(mains.flatMap((main) => this.#liveRows(peer, main)))
    const rows = mains.flatMap((main) => {
      const written = elements.rows(main, adds, peer.slotId)
      return written.map(({ key, bytes }) => ({ main, key, value: bytes }))
    })
    const writes = machine.write(this.#collection, rows)
    writes.forEach((write, i) => {
      const history = this.#historyOf(rows[i]!.main)
      if (write.value === undefined) history.removed(write, live.get(write.key) ?? 0)
      else history.added(write)
    })
    if (machine.peer !== peer) return
    for (const main of mains) {
      if (adds && !elements.has(main)) machine.check(`sets: ${peer.peerId} lacks what it just added`)
      // A quarantined row of another peer may have been applied in the same step: this remove does not cover it.
      const left = adds ? undefined : this.#liveRows(peer, main).find(([key, hlc]) => live.get(key) === hlc)
      if (left !== undefined) machine.check(`sets: ${peer.peerId} shows what it just removed`)
    }
  }

  /** The keys of the rows of an element that are there, and their HLC readings. */
  #liveRows(peer: Peer, main: string): [key: string, hlc: number][] {
    const { table } = partitionOf(peer, this.#collection)!.replica
    const live = table.slotsOf(main).filter((slot) => !table.deleted(slot))
    return live.map((slot) => [table.key(slot), table.hlc(slot)])
  }

  #historyOf(main: string): ElementHistory {
    let history = this.#histories.get(main)
    if (history === undefined) this.#histories.set(main, (history = new ElementHistory()))
    return history
  }
}

function mainsOf(elements: KeyElements, key: string): string[] {
  return Array.from(elements.all.get(key)?.keys() ?? [], (text) => mainOf(key, text))
}
