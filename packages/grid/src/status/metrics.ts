import { wallFromHlc } from '@gossipgrid/core'
import type { Lag, MemberState, PeerId, PeerReport, RowCounts } from '@gossipgrid/core'
import type { HistogramSnapshot } from '../meters/histogram.ts'
import type { MessageCounts } from '../meters/meters.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { GridStatus } from './status.ts'

/** A connected neighbour, in figures. */
export interface NeighbourMetrics {
  readonly peerId: PeerId
  /** What it last said it holds, compared with what is here now; undefined until it has said. */
  readonly lag:
    | {
        /** Writes it has and this peer lacks. */
        readonly behind: number
        /** Writes this peer has and it lacks. */
        readonly ahead: number
        /** Partitions of which both have seen the same writes and yet hold other entries. */
        readonly unequal: number
        readonly ageSeconds: number
      }
    | undefined
  /** Messages of its stream since it connected, broadcasts not among them. */
  readonly messages: Readonly<MessageCounts>
}

/**
 * Everything that this peer counts, as plain numbers fit for JSON. What is counted is counted since opening and never
 * goes back; durations are in seconds.
 */
export interface GridMetrics extends Pick<
  GridStatus,
  | 'backlog'
  | 'clock'
  | 'collections'
  | 'convergence'
  | 'name'
  | 'offences'
  | 'offenders'
  | 'peerId'
  | 'present'
  | 'purging'
  | 'replicaId'
  | 'storage'
  | 'topics'
  | 'traffic'
> {
  readonly uptimeSeconds: number
  /** `grid.ready()` has resolved. */
  readonly ready: boolean
  /** All peers known, this one among the living. */
  readonly members: Readonly<Record<MemberState, number>>
  readonly neighbours: readonly NeighbourMetrics[]
  readonly connections: { readonly made: number; readonly lost: number; readonly redials: number }
  readonly writes: {
    readonly sets: number
    readonly deletes: number
    /** Not made, because too many waited for the store. */
    readonly refused: number
    /** Writes that had too few copies in time. */
    readonly copiesTimeouts: number
    /** Writes whose promise has not settled. */
    readonly pending: number
    /** From the call until the write is durable here; applied, on a memory-only peer. */
    readonly durableSeconds: HistogramSnapshot
  }
  /** What became of rows from other peers, by the way they came. */
  readonly rows: {
    readonly broadcast: Readonly<RowCounts>
    readonly session: Readonly<RowCounts>
    readonly voidRanges: number
  }
  /**
   * From the moment that another peer dated a write until it is visible here, for rows that came by broadcast: those of
   * sessions may be as old as they like. It contains the difference between the two clocks.
   */
  readonly visibleSeconds: HistogramSnapshot
  /** Rows among them that were dated later than they came, by a clock ahead of this one: they count as 0. */
  readonly visibleEarly: number
  /** How long core worked on one message. */
  readonly applySeconds: { readonly broadcast: HistogramSnapshot; readonly stream: HistogramSnapshot }
  readonly broadcasts: Readonly<MessageCounts> & {
    readonly frames: number
    readonly writes: number
    /** How often writes came so fast that they were left to sessions. */
    readonly floods: number
    /** Given up by the network because too much was waiting; undefined where it does not say. */
    readonly dropped: number | undefined
  }
  readonly streams: Readonly<MessageCounts>
  readonly sessions: {
    readonly complete: number
    readonly broken: number
    readonly rowsSent: number
    readonly rowsReceived: number
  }
  /** Bytes from the network that wait for their turn. */
  readonly inboxBytes: number
  readonly store: {
    /** One durable batch, sync included. */
    readonly seconds: HistogramSnapshot
    readonly bytes: number
    readonly failures: number
    readonly checkpoints: number
  }
  /** What is kept apart or not believed. */
  readonly quarantine: {
    /** From the near future: applied when their time has come. */
    readonly heldWrites: number
    readonly heldBytes: number
    /** Refused because they were dated too far ahead, each time they came. */
    readonly refusedAhead: number
    /** Stored blobs that were unreadable at opening and set aside. */
    readonly damagedBlobs: number
    /** Streams closed because their bytes broke the protocol; undefined where the network does not say. */
    readonly hostileStreams: number | undefined
    /** Peers cut off for sending malformed messages. */
    readonly cutOffs: number
    /** Refused from other peers, by error code. */
    readonly refused: Readonly<Record<string, number>>
  }
  /** Times that this peer took a new replica id. */
  readonly replicaIdChanges: number
  /** How far the latest write seen here is dated ahead of this peer's clock; negative when it lies in the past. */
  readonly clockAheadSeconds: number
  /** How late timers fire, measured from the first call of `metrics` on. */
  readonly eventLoopDelaySeconds: HistogramSnapshot
}

/** What a network may tell besides. */
interface CountingNetwork {
  counts?(): { readonly hostileStreams: number; readonly broadcastsDropped: number }
}

export function metricsOf(status: GridStatus, runtime: Runtime, ready: boolean, uptimeMs: number): GridMetrics {
  const { meters } = runtime
  const report = runtime.report()
  if (!runtime.closed) meters.loopDelay.start()
  const { name, peerId, peers, present, replicaId, backlog, clock, collections } = status
  const { convergence, purging, storage, topics, traffic } = status
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
    clockAheadSeconds: hlc === 0 ? 0 : (wallFromHlc(hlc) - Date.now()) / 1000,
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
              ageSeconds: Math.max(0, nowMs - lag.toldAtMs) / 1000,
            },
      messages: { ...messages },
    }
  })
}
