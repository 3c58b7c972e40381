import type { GridMetrics } from 'gossipgrid'
import { GUEST_METRICS } from './guest-metrics.ts'
import { counter, gauge, histogram } from './metric-definition.ts'
import type { Labels, MetricDefinition, Sample } from './metric-definition.ts'
import { PARTITION_METRICS } from './partition-metrics.ts'

/** Collections that get their own series. More collections cannot fill a Prometheus. */
const COLLECTIONS_SHOWN_MAX = 100

/** Samples that differ in one label. */
function by<Value>(label: string, values: Readonly<Record<string, Value>>): Sample<Value>[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }))
}

function perCollection(
  read: (collection: GridMetrics['collections'][number]) => number,
): (metrics: GridMetrics) => Sample<number>[] {
  return ({ collections }) =>
    shown(collections).map((each) => ({ labels: { collection: each.name }, value: read(each) }))
}

function shown<Each>(collections: readonly Each[]): readonly Each[] {
  return collections.slice(0, COLLECTIONS_SHOWN_MAX)
}

function perLag(
  read: (lag: NonNullable<GridMetrics['neighbours'][number]['lag']>) => number,
): (metrics: GridMetrics) => Sample<number>[] {
  return ({ neighbours }) =>
    neighbours.flatMap(({ peerId, lag }) =>
      lag === undefined ? [] : [{ labels: { neighbour: peerId }, value: read(lag) }],
    )
}

type Messages = GridMetrics['streams']

function directions(messages: Messages, unit: 'Bytes' | 'Messages', labels: Labels): [Sample<number>, Sample<number>] {
  return [
    { labels: { ...labels, direction: 'sent' }, value: messages[`sent${unit}`] },
    { labels: { ...labels, direction: 'received' }, value: messages[`received${unit}`] },
  ]
}

function bothPaths({ streams, broadcasts }: GridMetrics, unit: 'Bytes' | 'Messages'): Sample<number>[] {
  return [...directions(streams, unit, { path: 'stream' }), ...directions(broadcasts, unit, { path: 'broadcast' })]
}

/** Fingerprints can be compared only when both peers have seen the same writes. */
function fingerprintsEqual({ collections, neighbours }: GridMetrics): Sample<number>[] {
  const connected = new Set(neighbours.map(({ peerId }) => peerId))
  return shown(collections).flatMap(({ name, lags }) =>
    lags
      .filter(({ peerId, behind, ahead }) => connected.has(peerId) && behind === 0 && ahead === 0)
      .map(({ peerId, differs }) => ({ labels: { collection: name, neighbour: peerId }, value: differs ? 0 : 1 })),
  )
}

const STATES = ['equal', 'ahead', 'unknown', 'behind', 'differs', 'alone'] as const

const convergence: readonly MetricDefinition[] = [
  gauge(
    'gossipgrid_convergence',
    'What can be said of this peer beside its neighbours: 1 for the state that holds, 0 for the others.',
    (metrics) => STATES.map((state) => ({ labels: { state }, value: metrics.convergence.state === state ? 1 : 0 })),
    'state',
  ),
  gauge(
    'gossipgrid_convergence_age_seconds',
    'How long ago the oldest word was given that the state of convergence rests on.',
    ({ convergence: { asOfMs } }) => (asOfMs === undefined ? undefined : asOfMs / 1000),
  ),
  gauge('gossipgrid_neighbours', 'Peers that are connected.', (metrics) => metrics.convergence.neighbours),
  gauge(
    'gossipgrid_neighbours_equal',
    'Neighbours that hold exactly what this peer holds, as far as they lately said.',
    (metrics) => metrics.convergence.equal,
  ),
  gauge(
    'gossipgrid_neighbours_unknown',
    'Neighbours that have not said what they hold, or not for a long time.',
    (metrics) => metrics.convergence.unknown,
  ),
  gauge(
    'gossipgrid_replication_behind_writes',
    'Writes that a neighbour has and this peer lacks.',
    perLag((lag) => lag.behind),
    'neighbour',
  ),
  gauge(
    'gossipgrid_replication_ahead_writes',
    'Writes that this peer has and a neighbour lacked when it last said.',
    perLag((lag) => lag.ahead),
    'neighbour',
  ),
  gauge(
    'gossipgrid_replication_told_age_seconds',
    'How long ago a neighbour said what it holds.',
    perLag((lag) => lag.ageSeconds),
    'neighbour',
  ),
  gauge(
    'gossipgrid_fingerprints_equal',
    'Where this peer and a neighbour have seen the same writes: 1 when they hold the same entries, 0 when one is damaged.',
    fingerprintsEqual,
    'collection',
    'neighbour',
  ),
  gauge('gossipgrid_members', 'Peers known, this one among the living.', (m) => by('state', { ...m.members }), 'state'),
  gauge('gossipgrid_ready', '1 after a complete exchange with one other peer, or when no other peer was found.', (m) =>
    Number(m.ready),
  ),
]

