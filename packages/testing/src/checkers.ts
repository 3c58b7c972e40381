import { documentUpdate } from '@gossipgrid/core'
import type { Peer, Replica } from '@gossipgrid/core'
import {
  compareVersions,
  hasSeen,
  entriesOf,
  vectorText,
  versionOf,
  isHolder,
  partitionOf,
  sameValue,
  versionAt,
} from './peer-state.ts'
import type { Version } from './peer-state.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedCollection } from './simulated-collection.ts'

/** A sentence about a broken promise. */
export type Violation = string

/**
 * A vector never claims a write that its replica lacks. For every dot that a peer's vector counts as seen, the peer's
 * entry is that write or a larger version.
 */
export function checkCoverage(ledger: Ledger, peer: Peer): Violation | undefined {
  if (ledger.reusedIds.size > 0) return undefined
  const replicas = new Map<SimulatedCollection, Replica | undefined>()
  for (const ledgerKey of ledger.keys) {
    const { collection, key, writes } = ledgerKey
    if (!replicas.has(collection)) replicas.set(collection, partitionOf(peer, collection)?.replica)
    const replica = replicas.get(collection)
    // This runs for some thousand keys, twice a second, at every peer: hash each key once.
    ledgerKey.keyHash ??= replica?.table.hashKey(key)
    const slot = replica?.table.find(key, ledgerKey.keyHash!)
    const found = slot === undefined ? undefined : versionAt(peer, collection, replica!, slot)
    for (let i = writes.length - 1; i >= 0; i--) {
      const write = writes[i]!
      if (found !== undefined && compareVersions(write, found) <= 0) break
      if (write.withdrawn || !hasSeen(peer, collection, write.replicaId, write.sequence)) continue
      if (ledger.mayBePurged(collection, key, write, found)) break
      const shown = found === undefined ? 'nothing' : `a smaller version, ${found.replicaId}/${found.sequence}`
      return `coverage: ${peer.peerId} has seen ${write.replicaId}/${write.sequence} of '${textOf(key)}' in '${collection.name}' and holds ${shown}`
    }
  }
  return undefined
}

/**
 * Acknowledged writes that an owner lacks in the end: its version of the key is smaller, or there is none. These are
 * lost sets, and deletes that were undone.
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
    if (!isHolder(peer, collection) || ledger.mayBeDropped(write)) continue
    const found = versionOf(peer, collection, key)
    if (ledger.fulfils(found, write) || ledger.mayBePurged(collection, key, write, found)) continue
    if (write.value === undefined) resurrected += 1
    else lost += 1
    const what = write.value === undefined ? 'resurrected' : 'lost'
    first ??= `${what}: ${peer.peerId} lacks ${write.replicaId}/${write.sequence} of '${textOf(key)}' in '${collection.name}', acknowledged at peer ${write.peer}`
  }
  return { lost, resurrected, first }
}

/**
 * Compares two peers in the collections that both own: roots, vectors and every byte of every entry. Returns the first
 * difference.
 */
export function findDifference(a: Peer, b: Peer, collections: readonly SimulatedCollection[]): Violation | undefined {
  const both = `${a.peerId} and ${b.peerId}`
  for (const collection of collections.filter((each) => isHolder(a, each) && isHolder(b, each))) {
    if (vectorText(a, collection) !== vectorText(b, collection)) {
      return `diverged: ${both} have seen other writes of '${collection.name}'`
    }
    const [left, right] = [entriesOf(a, collection), entriesOf(b, collection)]
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

/** Every entry is, byte for byte, a value that the application wrote. */
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
    for (const entry of entriesOf(peer, collection)) {
      const candidates = written.get(`${collection.name} ${entry.key} ${entry.hlc}`) ?? []
      if (candidates.some((value) => isSameRow(collection, value, entry.value))) continue
      return `content: '${textOf(entry.key)}' of '${collection.name}' at ${peer.peerId} is nothing that anybody wrote`
    }
  }
  return undefined
}

/**
 * Reads at one peer between two starts never go back: each is at least as new as every earlier read and every write of
 * that peer.
 */
export class ReadCheck {
  readonly #peer: Peer
  readonly #ledger: Ledger
  readonly #newest = new Map<string, Version>()

  constructor(peer: Peer, ledger: Ledger) {
    this.#peer = peer
    this.#ledger = ledger
  }

  /** Call it for every change, and for reads at any time. */
  read(collection: SimulatedCollection, key: string): Violation | undefined {
    const id = `${collection.name} ${key}`
    const newest = this.#newest.get(id)
    const found = versionOf(this.#peer, collection, key)
    // Just before an add is taken out, it looks like a remove of its own dot. No application wrote such a remove.
    const leaves = found?.removes === true && this.#ledger.isAdd(collection, key, found)
    const current = leaves ? undefined : found
    // A write that was issued again under another replica id may lose to one with the same HLC reading.
    const reissued = newest !== undefined && this.#ledger.reusedIds.has(newest.replicaId) && current?.hlc === newest.hlc
    if (newest !== undefined && !reissued && (current === undefined || compareVersions(current, newest) < 0)) {
      if (!this.#ledger.mayBePurged(collection, key, newest, current)) {
        return `reads: '${textOf(key)}' of '${collection.name}' went back in time at ${this.#peer.peerId}`
      }
    }
    if (current === undefined) this.#newest.delete(id)
    else this.#newest.set(id, current)
    return undefined
  }
}

/** A key without the control character between its parts. */
function textOf(key: string): string {
  return key.replace('\u0000', '|')
}

/** A document's row that was issued again under another replica id names its author. Apart from that it is the same. */
function isSameRow({ kind }: SimulatedCollection, a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (kind !== 'document' || a === undefined || b === undefined || sameValue(a, b)) return sameValue(a, b)
  const [x, y] = [a, b].map((bytes) => {
    const { start, end } = documentUpdate(bytes, 0, bytes.length)
    return bytes.subarray(start, end)
  })
  return sameValue(x, y)
}
