import type { GridErrorCode, MemberState, PeerId, PeerReport, ReportedCollection, Role } from '@gossipgrid/core'
import { convergenceOf, guestConvergence } from './convergence.ts'
import type { Convergence } from './convergence.ts'
import { purgingOf } from './purging-status.ts'
import type { GridPurging } from './purging-status.ts'
import { partitionsOf, shareOf } from './partition-status.ts'
import type { GridPartitions } from './partition-status.ts'
import type { GuestStatus, GuestsStatus } from '../runtime/guest-status.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** The last report of a neighbour is ignored after this many heartbeat intervals. */
const STALE_HEARTBEATS = 5

/** A member of the grid, as this peer sees it. */
export interface GridMember {
  /** The id of the peer. */
  readonly peerId: PeerId
  /** It is this peer. */
  readonly self: boolean
  /** `alive`, `suspect` after 10 s of silence, `gone` after 30 s, or `asleep`: a hidden tab. */
  readonly state: MemberState
  /** There is a direct connection. */
  readonly connected: boolean
  /** `storage` or `light`. */
  readonly role: Role
  /** Its failure domain, or ''. */
  readonly zone: string
  /** Its relative capacity. */
  readonly weight: number
  /** Where it says that it can be reached. */
  readonly addresses: readonly string[]
  /** Its software with the version, as in `gossipgrid/0.1.0`. */
  readonly software: string
  /** It is registered as a durable member: deletes are purged only after it has them. */
  readonly registered: boolean
}

/** How a collection compares with that of another peer, by the last report of that peer. */
export interface CollectionLag {
  /** The other peer. */
  readonly peerId: PeerId
  /** Writes that it has and this peer lacks. */
  readonly behind: number
  /** Writes that this peer has and it lacks. */
  readonly ahead: number
  /** Both have seen the same writes, but have different entries: one of the two is damaged. */
  readonly differs: boolean
  /** Age of its report, in milliseconds. */
  readonly ageMs: number
}

/** A collection that this peer knows. */
export interface GridCollection {
  /** The name of the collection. */
  readonly name: string
  /** `map`, `fields` (a map with fields), `counter`, `set`, `counters`, `sets`, `document`. */
  readonly kind: string
  /** How many collections of this name were dropped before this one. */
  readonly drops: number
  /** Number of partitions of a partitioned collection. Undefined for a replicated one. */
  readonly partitions?: number | undefined
  /** Peers that are to have each of its partitions. Undefined for a replicated one. */
  readonly owners?: number | undefined
}

/** The state of a collection at this peer. */
export interface CollectionStatus extends GridCollection {
  /** Partitions that this peer owns. Undefined for a replicated collection. */
  readonly owned?: number | undefined
  /** Owned ones of which this peer has a whole copy. Undefined for a replicated collection. */
  readonly whole?: number | undefined
  /** Copies of partitions that others own, which this peer hands over and then drops. Undefined for a replicated collection. */
  readonly handingOver?: number | undefined
  /** Bytes of the encoded values of these copies. Undefined for a replicated collection. */
  readonly handingOverBytes?: number | undefined
  /** Whole copies here with too few elsewhere, as in `GridPartitions`. Undefined for a replicated collection. */
  readonly underReplicated?: number | undefined
  /**
   * Objects of a map with fields, keys of counters and sets under keys; of the other kinds, its `rows`. The first look at a collection
   * that is not open here counts through its rows.
   */
  readonly entries: number
  /** What is stored and travels: one for each entry of a map, for each field and each object of a map with fields. */
  readonly rows: number
  /** Entries of a map that are kept, but hidden, because they are not valid by its schema. */
  readonly hidden: number
  /** Deletes that are remembered. */
  readonly tombstones: number
  /** Deletes that all durable peers had by this wall time, in milliseconds, are purged. Undefined if none are. */
  readonly purgedUntilMs: number | undefined
  /** Bytes of the encoded values of `rows`, without deleted and expired ones. */
  readonly valueBytes: number
  /** Sixteen hexadecimal digits. Equal on two peers that have the same entries. */
  readonly fingerprint: string
  /** Concurrent versions that lost since opening, as far as this could be detected. */
  readonly conflicts: number
  /** Equal to every peer that has reported its state. Also true without other peers: then nothing is known to be missing. */
  readonly converged: boolean
  /** How it compares with each peer that has reported its state. */
  readonly lags: readonly CollectionLag[]
}