const writes: readonly MetricDefinition[] = [
  counter(
    'gossipgrid_writes_total',
    'Writes made here.',
    (m) => by('operation', { set: m.writes.sets, delete: m.writes.deletes }),
    'operation',
  ),
  counter(
    'gossipgrid_writes_refused_total',
    'Writes refused because too many waited for the store.',
    (m) => m.writes.refused,
  ),
  counter(
    'gossipgrid_copies_timeouts_total',
    'Writes that had too few copies in time.',
    (m) => m.writes.copiesTimeouts,
  ),
  gauge('gossipgrid_writes_pending', 'Writes whose promise has not settled.', (m) => m.writes.pending),
  histogram(
    'gossipgrid_set_to_durable_seconds',
    'From the call until the write is durable here.',
    (m) => m.writes.durableSeconds,
  ),
  histogram(
    'gossipgrid_put_to_visible_seconds',
    'From when another peer dated a write until it is visible here, broadcast only, difference of clocks included.',
    (m) => m.visibleSeconds,
  ),
  counter(
    'gossipgrid_put_to_visible_early_total',
    'Broadcast writes dated later than they came, which count as 0 seconds.',
    (m) => m.visibleEarly,
  ),
  histogram(
    'gossipgrid_apply_seconds',
    'How long one message was worked on.',
    (m) => by('path', { broadcast: m.applySeconds.broadcast, stream: m.applySeconds.stream }),
    'path',
  ),
  counter(
    'gossipgrid_rows_received_total',
    'Writes of other peers that came here, by the way they came and by what became of them.',
    ({ rows }) =>
      (['broadcast', 'session'] as const).flatMap((path) =>
        by('outcome', { ...rows[path] }).map(({ labels, value }) => ({ labels: { path, ...labels }, value })),
      ),
    'path',
    'outcome',
  ),
  counter('gossipgrid_void_ranges_total', 'Ranges of writes that came as superseded.', (m) => m.rows.voidRanges),
  gauge(
    'gossipgrid_backlog_bytes',
    'Bytes that wait: writes for the disk, own writes and messages of topics to be broadcast, messages to be worked on.',
    ({ backlog, inboxBytes }) =>
      by('where', {
        store: backlog.undurableBytes,
        broadcast: backlog.broadcastBytes,
        topics: backlog.topicBytes,
        inbox: inboxBytes,
      }),
    'where',
  ),
]

