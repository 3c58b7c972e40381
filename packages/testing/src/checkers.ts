import { documentUpdate } from '@gossipgrid/core'
import type { Peer, Replica } from '@gossipgrid/core'
import {
  compareVersions,
  hasSeen,
  heldEntries,
  heldVector,
  heldVersion,
  isHolder,
  partitionOf,
  sameValue,
  versionAt,
} from './held-state.ts'
import type { Version } from './held-state.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedCollection } from './simulated-collection.ts'

/** A promise that was broken, in words. */
export type Violation = string

/**
 * A vector never claims what its replica lacks: for every dot of the ledger that a peer has seen, the peer's entry is
 * that write or a larger version.
 */
export function checkCoverage(ledger: Ledger, peer: Peer): Violation | undefined {
  if (ledger.reusedIds.size > 0) return undefined
  const replicas = new Map<SimulatedCollection, Replica | undefined>()
  for (const ledgerKey of ledger.keys) {
    const { collection, key, writes } = ledgerKey
    if (!replicas.has(collection)) replicas.set(collection, partitionOf(peer, collection)?.replica)
    const replica = replicas.get(collection)
    // Asked for some thousand keys, twice a second, at every peer: it shall not hash them all again.
    ledgerKey.keyHash ??= replica?.table.hashKey(key)
    const slot = replica?.table.find(key, ledgerKey.keyHash!)
    const held = slot === undefined ? undefined : versionAt(peer, collection, replica!, slot)
    for (let i = writes.length - 1; i >= 0; i--) {
      const write = writes[i]!
      if (held !== undefined && compareVersions(write, held) <= 0) break
      if (write.withdrawn || !hasSeen(peer, collection, write.replicaId, write.sequence)) continue
      if (ledger.mayBePurged(collection, key, write, held)) break
      const shown = held === undefined ? 'nothing' : `a smaller version, ${held.replicaId}/${held.sequence}`
      return `coverage: ${peer.peerId} has seen ${write.replicaId}/${write.sequence} of '${textOf(key)}' in '${collection.name}' and holds ${shown}`
    }
  }
  return undefined
}

/**
 * Acknowledged writes whose key ends with a smaller version at a peer that is to hold it, or with none: sets that are lost,
 * deletes that came back.
 */
export function findLost(
  ledger: Ledger,
  peer: Peer,
): { lost: number; resurrected: number; first: Violation | undefined } {
  let lost = 0
  let resurrected = 0
  let first: Violation | undefined
  for (const write of ledger.owed()) {
    const { collection, key } = write
    if (!isHolder(peer, collection)) continue
    const held = heldVersion(peer, collection, key)
    if (ledger.fulfils(held, write) || ledger.mayBePurged(collection, key, write, held)) continue
    if (write.value === undefined) resurrected += 1
    else lost += 1
    const what = write.value === undefined ? 'resurrected' : 'lost'
    first ??= `${what}: ${peer.peerId} lacks ${write.replicaId}/${write.sequence} of '${textOf(key)}' in '${collection.name}', acknowledged at peer ${write.peer}`
  }
  return { lost, resurrected, first }
}

/**
 * Two peers are equal in what they hold in common: roots, vectors and every byte of every entry. Returns the first
 * difference.
 */
export function findDifference(a: Peer, b: Peer, collections: readonly SimulatedCollection[]): Violation | undefined {
  const both = `${a.peerId} and ${b.peerId}`
  for (const collection of collections.filter((each) => isHolder(a, each) && isHolder(b, each))) {
    if (heldVector(a, collection) !== heldVector(b, collection)) {
      return `diverged: ${both} have seen other writes of '${collection.name}'`
    }
    const [left, right] = [heldEntries(a, collection), heldEntries(b, collection)]
    if (left.length !== right.length)
      return `diverged: ${both} hold ${left.length} and ${right.length} of '${collection.name}'`
    for (let i = 0; i < left.length; i++) {
      const [x, y] = [left[i]!, right[i]!]
      if (x.key !== y.key) return `diverged: ${both} hold other keys of '${collection.name}'`
      if (compareVersions(x, y) !== 0) return `diverged: ${both} hold other versions of '${textOf(x.key)}'`
      if (!sameValue(x.value, y.value)) return `diverged: ${both} hold other bytes of '${textOf(x.key)}'`
    }
  }
  return a.collections.root(b.peerId) === b.collections.root(a.peerId)
    ? undefined
    : `diverged: ${both} have other fingerprints`
}

/** Every entry is, byte for byte, what the application wrote. */
export function checkContent(
  ledger: Ledger,
  peer: Peer,
  collections: readonly SimulatedCollection[],
): Violation | undefined {
  const written = new Map<string, readonly (Uint8Array | undefined)[]>()
  for (const { collection, key, writes } of ledger.keys) {
    for (const write of writes) {
      const id = `${collection.name} ${key} ${write.hlc}`
      written.set(id, [...(written.get(id) ?? []), write.value])
    }
  }
  for (const collection of collections) {
    for (const entry of heldEntries(peer, collection)) {
      const candidates = written.get(`${collection.name} ${entry.key} ${entry.hlc}`) ?? []
      if (candidates.some((value) => isSameRow(collection, value, entry.value))) continue
      return `content: '${textOf(entry.key)}' of '${collection.name}' at ${peer.peerId} is nothing that anybody wrote`
    }
  }
  return undefined
}

/** Reads within one life of one peer: each is at least as new as every earlier one, and as every own write. */
export class ReadCheck {
  readonly #peer: Peer
  readonly #ledger: Ledger
  readonly #newest = new Map<string, Version>()

  constructor(peer: Peer, ledger: Ledger) {
    this.#peer = peer
    this.#ledger = ledger
  }

  /** To be called for every change, and for reads at any time. */
  read(collection: SimulatedCollection, key: string): Violation | undefined {
    const id = `${collection.name} ${key}`
    const newest = this.#newest.get(id)
    const found = heldVersion(this.#peer, collection, key)
    // An add that is about to be taken out looks like a remove of its own dot, which nobody wrote.
    const leaves = found?.removes === true && this.#ledger.isAdd(collection, key, found)
    const held = leaves ? undefined : found
    // A write that was issued anew under another id may now lose to one of the same HLC reading.
    const anew = newest !== undefined && this.#ledger.reusedIds.has(newest.replicaId) && held?.hlc === newest.hlc
    if (newest !== undefined && !anew && (held === undefined || compareVersions(held, newest) < 0)) {
      if (!this.#ledger.mayBePurged(collection, key, newest, held)) {
        return `reads: '${textOf(key)}' of '${collection.name}' went back in time at ${this.#peer.peerId}`
      }
    }
    if (held === undefined) this.#newest.delete(id)
    else this.#newest.set(id, held)
    return undefined
  }
}

/** A key as it may be shown: the mark between its parts is a control character. */
function textOf(key: string): string {
  return key.replace('\u0000', '|')
}

/** A document's row that was issued anew under another replica id names its author, and is the same otherwise. */
function isSameRow({ kind }: SimulatedCollection, a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (kind !== 'document' || a === undefined || b === undefined || sameValue(a, b)) return sameValue(a, b)
  const [x, y] = [a, b].map((bytes) => {
    const { start, end } = documentUpdate(bytes, 0, bytes.length)
    return bytes.subarray(start, end)
  })
  return sameValue(x, y)
}
