import type { GridErrorCode, MemberState, PeerId, PeerReport, ReportedCollection, Role } from '@gossipgrid/core'
import { convergenceOf } from './convergence.ts'
import type { Convergence } from './convergence.ts'
import { purgingOf } from './purging-status.ts'
import type { GridPurging } from './purging-status.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** After so many heartbeats without a word, what a neighbour said last is no ground for anything. */
const STALE_HEARTBEATS = 5

/** One member of the grid as this peer sees it. */
export interface GridMember {
  readonly peerId: PeerId
  /** This peer itself. */
  readonly self: boolean
  readonly state: MemberState
  /** There is a direct connection. */
  readonly connected: boolean
  readonly role: Role
  readonly zone: string
  readonly weight: number
  readonly addresses: readonly string[]
  readonly software: string
  /** It is registered as keeping its data: deletes are purged only after it has them. */
  readonly registered: boolean
}

/** How a collection here compares with one other peer, going by what that peer last said. */
export interface CollectionLag {
  readonly peerId: PeerId
  /** Writes it has and this peer lacks. */
  readonly behind: number
  /** Writes this peer has and it lacks. */
  readonly ahead: number
  /** Both have seen the same writes, and yet hold other entries: one of the two is damaged. */
  readonly differs: boolean
  /** How long ago it said so, in milliseconds. */
  readonly ageMs: number
}

/** A collection that this peer knows. */
export interface GridCollection {
  readonly name: string
  /** `map`, `fields` (a map with fields), `counter`, `set`, `document`. */
  readonly kind: string
}

export interface CollectionStatus extends GridCollection {
  readonly entries: number
  /** Entries of a map that are kept and hidden here, because they do not fit the schema that it was opened with. */
  readonly hidden: number
  readonly tombstones: number
  /** Deletes that all durable peers had by then, in wall milliseconds, are purged; undefined while none are. */
  readonly purgedUntilMs: number | undefined
  /** Bytes of the encoded values of `entries`: what is deleted or has expired counts none. */
  readonly valueBytes: number
  /** Sixteen hexadecimal digits: equal on two peers that hold the same. */
  readonly fingerprint: string
  /** Concurrent versions thrown away since opening, as far as could be told. */
  readonly conflicts: number
  /** Equal to every peer that has said what it holds. True with nobody else around: then nothing is known to be missing. */
  readonly converged: boolean
  readonly lags: readonly CollectionLag[]
}

/** What this peer makes of the time of day. */
export interface GridClockStatus {
  /** What this machine's clock is corrected by, in milliseconds: 0 while it is believed. */
  readonly offsetMs: number
  /** Other peers that have told the time lately. */
  readonly voters: number
  /** Own writes that were dated anew since opening, because this machine's clock had been ahead. */
  readonly restamped: number
  /** Writes of others from the near future that wait for their time. */
  readonly heldWrites: number
  /** Writes of others refused because they were dated too far ahead, each time they came. */
  readonly refusedWrites: number
}

/** What a grid says of itself. */
export interface GridStatus {
  readonly name: string
  readonly peerId: PeerId
  readonly replicaId: string
  readonly addresses: readonly string[]
  readonly peers: readonly GridMember[]
  /** How everything held here compares with what the neighbours hold. */
  readonly convergence: Convergence
  readonly collections: readonly CollectionStatus[]
  readonly clock: GridClockStatus
  /** Which deletes are still remembered, and for whom. */
  readonly purging: GridPurging
  readonly backlog: {
    /** Bytes of writes, own and others', that wait for the disk. */
    readonly undurableBytes: number
    /** Bytes of own writes that wait to be broadcast. */
    readonly broadcastBytes: number
    /** Bytes of messages of topics that wait for the network; past 1 MiB publishing is refused. */
    readonly topicBytes: number
    /** Anti-entropy sessions under way. */
    readonly sessions: number
    /** Writes from the near future that wait for their time. */
    readonly heldWrites: number
  }
  readonly storage: {
    readonly persistent: boolean
    readonly healthy: boolean
    /** Why it refuses writes, or keeps them in memory although it should not; '' while all is well. */
    readonly error: string
    readonly logBytes: number
  }
  /** Messages of topics since opening. */
  readonly topics: {
    readonly published: number
    /** Not published, because too many waited. */
    readonly refused: number
    /** From other peers, whether anybody listened or not. */
    readonly received: number
    /** Not taken, because their peer published more than 2 MiB a second. */
    readonly dropped: number
  }
  /** Peers that have a presence, this one included. */
  readonly present: number
  readonly traffic: { readonly sentBytes: number; readonly receivedBytes: number }
  /** Malformed messages that were refused since opening. */
  readonly offences: number
  /** Who sent them, and whether they are cut off now: the last 64, latest first. */
  readonly offenders: readonly GridOffender[]
  /** What `recovery` events have told since opening, also those before anybody could listen: the last 16. */
  readonly recoveries: readonly Recovery[]
}

