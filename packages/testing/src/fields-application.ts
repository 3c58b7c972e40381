import { PRESENT, compositeKey, encodeValue, expiring, splitKey } from '@gossipgrid/core'
import type { Instant, Peer } from '@gossipgrid/core'
import type { Application } from './application.ts'
import type { Violation } from './checkers.ts'
import { partitionOf } from './peer-state.ts'
import type { Random } from './random.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedWrite, SimulatedPeer } from './simulated-peer.ts'

export interface FieldsTraits {
  readonly objects: number
  /** Longest life of a field. Above 0, some fields expire. */
  readonly ttlMaxMs: number
}

const FIELDS = ['name', 'mail', 'age', 'city', 'note'] as const

/** Objects whose fields merge one by one. The ledger knows what each field must contain. */
export class FieldsApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #collection: SimulatedCollection
  readonly #traits: FieldsTraits
  #count = 0

  constructor(collection: SimulatedCollection, traits: FieldsTraits) {
    this.#collection = collection
    this.collections = [collection]
    this.#traits = traits
  }

  act(machine: SimulatedPeer, random: Random): void {
    const key = `object ${random.mostlySmall(0, this.#traits.objects - 1)}`
    const fields = random.shuffle(FIELDS).slice(0, random.between(0, 3))
    const choice = random.fraction()
    const ttlMs = this.#traits.ttlMaxMs > 0 && random.chance(0.2) ? random.mostlySmall(1, this.#traits.ttlMaxMs) : 0
    const { peer } = machine
    if (peer === undefined) return
    if (choice < 0.15) machine.write(this.#collection, this.#removal(peer, key))
    else this.#set(machine, peer, key, fields, choice < 0.4, ttlMs)
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    if (peer === undefined) return
    const { table } = partitionOf(peer, this.#collection)!.replica
    const live = [...table.slots()].filter((slot) => !table.deleted(slot))
    if (live.length === 0) return
    machine.write(this.#collection, this.#removal(peer, splitKey(table.key(random.pick(live))).main))
  }

  read(): void {}

  /** All ways to look up the rows of an object give the same object. */
  check(peer: Peer, now: Instant): Violation | undefined {
    const { replica } = partitionOf(peer, this.#collection)!
    const { table } = replica
    const rows = new Map<string, number[]>()
    for (const slot of table.slots()) {
      const { main } = splitKey(table.key(slot))
      rows.set(main, [...(rows.get(main) ?? []), slot])
    }
    for (const [key, slots] of rows) {
      const shown = (found: readonly number[]): string =>
        found
          .map((slot) => `${table.key(slot)}=${replica.read(slot, peer.wallMs(now))?.join()}`)
          .toSorted()
          .join(';')
      if (shown(table.slotsOf(key)) === shown(slots)) continue
      return `fields: ${peer.peerId} finds other rows of '${key}' by its key than by looking at all`
    }
    return undefined
  }

  #set(
    machine: SimulatedPeer,
    peer: Peer,
    key: string,
    fields: readonly string[],
    whole: boolean,
    ttlMs: number,
  ): void {
    this.#count += 1
    const expiresAtMs = peer.wallMs(machine.clock.now()) + ttlMs
    const dated = (value: Uint8Array): Uint8Array => (ttlMs > 0 ? expiring(value, expiresAtMs) : value)
    const rows: SimulatedWrite[] = [{ key, value: dated(PRESENT) }]
    const value = dated(encodeValue([this.#count, machine.index], 64))
    for (const field of fields) rows.push({ key: compositeKey(key, field), value })
    // Replacing the whole object deletes its other fields.
    const written = new Set(rows.map((row) => row.key))
    if (whole) rows.push(...this.#removal(peer, key).filter((row) => !written.has(row.key)))
    machine.write(this.#collection, rows)
  }

  #removal(peer: Peer, key: string): SimulatedWrite[] {
    const { table } = partitionOf(peer, this.#collection)!.replica
    const live = table.slotsOf(key).filter((slot) => !table.deleted(slot))
    return live.map((slot) => ({ key: table.key(slot), value: undefined }))
  }
}
