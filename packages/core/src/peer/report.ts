import type { AntiEntropy } from '../replication/anti-entropy.ts'
import type { Broadcaster } from '../replication/broadcaster.ts'
import { addHash, hashHex } from '../bytes/hash.ts'
import type { Hash64 } from '../bytes/hash.ts'
import type { Collection, Collections } from '../replica/collections.ts'
import { splitGeneration } from '../kinds/generations.ts'
import { KINDS, isInternal, kindCode } from '../kinds/kinds.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { OFFENDERS_LISTED_MAX } from '../limits.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Housekeeping } from '../purging/housekeeping.ts'
import type { Inbound, RowCounts } from '../replication/inbound.ts'
import type { Instant } from '../instant.ts'
import type { Lag, LagTable } from '../digests/lag.ts'
import { heartbeatMs } from '../members/membership.ts'
import type { Member, Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Offences, Offender } from '../members/offences.ts'
import type { PeerId } from '../ports.ts'
import type { Restamping } from './restamping.ts'
import type { Registered } from '../purging/registry.ts'
import type { Signals } from '../signals/signals.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'

/** A member as this peer sees it. This peer itself is always alive and never connected. */
export interface ReportedMember extends Pick<Member, 'record' | 'state'> {
  readonly self: boolean
  /** There is a direct connection. */
  readonly connected: boolean
  /** It is registered as a durable member. */
  readonly registered: boolean
}

/** One collection, in figures. */
export interface ReportedCollection {
  readonly name: string
  readonly kind: CollectionKind
  /** How many collections of this name were dropped before this one. */
  readonly drops: number
  /** Neither deleted nor expired. An entry of some kinds takes several. */
  readonly rows: number
  readonly tombstones: number
  /** Bytes of the encoded values of `rows`. */
  readonly valueBytes: number
  /** Concurrent versions that lost since opening, as far as it can be known. */
  readonly conflicts: number
  /** The date of the purge floor in wall milliseconds; 0 while there is none. */
  readonly purgedUntilMs: number
  /** Sixteen hexadecimal digits: equal on two peers that hold the same entries. */
  readonly fingerprint: string
  /** How it compares with every peer that has reported what it holds. */
  readonly lags: readonly Lag[]
}

/** A proposed purge floor. */
export interface ReportedProposal {
  readonly dateMs: number
  /** When each peer acknowledged it, in wall milliseconds. */
  readonly acknowledged: ReadonlyMap<PeerId, number>
  /** When the last durable member acknowledged it; undefined while one has not. */
  readonly completeMs: number | undefined
}

/** What purging waits for. */
export interface ReportedPurging {
  /** The durable members, and whether this peer counts each as alive. */
  readonly members: readonly (Registered & { readonly alive: boolean })[]
  readonly proposals: readonly ReportedProposal[]
}

export interface PeerReportDeps {
  readonly antiEntropy: AntiEntropy
  readonly broadcaster: Broadcaster
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly housekeeping: Housekeeping
  readonly inbound: Inbound
  readonly lag: LagTable
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly offences: Offences
  readonly signals: Signals
  readonly restamping: Restamping
  readonly time: Timekeeping
  readonly replicaId: string
  /** The HLC's last reading. */
  readonly hlc: number
}

/**
 * Everything that status and metrics say of a peer. A section is computed when it is read, so that asking for the members
 * does not cost a hash over all collections: read what you need before the peer takes its next input.
 */
export class PeerReport {
  readonly #deps: PeerReportDeps
  readonly #now: Instant
  #root: string | undefined

  constructor(deps: PeerReportDeps, now: Instant) {
    this.#deps = deps
    this.#now = now
  }

  get peerId(): PeerId {
    return this.#deps.membership.self.peerId
  }

  get replicaId(): string {
    return this.#deps.replicaId
  }

  /** The HLC's last reading; 0 before the first. */
  get hlc(): number {
    return this.#deps.hlc
  }

