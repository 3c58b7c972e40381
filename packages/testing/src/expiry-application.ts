import { encodeValue, expiring } from '@gossipgrid/core'
import type { Instant, Peer } from '@gossipgrid/core'
import type { Application } from './application.ts'
import type { Violation } from './checkers.ts'
import { compareVersions, versionOf, partitionOf, sameValue } from './peer-state.ts'
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

/**
 * A map in which most entries expire. A read never returns an expired entry, and never returns an entry again after it
 * was gone.
 */
export class ExpiryApplication implements Application {
  readonly collections: readonly SimulatedCollection[]
  readonly #collection: SimulatedCollection
  readonly #ledger: Ledger
  readonly #traits: ExpiryTraits
  /** Keys that each machine has found gone since it started. */
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
    const write = this.#currentWrite(peer, key)
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
      const write = this.#currentWrite(peer, keyOf(i))
      const violation = write === undefined ? undefined : this.#checkRead(peer, keyOf(i), write, now)
      if (violation !== undefined) return violation
    }
    return undefined
  }

  /** The write that a peer has for a key. Its expiry alone decides what the peer must show. */
  #currentWrite(peer: Peer, key: string): LedgerWrite | undefined {
    const found = versionOf(peer, this.#collection, key)
    if (found === undefined) return undefined
    const { table } = partitionOf(peer, this.#collection)!.replica
    const value = table.value(table.slotOf(key)!)
    // A crash that undid a write gives its version out again, and so does a disk that was set back.
    const writes = this.#ledger.writesOf(this.#collection, key).filter((write) => compareVersions(write, found) === 0)
    return writes.find((write) => sameValue(write.value, value)) ?? writes[0]
  }

  #checkRead(peer: Peer, key: string, { value, expiresAtMs }: LedgerWrite, now: Instant): Violation | undefined {
    const shown = this.#shown(peer, key, now)
    const what = `'${key}' of '${this.#collection.name}' at ${peer.peerId}`
    if (value === undefined || peer.wallMs(now) >= expiresAtMs) {
      return shown === undefined ? undefined : `expiry: ${what} is shown although it is deleted or its time has come`
    }
    // After its clock was set back, a peer may keep an expired entry hidden.
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