const network: readonly MetricDefinition[] = [
  counter(
    'gossipgrid_messages_total',
    'Messages of the grid, before encryption.',
    (m) => bothPaths(m, 'Messages'),
    'path',
    'direction',
  ),
  counter(
    'gossipgrid_message_bytes_total',
    'Bytes of messages of the grid, before encryption.',
    (m) => bothPaths(m, 'Bytes'),
    'path',
    'direction',
  ),
  counter(
    'gossipgrid_neighbour_messages_total',
    'Messages of the stream of one neighbour since it connected.',
    (m) => m.neighbours.flatMap((each) => directions(each.messages, 'Messages', { neighbour: each.peerId })),
    'neighbour',
    'direction',
  ),
  counter(
    'gossipgrid_neighbour_message_bytes_total',
    'Bytes of messages of the stream of one neighbour since it connected.',
    (m) => m.neighbours.flatMap((each) => directions(each.messages, 'Bytes', { neighbour: each.peerId })),
    'neighbour',
    'direction',
  ),
  counter(
    'gossipgrid_socket_bytes_total',
    'Bytes that crossed the sockets, encryption and gossip passed on for others included.',
    ({ traffic }) => by('direction', { sent: traffic.sentBytes, received: traffic.receivedBytes }),
    'direction',
  ),
  counter(
    'gossipgrid_connections_total',
    'Connections to neighbours that were made and lost.',
    ({ connections }) => by('event', { made: connections.made, lost: connections.lost }),
    'event',
  ),
  counter(
    'gossipgrid_redials_total',
    'Neighbours redialled because their broadcasts did not come.',
    (m) => m.connections.redials,
  ),
  counter('gossipgrid_broadcast_frames_total', 'Frames of writes that were broadcast.', (m) => m.broadcasts.frames),
  counter('gossipgrid_broadcast_writes_total', 'Writes that were broadcast.', (m) => m.broadcasts.writes),
  counter(
    'gossipgrid_broadcast_floods_total',
    'Times that writes came too fast to be broadcast and were left to sessions.',
    (m) => m.broadcasts.floods,
  ),
  counter(
    'gossipgrid_broadcasts_dropped_total',
    'Broadcasts given up because too much was waiting for the network.',
    (m) => m.broadcasts.dropped,
  ),
  counter(
    'gossipgrid_topic_messages_total',
    'Messages of topics, by what became of them: published or refused here, received or dropped from others.',
    (m) => by('outcome', { ...m.topics }),
    'outcome',
  ),
  gauge('gossipgrid_present_peers', 'Peers that have a presence, this one included.', (m) => m.present),
  counter(
    'gossipgrid_sessions_total',
    'Anti-entropy sessions that ended.',
    ({ sessions }) => by('result', { complete: sessions.complete, broken: sessions.broken }),
    'result',
  ),
  gauge('gossipgrid_sessions_active', 'Anti-entropy sessions under way.', (m) => m.backlog.sessions),
  counter(
    'gossipgrid_session_rows_total',
    'Writes that sessions carried.',
    ({ sessions }) => by('direction', { sent: sessions.rowsSent, received: sessions.rowsReceived }),
    'direction',
  ),
]

const storage: readonly MetricDefinition[] = [
  gauge('gossipgrid_storage_persistent', '1 when data is on disk, 0 in memory only.', (m) =>
    Number(m.storage.persistent),
  ),
  gauge('gossipgrid_storage_healthy', '0 while the store refuses writes.', (m) => Number(m.storage.healthy)),
  gauge('gossipgrid_storage_log_bytes', 'Bytes logged since the last checkpoint.', (m) => m.storage.logBytes),
  histogram('gossipgrid_store_seconds', 'How long one durable batch took, sync included.', (m) => m.store.seconds),
  counter('gossipgrid_stored_bytes_total', 'Bytes handed to the store.', (m) => m.store.bytes),
  counter('gossipgrid_store_failures_total', 'Batches that the store refused.', (m) => m.store.failures),
  counter('gossipgrid_checkpoints_total', 'Checkpoints finished.', (m) => m.store.checkpoints),
  gauge('gossipgrid_collections', 'Collections of this peer.', (m) => m.collections.length),
  gauge(
    'gossipgrid_entries',
    'Entries of this peer.',
    perCollection((each) => each.entries),
    'collection',
  ),
  gauge(
    'gossipgrid_rows',
    'Rows of this peer: what its entries take.',
    perCollection((each) => each.rows),
    'collection',
  ),
  gauge(
    'gossipgrid_tombstones',
    'Deletes that are remembered.',
    perCollection((each) => each.tombstones),
    'collection',
  ),
  gauge(
    'gossipgrid_purge_floor_age_seconds',
    'How old the youngest deletes are that have been purged; absent while none have.',
    ({ collections }) =>
      shown(collections).flatMap(({ name, purgedUntilMs }) =>
        purgedUntilMs === undefined
          ? []
          : [{ labels: { collection: name }, value: Math.max(0, Date.now() - purgedUntilMs) / 1000 }],
      ),
    'collection',
  ),
  gauge('gossipgrid_durable_members', 'Registered peers that keep their data.', (m) => m.purging.members.length),
  gauge(
    'gossipgrid_awaited_members',
    'Those of them whom purging has waited for, an hour or longer.',
    (m) => m.purging.members.filter(({ awaited }) => awaited).length,
  ),
  gauge(
    'gossipgrid_value_bytes',
    'Bytes of encoded values.',
    perCollection((each) => each.valueBytes),
    'collection',
  ),
  counter(
    'gossipgrid_conflicts_total',
    'Concurrent versions that lost a merge, as far as the peer can detect them.',
    perCollection((each) => each.conflicts),
    'collection',
  ),
]