  /** This peer first. */
  get members(): ReportedMember[] {
    const { housekeeping, membership, neighbours, time } = this.#deps
    const registered = new Set(housekeeping.registry.members(time.wallMs(this.#now)).map(({ peerId }) => peerId))
    const all = [{ record: membership.self, state: 'alive' as const }, ...membership.others]
    return all.map(({ record, state }, i) => ({
      record,
      state,
      self: i === 0,
      connected: neighbours.has(record.peerId),
      registered: registered.has(record.peerId),
    }))
  }

  /** Every neighbour, and since when it is connected, in monotonic milliseconds. */
  get neighbours(): ReadonlyMap<PeerId, number> {
    return this.#deps.neighbours.since()
  }

  /** How often members of a grid of this size report what they hold. */
  get heartbeatMs(): number {
    return heartbeatMs(this.#deps.membership.size)
  }

  /** How this peer compares with every peer that has reported its state. */
  get lags(): Lag[] {
    return this.#deps.lag.totals(this.#rootHash())
  }

  /** All but the registry, in which no application writes. */
  get collections(): ReportedCollection[] {
    return this.#listed().map((collection) => this.#collection(collection))
  }

  /** Which ones they are, at no more cost than listing them. */
  get collectionNames(): Pick<ReportedCollection, 'name' | 'kind' | 'drops'>[] {
    return this.#listed().map(({ title, descriptor: { name, kind } }) => ({
      name: title,
      kind,
      drops: dropsBefore(name),
    }))
  }

  get purging(): ReportedPurging {
    const { housekeeping, membership, time } = this.#deps
    const { registry } = housekeeping
    const members = registry.members(time.wallMs(this.#now))
    const isAlive = (peerId: PeerId): boolean => peerId === this.peerId || membership.get(peerId)?.state === 'alive'
    return {
      members: members.map((member) => ({ ...member, alive: isAlive(member.peerId) })),
      proposals: registry.candidates().map((candidate) => ({
        dateMs: candidate.dateMs,
        acknowledged: registry.acknowledgements(candidate),
        completeMs: registry.acknowledgedMs(candidate, members),
      })),
    }
  }

  /** The grid's time against this machine's clock. */
  get clock(): { readonly offsetMs: number; readonly voters: number; readonly restamped: number } {
    const { restamping, time } = this.#deps
    const { offsetMs, voters } = time.gridClock
    return { offsetMs, voters, restamped: restamping.count }
  }

  /** Rows that are dated ahead: those that wait for their time, and how often one was refused. */
  get quarantine(): { readonly rows: number; readonly bytes: number; readonly refused: number } {
    const { quarantine, refusedAhead } = this.#deps.inbound
    return { rows: quarantine.count, bytes: quarantine.bytes, refused: refusedAhead }
  }

  /** What waits: for the store, for the broadcast, and anti-entropy sessions under way. */
  get backlog(): {
    readonly undurableBytes: number
    readonly broadcastBytes: number
    readonly topicBytes: number
    readonly sessions: number
  } {
    const { antiEntropy, broadcaster, commit, signals } = this.#deps
    return {
      undurableBytes: commit.undurableBytes,
      broadcastBytes: broadcaster.backlogBytes,
      topicBytes: signals.topics.backlogBytes,
      sessions: antiEntropy.sessionCount,
    }
  }

  /** What became of rows from other peers, by the way they came. */
  get rows(): { readonly broadcast: RowCounts; readonly session: RowCounts; readonly voidRanges: number } {
    const { rows, supersededRanges: voidRanges } = this.#deps.inbound
    return { broadcast: { ...rows.broadcast }, session: { ...rows.session }, voidRanges }
  }

  /** Since opening: frames sent, writes in them, and how often the backlog was left to sessions. */
  get frames(): { readonly framesSent: number; readonly writesSent: number; readonly floods: number } {
    return this.#deps.broadcaster.counts
  }

  /** Bytes of the log, and how often a checkpoint has cut it since opening. */
  get log(): { readonly bytes: number; readonly cuts: number } {
    const { cuts, logBytes } = this.#deps.commit
    return { bytes: logBytes, cuts }
  }

  /** Messages of topics since opening. */
  get topics(): Signals['topics']['counts'] {
    return this.#deps.signals.topics.counts
  }

  /** Peers that have a presence, this one included. */
  get present(): number {
    return [...this.#deps.signals.presence.entries()].length
  }

  /** Malformed messages since opening, and the peers that last sent some, latest first. */
  get offences(): { readonly total: number; readonly latest: readonly Offender[] } {
    const { offences } = this.#deps
    return { total: offences.total, latest: offences.latest(OFFENDERS_LISTED_MAX) }
  }

  #listed(): Collection[] {
    const { collections } = this.#deps
    const { dropped } = collections
    // Rows of a new generation may come before the drop of the one before.
    return [...collections].filter(({ title, descriptor }) => {
      if (isInternal(descriptor.kind)) return KINDS[descriptor.kind].isBookkeeping !== true
      return descriptor.name === dropped.current(title)
    })
  }

  #collection({ title, descriptor, partitions }: Collection): ReportedCollection {
    const { name, kind } = descriptor
    const sums = { rows: 0, tombstones: 0, valueBytes: 0, conflicts: 0, purgedUntilMs: 0 }
    for (const { replica } of partitions) {
      sums.rows += replica.table.liveCount
      sums.tombstones += replica.table.tombstoneCount
      sums.valueBytes += replica.table.valueBytes
      sums.conflicts += replica.conflicts
      sums.purgedUntilMs = Math.max(sums.purgedUntilMs, replica.floor.dateMs)
    }
    const sum: Hash64 = { high: 0, low: 0 }
    for (const { replica } of partitions) addHash(sum, replica.fingerprint)
    const fingerprint = hashHex(sum)
    const lags = this.#deps.lag.of(name, kindCode(descriptor), this.#rootHash())
    return { name: title, kind, drops: dropsBefore(name), ...sums, fingerprint, lags }
  }

  #rootHash(): string {
    return (this.#root ??= this.#deps.collections.root())
  }
}

function dropsBefore(stored: string): number {
  return splitGeneration(stored).generation
}
