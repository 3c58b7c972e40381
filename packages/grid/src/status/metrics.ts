import { wallFromHlc } from '@gossipgrid/core'
import type { Lag, MemberState, PeerId, PeerReport, RowCounts } from '@gossipgrid/core'
import type { HistogramSnapshot } from '../meters/histogram.ts'
import type { MessageCounts } from '../meters/meters.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { GridStatus } from './status.ts'

/** Metrics of a neighbour. */
export interface NeighbourMetrics {
  /** The id of the neighbour. */
  readonly peerId: PeerId
  /** Its last reported state, compared with the current state of this peer. Undefined until it has reported one. */
  readonly lag:
    | {
        /** Writes that it has and this peer lacks. */
        readonly behind: number
        /** Writes that this peer has and it lacks. */
        readonly ahead: number
        /** Partitions of which both have seen the same writes, but have different entries. */
        readonly unequal: number
        readonly ageSeconds: number
      }
    | undefined
  /** Messages of its stream since it connected, without broadcasts. */
  readonly messages: Readonly<MessageCounts>
}

/**
 * All metrics of this peer, as plain numbers fit for JSON. Counters start at opening and never decrease. Durations are in
 * seconds.
 */
export interface GridMetrics extends Pick<
  GridStatus,
  | 'backlog'
  | 'clock'
  | 'collections'
  | 'convergence'
  | 'guests'
  | 'name'
  | 'offences'
  | 'offenders'
  | 'partitions'
  | 'peerId'
  | 'present'
  | 'purging'
  | 'replicaId'
  | 'storage'
  | 'topics'
  | 'traffic'
> {
  /** Since the grid was opened. */
  readonly uptimeSeconds: number
  /** `grid.ready()` has resolved. */
  readonly ready: boolean
  /** Number of known peers by state, including this one. */
  readonly members: Readonly<Record<MemberState, number>>
  /** Each connected peer. */
  readonly neighbours: readonly NeighbourMetrics[]
  /** Connections to neighbours since opening. */
  readonly connections: { readonly made: number; readonly lost: number; readonly redials: number }
  /** Writes of this peer. */
  readonly writes: {
    readonly sets: number
    readonly deletes: number
    /** Refused writes, for example because too many waited for the store. */
    readonly refused: number
    /** Writes that had too few copies in time. */
    readonly copiesTimeouts: number
    /** Writes whose promise is not settled. */
    readonly pending: number
    /** Time from the call until the write is durable here; on a memory-only peer, until it is applied. */
    readonly durableSeconds: HistogramSnapshot
  }
  /** Rows of other peers, by the way they arrived and by the result. */
  readonly rows: {
    readonly broadcast: Readonly<RowCounts>
    readonly session: Readonly<RowCounts>
    readonly voidRanges: number
  }
  /**
   * Time from a write's timestamp at another peer until it is visible here, for rows that came by broadcast; rows of sessions
   * may have any age. Includes the difference between the two clocks.
   */
  readonly visibleSeconds: HistogramSnapshot
  /** Those of them whose timestamp is later than their arrival, because of clock differences. They count as 0 seconds. */
  readonly visibleEarly: number
  /** How long core took for one message. */
  readonly applySeconds: { readonly broadcast: HistogramSnapshot; readonly stream: HistogramSnapshot }
  /** Frames and other broadcasts. */
  readonly broadcasts: Readonly<MessageCounts> & {
    readonly frames: number
    readonly writes: number
    /** How often writes were so fast that they were left to sessions. */
    readonly floods: number
    /** Dropped by the network, because too much waited. Undefined if the network does not report it. */
    readonly dropped: number | undefined
  }
  /** Messages on streams. */
  readonly streams: Readonly<MessageCounts>
  /** Anti-entropy sessions. */
  readonly sessions: {
    readonly complete: number
    readonly broken: number
    readonly rowsSent: number
    readonly rowsReceived: number
  }
  /** Bytes of input from the network that wait to be processed. */
  readonly inboxBytes: number
  /** Batches of the store. */
  readonly store: {
    /** Duration of one durable batch, including the sync. */
    readonly seconds: HistogramSnapshot
    readonly bytes: number
    readonly failures: number
    readonly checkpoints: number
  }
  /** Input that is quarantined or refused. */
  readonly quarantine: {
    /** Quarantined writes: their timestamps are in the near future, and they are applied when it comes. */
    readonly heldWrites: number
    readonly heldBytes: number
    /** Refused writes, whose timestamps are too far ahead. Counts each time they arrive. */
    readonly refusedAhead: number
    /** Stored blobs that were unreadable at opening, and were set aside. */
    readonly damagedBlobs: number
    /** Streams closed because they violated the protocol. Undefined if the network does not report it. */
    readonly hostileStreams: number | undefined
    /** Peers cut off for sending malformed messages. */
    readonly cutOffs: number
    /** Refused input from other peers, by error code. */
    readonly refused: Readonly<Record<string, number>>
  }
  /** How often this peer took a new replica id. */
  readonly replicaIdChanges: number
  /** How far the latest timestamp is ahead of this peer's clock. Negative if it is in the past. */
  readonly clockAheadSeconds: number
  /** How late timers fire, measured since the first call of `metrics`. */
  readonly eventLoopDelaySeconds: HistogramSnapshot
}