/** A peer that sent what no honest one sends. Eight such messages within a minute get it cut off. */
export interface GridOffender {
  readonly peerId: PeerId
  readonly offences: number
  readonly lastCode: GridErrorCode
  readonly lastReason: string
  /** How much longer nothing is taken from it, in milliseconds; 0 when it is not cut off. */
  readonly refusedForMs: number
}

/** Stored state was lost, damaged, copied or restored, and this peer goes on without it. */
export interface Recovery {
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

/** `hidden` tells how many entries of a collection do not fit its schema. */
export function statusOf(
  name: string,
  runtime: Runtime,
  recoveries: readonly Recovery[],
  hidden: (collection: ReportedCollection) => number,
): GridStatus {
  const { network, storage, storageError } = runtime
  runtime.sweep()
  const nowMs = performance.now()
  const report = runtime.report()
  const { backlog, clock, collections, log, offences, quarantine } = report
  const tombstones = collections.reduce((sum, collection) => sum + collection.tombstones, 0)
  return {
    name,
    peerId: report.peerId,
    replicaId: report.replicaId,
    addresses: network.addresses(),
    peers: membersOf(report),
    convergence: convergenceOf({
      neighbours: report.neighbours,
      lags: report.lags,
      nowMs,
      staleAfterMs: STALE_HEARTBEATS * report.heartbeatMs,
    }),
    collections: collections.map((collection) => ({
      ...collectionStatus(collection, nowMs),
      hidden: hidden(collection),
    })),
    clock: { ...clock, heldWrites: quarantine.rows, refusedWrites: quarantine.refused },
    purging: purgingOf(report.purging, tombstones, runtime.wallMs),
    backlog: { ...backlog, heldWrites: quarantine.rows },
    storage: {
      persistent: storage.persistent,
      healthy: storageError === undefined && storage.lapse === undefined,
      error: storageError instanceof Error ? storageError.message : (storage.lapse ?? ''),
      logBytes: log.bytes,
    },
    topics: report.topics,
    present: report.present,
    traffic: network.traffic(),
    offences: offences.total,
    offenders: offences.latest.map(({ refusedUntilMs, ...offender }) => {
      return { ...offender, refusedForMs: Math.max(0, Math.round(refusedUntilMs - nowMs)) }
    }),
    recoveries: [...recoveries],
  }
}

function collectionStatus(
  { lags: reported, purgedUntilMs: purgedMs, ...collection }: ReportedCollection,
  nowMs: number,
): Omit<CollectionStatus, 'hidden'> {
  const lags = reported.map(({ peerId, behind, ahead, unequal, toldAtMs }) => {
    return { peerId, behind, ahead, differs: unequal > 0, ageMs: Math.round(nowMs - toldAtMs) }
  })
  const converged = lags.every((lag) => lag.behind === 0 && lag.ahead === 0 && !lag.differs)
  const purgedUntilMs = purgedMs === 0 ? undefined : Math.floor(purgedMs)
  return { ...collection, purgedUntilMs, converged, lags }
}
