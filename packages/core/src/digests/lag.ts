import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Collections } from '../replica/collections.ts'
import type { SeenPart } from './part-digests.ts'
import { hashHex } from '../bytes/hash.ts'
import { MAP_CODE, rulesOf } from '../kinds/kinds.ts'
import { MEMBERS_MAX, REPORT_BYTES_PER_BYTE, REPORTS_MAX_BYTES } from '../limits.ts'
import { EVERYONE } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import { VersionVector } from '../versions/version-vector.ts'

/** How a collection here compares with the last report of another peer. */
export interface Lag {
  readonly peerId: PeerId
  /** Monotonic milliseconds at which it said so. */
  readonly reportedAtMs: number
  /** Writes it has seen and this peer has not. */
  readonly behind: number
  /** Writes this peer has seen and it has not. */
  readonly ahead: number
  /** Partitions of which both have seen the same writes and yet hold other entries: one of the two is damaged. */
  readonly unequal: number
}

/** What one peer said of a partition. The encoded vector is not kept: it would hold its whole message in memory. */
type ReportedPart = Pick<SeenPart, 'seen' | 'fingerprint'>

/** What one peer said. */
interface Report {
  /** By partition; undefined while it has only sent roots. */
  parts: ReadonlyMap<string, ReportedPart> | undefined
  partsAtMs: number
  /** Memory of the vectors, about. */
  partsBytes: number
  /** The hash over all it holds, which heartbeats carry also where the vectors are too large for them. */
  root: string
  rootAtMs: number
}

/**
 * What the other peers have last said that they have seen: the ground for saying "equal" or "so many writes behind". Bounded
 * by the number of peers and by the size of their vectors; the peer that spoke longest ago is forgotten first.
 */
export class LagTable {
  readonly #collections: Collections
  readonly #reports = new Map<PeerId, Report>()
  #bytes = 0

  constructor(collections: Collections) {
    this.#collections = collections
  }

  recordVectors(peerId: PeerId, parts: readonly SeenPart[], nowMs: number): void {
    const report = this.#of(peerId)
    report.parts = new Map(parts.map((part) => [nameKey(part), { seen: part.seen, fingerprint: part.fingerprint }]))
    report.partsAtMs = nowMs
    const partsBytes = parts.reduce((sum, { vector, collection }) => {
      return sum + vector.length * REPORT_BYTES_PER_BYTE + collection.length * 2 + 512
    }, 0)
    this.#bytes += partsBytes - report.partsBytes
    report.partsBytes = partsBytes
    this.#trim(peerId)
  }

  recordRoot(peerId: PeerId, root: string, nowMs: number): void {
    const report = this.#of(peerId)
    report.root = root
    report.rootAtMs = nowMs
    this.#trim(peerId)
  }

  /** A peer has said that it still holds what its last root stands for. */
  renewRoot(peerId: PeerId, nowMs: number): void {
    const root = this.rootOf(peerId)
    if (root !== undefined) this.recordRoot(peerId, root, nowMs)
  }

  /** The last root of a peer; undefined if it has sent none. */
  rootOf(peerId: PeerId): string | undefined {
    const root = this.#reports.get(peerId)?.root
    return root === '' ? undefined : root
  }

  forget(peerId: PeerId): void {
    this.#bytes -= this.#reports.get(peerId)?.partsBytes ?? 0
    this.#reports.delete(peerId)
  }