const quarantine: readonly MetricDefinition[] = [
  gauge(
    'gossipgrid_held_writes',
    'Writes from the near future that wait for their time.',
    (m) => m.quarantine.heldWrites,
  ),
  gauge('gossipgrid_held_bytes', 'Memory taken by writes that wait for their time.', (m) => m.quarantine.heldBytes),
  counter(
    'gossipgrid_rows_refused_ahead_total',
    'Writes refused because they were dated too far ahead, each time they came.',
    (m) => m.quarantine.refusedAhead,
  ),
  counter(
    'gossipgrid_restamped_writes_total',
    "Own writes that got a new date, because this machine's clock had been ahead.",
    (m) => m.clock.restamped,
  ),
  counter(
    'gossipgrid_refused_total',
    'Refused from other peers, by error code.',
    (m) => by('code', m.quarantine.refused),
    'code',
  ),
  counter('gossipgrid_offences_total', 'Malformed messages from other peers.', (m) => m.offences),
  gauge(
    'gossipgrid_offenders_refused',
    'Peers from which nothing is taken now, of the 64 that offended last.',
    (m) => m.offenders.filter(({ refusedForMs }) => refusedForMs > 0).length,
  ),
  counter('gossipgrid_cut_offs_total', 'Peers cut off for sending malformed messages.', (m) => m.quarantine.cutOffs),
  counter(
    'gossipgrid_hostile_streams_total',
    'Streams closed because their bytes broke the protocol.',
    (m) => m.quarantine.hostileStreams,
  ),
  counter(
    'gossipgrid_damaged_blobs_total',
    'Stored blobs that were unreadable at opening and set aside.',
    (m) => m.quarantine.damagedBlobs,
  ),
  counter(
    'gossipgrid_replica_id_changes_total',
    'Times that this peer took a new replica id.',
    (m) => m.replicaIdChanges,
  ),
]

const runtime: readonly MetricDefinition[] = [
  gauge('gossipgrid_uptime_seconds', 'Since the grid was opened.', (m) => m.uptimeSeconds),
  gauge(
    'gossipgrid_clock_ahead_seconds',
    'How far the latest write seen is dated ahead of this clock; negative when it lies in the past.',
    (m) => m.clockAheadSeconds,
  ),
  gauge(
    'gossipgrid_clock_offset_seconds',
    "What this machine's clock is corrected by; 0 while it is believed.",
    (m) => m.clock.offsetMs / 1000,
  ),
  histogram('gossipgrid_event_loop_delay_seconds', 'How late timers fire.', (m) => m.eventLoopDelaySeconds),
]

/** Every metric of a peer, besides those of the process. `docs/observability.md` explains each. */
export const METRICS: readonly MetricDefinition[] = [
  ...convergence,
  ...writes,
  ...network,
  ...storage,
  ...quarantine,
  ...PARTITION_METRICS,
  ...GUEST_METRICS,
  ...runtime,
]