/** The grid's time, compared with this machine's clock. */
export interface GridClockStatus {
  /** Correction of this machine's clock, in milliseconds. 0 while the clock is trusted. */
  readonly offsetMs: number
  /** Other peers that have reported their time recently. */
  readonly voters: number
  /** Own writes that got new timestamps since opening, because this machine's clock had been ahead. */
  readonly restamped: number
  /** Quarantined writes of other peers: their timestamps are in the near future. */
  readonly heldWrites: number
  /** Refused writes of other peers, whose timestamps are too far ahead. Counts each time they arrive. */
  readonly refusedWrites: number
}

/** The state of a grid at this peer. */
export interface GridStatus {
  /** The name of the grid. */
  readonly name: string
  /** The id of this peer. */
  readonly peerId: PeerId
  /** The id under which this peer writes. */
  readonly replicaId: string
  /** Where this peer can be reached. */
  readonly addresses: readonly string[]
  /** This peer and all others that it knows. */
  readonly peers: readonly GridMember[]
  /** How all data of this peer compares with that of its neighbours. */
  readonly convergence: Convergence
  /** Each collection that this peer knows. */
  readonly collections: readonly CollectionStatus[]
  /** The grid's time, compared with this machine's clock. */
  readonly clock: GridClockStatus
  /** The purging of deletes, and the peers that it waits for. */
  readonly purging: GridPurging
  /** The partitions of partitioned collections. */
  readonly partitions: GridPartitions
  /** What waits to be stored or sent. */
  readonly backlog: {
    /** Bytes of own writes and those of other peers that wait for the disk. */
    readonly undurableBytes: number
    /** Bytes of own writes that wait to be broadcast. */
    readonly broadcastBytes: number
    /** Bytes of topic messages that wait for the network. Past 1 MiB publishing is refused. */
    readonly topicBytes: number
    /** Running anti-entropy sessions. */
    readonly sessions: number
    /** Quarantined writes: their timestamps are in the near future. */
    readonly heldWrites: number
  }
  /** The state of the store. */
  readonly storage: {
    readonly persistent: boolean
    readonly healthy: boolean
    /** Why storing fails, or why data is in memory although there should be a store. '' if there is no problem. */
    readonly error: string
    readonly logBytes: number
  }
  /** Topic messages since opening. */
  readonly topics: {
    readonly published: number
    /** Not published, because too many waited. */
    readonly refused: number
    /** From other peers, with or without listeners here. */
    readonly received: number
    /** Dropped, because their peer published more than 2 MiB a second. */
    readonly dropped: number
  }
  /** Peers that have a presence, this one included. */
  readonly present: number
  /** The guests that this member serves. Undefined if it serves none. */
  readonly guests: GuestsStatus | undefined
  /** How this guest stands. Undefined at a member. */
  readonly guest: GuestStatus | undefined
  /** Bytes that crossed the sockets since opening. */
  readonly traffic: { readonly sentBytes: number; readonly receivedBytes: number }
  /** Malformed messages that were refused since opening. */
  readonly offences: number
  /** The last 64 peers that sent some, latest first. */
  readonly offenders: readonly GridOffender[]
  /** The last 16 `recovery` events since opening, including those before a listener could be added. */
  readonly recoveries: readonly Recovery[]
}

/** A peer that sent malformed messages. It is cut off after eight of them within a minute. */
export interface GridOffender {
  /** The id of the peer. */
  readonly peerId: PeerId
  /** Malformed messages that it has sent. */
  readonly offences: number
  /** The error code of the last one. */
  readonly lastCode: GridErrorCode
  /** What was wrong with the last one, for people. */
  readonly lastReason: string
  /** How much longer it is cut off, in milliseconds. 0 if it is not. */
  readonly refusedForMs: number
}