/** Counters that a network may have. */
interface CountingNetwork {
  counts?(): { readonly hostileStreams: number; readonly broadcastsDropped: number }
}

export function metricsOf(status: GridStatus, runtime: Runtime, ready: boolean, uptimeMs: number): GridMetrics {
  const { meters } = runtime
  const report = runtime.report()
  if (!runtime.closed) meters.loopDelay.start()
  const { name, peerId, peers, present, replicaId, backlog, clock, collections } = status
  const { convergence, guests, partitions, purging, storage, topics, traffic } = status
  const { hlc, quarantine } = report
  const counts = (runtime.network as CountingNetwork).counts?.()
  const members = { alive: 0, suspect: 0, asleep: 0, gone: 0 }
  for (const { state } of peers) members[state] += 1
  return {
    ...{
      name,
      peerId,
      replicaId,
      ready,
      convergence,
      guests,
      partitions,
      collections,
      backlog,
      clock,
      present,
      purging,
      storage,
      topics,
      traffic,
      members,
    },
    offences: status.offences,
    offenders: status.offenders,
    uptimeSeconds: uptimeMs / 1000,
    neighbours: neighboursOf(runtime, report.lags),
    connections: { made: meters.connects, lost: meters.disconnects, redials: meters.redials },
    writes: {
      ...meters.writes,
      pending: runtime.writes.pendingCount,
      durableSeconds: meters.durable.histogram.snapshot(),
    },
    rows: report.rows,
    visibleSeconds: meters.visible.snapshot(),
    visibleEarly: meters.visibleEarly,
    applySeconds: { broadcast: meters.broadcastApply.snapshot(), stream: meters.streamApply.snapshot() },
    broadcasts: { ...meters.broadcasts, ...framesOf(report), dropped: counts?.broadcastsDropped },
    streams: { ...meters.streams },
    sessions: { ...meters.sessions },
    inboxBytes: runtime.inbox.waitingBytes,
    store: {
      seconds: meters.store.snapshot(),
      bytes: meters.storedBytes,
      failures: meters.storeFailures,
      checkpoints: report.log.cuts,
    },
    quarantine: {
      heldWrites: quarantine.rows,
      heldBytes: quarantine.bytes,
      refusedAhead: quarantine.refused,
      damagedBlobs: meters.damagedBlobs,
      hostileStreams: counts?.hostileStreams,
      cutOffs: meters.cutOffs,
      refused: Object.fromEntries(meters.refused),
    },
    replicaIdChanges: meters.replicaIds,
    clockAheadSeconds: hlc === 0 ? 0 : (wallFromHlc(hlc) - runtime.now().wallMs) / 1000,
    eventLoopDelaySeconds: meters.loopDelay.histogram.snapshot(),
  }
}

function framesOf({ frames }: PeerReport): { frames: number; writes: number; floods: number } {
  const { framesSent, writesSent, floods } = frames
  return { frames: framesSent, writes: writesSent, floods }
}

function neighboursOf({ meters }: Runtime, reported: readonly Lag[]): NeighbourMetrics[] {
  const nowMs = performance.now()
  const lags = new Map(reported.map((lag) => [lag.peerId, lag]))
  return Array.from(meters.neighbours, ([peerId, messages]) => {
    const lag = lags.get(peerId)
    return {
      peerId,
      lag:
        lag === undefined
          ? undefined
          : {
              behind: lag.behind,
              ahead: lag.ahead,
              unequal: lag.unequal,
              ageSeconds: Math.max(0, nowMs - lag.reportedAtMs) / 1000,
            },
      messages: { ...messages },
    }
  })
}
