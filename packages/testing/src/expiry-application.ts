import { encodeValue, expiring } from '@gossipgrid/core'
import type { Instant, Peer } from '@gossipgrid/core'
import type { Application } from './application.ts'
import type { Violation } from './checkers.ts'
import { compareVersions, heldVersion, partitionOf, sameValue } from './held-state.ts'
import type { Ledger, LedgerWrite } from './ledger.ts'
import { liveKey } from './map-application.ts'
import type { Random } from './random.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

export interface ExpiryTraits {
  readonly keys: number
  /** Longest life of an entry. */
  readonly ttlMaxMs: number
}

/** A map most of whose entries expire. Nobody ever reads one whose time has come, nor a second time one that was gone. */
export class ExpiryApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #collection: SimulatedCollection
  readonly #ledger: Ledger
  readonly #traits: ExpiryTraits
  /** What each machine has found gone in its present life. */
  readonly #gone = new Map<string, Set<LedgerWrite>>()
  #count = 0

  constructor(collection: SimulatedCollection, ledger: Ledger, traits: ExpiryTraits) {
    this.#collection = collection
    this.collections = [collection]
    this.#ledger = ledger
    this.#traits = traits
  }

  act(machine: SimulatedPeer, random: Random): void {
    const key = this.#drawKey(random)
    const ttlMs = random.mostlySmall(1, this.#traits.ttlMaxMs)
    const choice = random.fraction()
    const { peer } = machine
    if (peer === undefined) return
    this.#count += 1
    const value = encodeValue([this.#count, machine.index], 64)
    const expiresAtMs = peer.wallMs(machine.clock.now()) + ttlMs
    if (choice < 0.1) machine.write(this.#collection, [{ key, value: undefined }])
    else machine.write(this.#collection, [{ key, value: choice < 0.25 ? value : expiring(value, expiresAtMs) }])
  }

  remove(machine: SimulatedPeer, random: Random): void {
    const key = liveKey(machine, this.#collection, random)
    if (key !== undefined) machine.write(this.#collection, [{ key, value: undefined }])
  }

  read(machine: SimulatedPeer, random: Random): void {
    const { peer } = machine
    const key = this.#drawKey(random)
    if (peer === undefined) return
    const write = this.#heldWrite(peer, key)
    if (write === undefined) return
    const lifeId = `${machine.index} ${machine.life}`
    let gone = this.#gone.get(lifeId)
    if (gone === undefined) this.#gone.set(lifeId, (gone = new Set()))
    const now = machine.clock.now()
    machine.check(this.#checkRead(peer, key, write, now))
    const shown = this.#shown(peer, key, now) !== undefined
    if (shown && gone.has(write)) machine.check(`expiry: '${key}' was gone at ${peer.peerId} and is back`)
    if (!shown && write.value !== undefined) gone.add(write)
  }

  check(peer: Peer, now: Instant): Violation | undefined {
    for (let i = 0; i < this.#traits.keys; i++) {
      const write = this.#heldWrite(peer, keyOf(i))
      const violation = write === undefined ? undefined : this.#checkRead(peer, keyOf(i), write, now)
      if (violation !== undefined) return violation
    }
    return undefined
  }

  /** The write that a peer holds of a key: what it has to show follows from it alone. */
  #heldWrite(peer: Peer, key: string): LedgerWrite | undefined {
    const held = heldVersion(peer, this.#collection, key)
    if (held === undefined) return undefined
    const { table } = partitionOf(peer, this.#collection)!.replica
    const value = table.value(table.slotOf(key)!)
    // A crash that undid a write gives its version out again, and so does a disk that was set back.
    const writes = this.#ledger.writesOf(this.#collection, key).filter((write) => compareVersions(write, held) === 0)
    return writes.find((write) => sameValue(write.value, value)) ?? writes[0]
  }

  #checkRead(peer: Peer, key: string, { value, expiresAtMs }: LedgerWrite, now: Instant): Violation | undefined {
    const shown = this.#shown(peer, key, now)
    const what = `'${key}' of '${this.#collection.name}' at ${peer.peerId}`
    if (value === undefined || peer.wallMs(now) >= expiresAtMs) {
      return shown === undefined ? undefined : `expiry: ${what} is shown although it is deleted or its time has come`
    }
    // A clock that was set back lets an entry that is gone stay so.
    if (shown === undefined) return expiresAtMs === Infinity ? `expiry: ${what} is not shown` : undefined
    const payload = expiresAtMs === Infinity ? value : value.subarray(value.length - shown.length)
    return sameValue(payload, shown) ? undefined : `expiry: ${what} is shown as something else`
  }

  #shown(peer: Peer, key: string, now: Instant): Uint8Array | undefined {
    const { replica } = partitionOf(peer, this.#collection)!
    const slot = replica.table.slotOf(key)
    return slot === undefined ? undefined : replica.read(slot, peer.wallMs(now))
  }

  #drawKey(random: Random): string {
    return keyOf(random.mostlySmall(0, this.#traits.keys - 1))
  }
}

function keyOf(index: number): string {
  return `lease ${index}`
}