/** Stored state was lost, damaged, copied or restored, and this peer goes on without it. */
export interface Recovery {
  /** What was lost and what the peer does, for people. */
  readonly reason: string
  /** Wall time in milliseconds. */
  readonly atMs: number
}

export function membersOf(report: PeerReport): GridMember[] {
  return report.members.map(({ record, state, self, connected, registered }) => ({
    peerId: record.peerId,
    self,
    state,
    connected,
    role: record.role,
    zone: record.zone,
    weight: record.weight,
    addresses: record.addresses,
    software: record.software,
    registered,
  }))
}

/** `entriesIn` returns the numbers of entries of a collection. */
export function statusOf(
  name: string,
  runtime: Runtime,
  recoveries: readonly Recovery[],
  entriesIn: (collection: ReportedCollection) => Pick<CollectionStatus, 'entries' | 'hidden'>,
  guests: GuestsStatus | undefined,
): GridStatus {
  const { network, storage, storageError } = runtime
  runtime.sweep()
  const nowMs = performance.now()
  const report = runtime.report()
  const partitioned = runtime.peer.partitions.report(runtime.now())
  const { backlog, clock, collections, log, offences, quarantine } = report
  const tombstones = collections.reduce((sum, collection) => sum + collection.tombstones, 0)
  return {
    name,
    peerId: report.peerId,
    replicaId: report.replicaId,
    addresses: network.addresses(),
    peers: membersOf(report),
    convergence: convergenceIn(report, runtime),
    collections: collections.map((collection) => ({
      ...collectionStatus(collection, nowMs),
      ...entriesIn(collection),
      ...shareOf(partitioned, collection),
    })),
    clock: { ...clock, heldWrites: quarantine.rows, refusedWrites: quarantine.refused },
    purging: purgingOf(report.purging, tombstones, runtime.wallMs),
    partitions: partitionsOf(partitioned),
    backlog: { ...backlog, heldWrites: quarantine.rows },
    storage: {
      persistent: storage.persistent,
      healthy: storageError === undefined && storage.lapse === undefined,
      error: storageError instanceof Error ? storageError.message : (storage.lapse ?? ''),
      logBytes: log.bytes,
    },
    topics: report.topics,
    present: report.present,
    guests,
    guest: runtime.guest?.(),
    traffic: network.traffic(),
    offences: offences.total,
    offenders: offences.latest.map(({ refusedUntilMs, ...offender }) => {
      return { ...offender, refusedForMs: Math.max(0, Math.round(refusedUntilMs - nowMs)) }
    }),
    recoveries: [...recoveries],
  }
}

/** How the data of this peer compares with that of its neighbours. */
export function convergenceIn(report: PeerReport, { guest, online }: Pick<Runtime, 'guest' | 'online'>): Convergence {
  if (guest !== undefined) return guestConvergence(guest(), online)
  const { neighbours, lags, heartbeatMs } = report
  const staleAfterMs = STALE_HEARTBEATS * heartbeatMs
  return convergenceOf({ neighbours, lags, nowMs: performance.now(), staleAfterMs, online })
}

function collectionStatus(
  { lags: reported, purgedUntilMs: purgedMs, ...collection }: ReportedCollection,
  nowMs: number,
): Omit<CollectionStatus, 'entries' | 'hidden'> {
  const lags = reported.map(({ peerId, behind, ahead, unequal, reportedAtMs }) => {
    return { peerId, behind, ahead, differs: unequal > 0, ageMs: Math.round(nowMs - reportedAtMs) }
  })
  const converged = lags.every((lag) => lag.behind === 0 && lag.ahead === 0 && !lag.differs)
  const purgedUntilMs = purgedMs === 0 ? undefined : Math.floor(purgedMs)
  return { ...collection, purgedUntilMs, converged, lags }
}