  /** Whether any other peer has said that it has seen a write. */
  isSeen(name: PartitionName, writer: number, sequence: number): boolean {
    for (const peerId of this.#reports.keys()) if (this.isSeenBy(peerId, name, writer, sequence)) return true
    return false
  }

  /** Whether a peer has said that it has seen a write. */
  isSeenBy(peerId: PeerId, name: PartitionName, writer: number, sequence: number): boolean {
    const seen = this.#reports.get(peerId)?.parts?.get(nameKey(name))?.seen
    if (seen === undefined) return false
    this.#adopt(seen)
    return seen.has(writer, sequence)
  }

  /** Writes that `parts` show and this peer lacks. */
  missing(parts: readonly SeenPart[]): number {
    let count = 0
    for (const part of parts) {
      const own = this.#collections.find(part)?.replica.vector
      this.#adopt(part.seen)
      count += part.seen.countMissingIn(own ?? new VersionVector())
    }
    return count
  }

  /** How a collection that all peers hold compares with every peer that has said what it holds; of others nothing is known. */
  of(collection: string, kind: number = MAP_CODE, root: string = this.#collections.root()): Lag[] {
    const name = { collection, kind, partition: 0 }
    if (!this.#isForEveryone(name)) return []
    const keys = this.#collections.find(name) === undefined ? [] : [nameKey(name)]
    return this.#lags(root, () => keys)
  }

  /** How everything that all peers hold, but for bookkeeping, compares with every peer that has said what it holds. */
  totals(root: string = this.#collections.root()): Lag[] {
    const keys = Array.from(this.#collections.partitions(), ({ name }) => nameKey(name))
    return this.#lags(root, (parts) => [...new Set([...keys, ...parts.keys()])].filter((key) => !isBookkeeping(key)))
  }

  #lags(root: string, keysOf: (parts: ReadonlyMap<string, ReportedPart>) => Iterable<string>): Lag[] {
    const lags: Lag[] = []
    for (const [peerId, report] of this.#reports) {
      const { parts, partsAtMs, rootAtMs } = report
      if (report.root === root && rootAtMs >= partsAtMs) {
        lags.push({ peerId, reportedAtMs: rootAtMs, behind: 0, ahead: 0, unequal: 0 })
      } else if (parts !== undefined) {
        lags.push({ peerId, reportedAtMs: partsAtMs, ...this.#compare(parts, keysOf(parts)) })
      }
    }
    return lags
  }

  #compare(
    parts: ReadonlyMap<string, ReportedPart>,
    keys: Iterable<string>,
  ): { behind: number; ahead: number; unequal: number } {
    const lag = { behind: 0, ahead: 0, unequal: 0 }
    for (const key of keys) {
      const name = splitKey(key)
      if (!this.#isForEveryone(name)) continue
      const theirs = parts.get(key)
      const replica = this.#collections.find(name)?.replica
      const seenThere = theirs?.seen ?? new VersionVector()
      this.#adopt(seenThere)
      const seenHere = replica?.vector ?? new VersionVector()
      const behind = seenThere.countMissingIn(seenHere)
      const ahead = seenHere.countMissingIn(seenThere)
      lag.behind += behind
      lag.ahead += ahead
      // Fingerprints say something only of two that have seen the same.
      if (behind + ahead > 0 || theirs === undefined || replica === undefined) continue
      if (theirs.fingerprint !== hashHex(replica.fingerprint)) lag.unequal += 1
    }
    return lag
  }

  #isForEveryone(name: PartitionName): boolean {
    return this.#collections.placement.audience(name) === EVERYONE
  }

  /** Rows may have come since of replica ids that were unknown when the vector came. */
  #adopt(seen: VersionVector): void {
    if (seen.strangers.size > 0) seen.adopt((replicaId) => this.#collections.ids.indexOf(replicaId))
  }

  #trim(latest: PeerId): void {
    for (const oldest of this.#reports.keys()) {
      if (oldest === latest || (this.#bytes <= REPORTS_MAX_BYTES && this.#reports.size <= MEMBERS_MAX)) return
      this.forget(oldest)
    }
  }

  /** What a peer has said, moved to the end. */
  #of(peerId: PeerId): Report {
    const known = this.#reports.get(peerId)
    const report = known ?? { parts: undefined, partsAtMs: -Infinity, partsBytes: 0, root: '', rootAtMs: -Infinity }
    this.#reports.delete(peerId)
    this.#reports.set(peerId, report)
    return report
  }
}

function isBookkeeping(key: string): boolean {
  return rulesOf(splitKey(key).kind)?.isBookkeeping === true
}

function splitKey(key: string): PartitionName {
  const first = key.indexOf(' ')
  const second = key.indexOf(' ', first + 1)
  return {
    kind: Number(key.slice(0, first)),
    partition: Number(key.slice(first + 1, second)),
    collection: key.slice(second + 1),
  }
}
