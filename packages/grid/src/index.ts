// For projects that do not have the types of `await using` from elsewhere.
/// <reference lib="esnext.disposable" preserve="true" />
// Runs before everything else.
export {} from './node-version.ts'
export { GridError, wallFromHlc } from '@gossipgrid/core'
export type { GridErrorCode, Network, OwnerShare, OwnerState, Storage } from '@gossipgrid/core'
export { libp2pNetwork } from '@gossipgrid/network'
export type { Channel, Libp2pNetwork, Libp2pNetworkOptions } from '@gossipgrid/network'
export { BulkError } from './bulk/bulk-error.ts'
export type { BulkProgress } from './bulk/bulk-error.ts'
export type { BulkOptions, BulkReceipt, BulkResult } from './bulk/bulk-write.ts'
export { copyCollection } from './copying/copy-collection.ts'
export type { CopiedMap, CopyOptions, CopyProgress } from './copying/copy-collection.ts'
export type { FeedOptions } from './changes/change-feed.ts'
export type { CounterBatch } from './counters/counter-batch.ts'
export type { Convergence, ConvergenceState } from './status/convergence.ts'
export { GridDocument } from './documents/opened/grid-document.ts'
export type { DocumentEvents, DocumentOptions } from './documents/opened/grid-document.ts'
export { Grid } from './grid.ts'
export type { DroppedCollection, GridEvents, RefusedWrite } from './lifecycle/event-reporter.ts'
export type { LeaveOptions, LeaveProgress } from './lifecycle/hand-over.ts'
export { GridCounter } from './counters/grid-counter.ts'
export type { CounterChange } from './counters/grid-counter.ts'
export { GridMap } from './maps/grid-map.ts'
export type { Conflict, MapEvents } from './maps/grid-map.ts'
export type { GridBatch } from './collections/grid-maps.ts'
export type { GridCounters } from './keyed/grid-counters.ts'
export type { CountersBatch } from './keyed/counters-batch.ts'
export type { CountersChange } from './keyed/key-count-change.ts'
export type { GridSets } from './keyed/grid-sets.ts'
export type { SetsBatch } from './keyed/sets-batch.ts'
export type { SetsChange } from './keyed/key-element-change.ts'
export { GridSet } from './sets/grid-set.ts'
export type { SetChange, SetChangesOptions } from './sets/grid-set.ts'
export { PartitionedMap } from './partitioned/partitioned-map.ts'
export type {
  PartitionAggregateResult,
  PartitionCount,
  PartitionIndexHandle,
  PartitionQueryPlan,
  PartitionQueryResult,
  PeerQueryPlan,
} from './partitioned/partition-options.ts'
export type {
  Coverage,
  PartitionChange,
  PartitionChangesOptions,
  PartitionFeed,
  PartitionWatchOptions,
  PartitionWatched,
} from './partitioned/changes/partition-changes.ts'
export { PartitionedCounter } from './partitioned/keyed/partitioned-counter.ts'
export { PartitionedCounters } from './partitioned/keyed/partitioned-counters.ts'
export { PartitionedSet } from './partitioned/keyed/partitioned-set.ts'
export { PartitionedSets } from './partitioned/keyed/partitioned-sets.ts'
export type {
  PartitionElementChange,
  PartitionElementChangesOptions,
  PartitionKeyElementChange,
} from './partitioned/keyed/element-changes.ts'
export type { PartitionBatch } from './partitioned/partition-batch.ts'
export type {
  OwnerReadOptions,
  PartitionBulkOptions,
  PartitionBulkResult,
  PartitionBulkSetOptions,
  PartitionGetOptions,
  PartitionReceipt,
  PartitionSetOptions,
  PartitionValues,
  PartitionWalk,
  PartitionWalkOptions,
  PartitionWriteOptions,
  PartitionedMapOptions,
  PartitionedOptions,
} from './partitioned/partition-options.ts'
export { GridPresence } from './signals/grid-presence.ts'
export type { PresenceChange, PresenceOptions } from './signals/grid-presence.ts'
export { GridTopic } from './signals/grid-topic.ts'
export type { ListenOptions, MessagesOptions, TopicLag, TopicMessage } from './signals/grid-topic.ts'
export type {
  CounterGrant,
  DocGrant,
  Grant,
  MapGrant,
  May,
  PresenceGrant,
  SetGrant,
  TopicGrant,
} from './guests/grants.ts'
export { readPass } from './guests/pass-text.ts'
export type { PassContent, PassSource, ReadPass } from './guests/pass-text.ts'
export type { PassOptions } from './guests/passes/passes.ts'
export type { GuestQuotas, GuestRequest, GuestsOptions } from './guests/guest-options.ts'
export type { GuestStatus, GuestsStatus } from './runtime/guest-status.ts'
export type { HistogramSnapshot } from './meters/histogram.ts'
export type { LogFields, Logger } from './logger.ts'
export { MapBatch } from './maps/map-batch.ts'
export type { Change } from './maps/map-change.ts'
export type { MapUndo, UndoOptions } from './undo/map-undo.ts'
export type { BulkSetOptions, ChangesOptions, MapOptions, PrefixOption } from './maps/map-options.ts'
export type { Aggregate, AggregateResult, AggregateRow, TextAggregate } from './queries/aggregate.ts'
export type { LiveQuery, RowChange } from './live/live-query.ts'
export type { IndexHandle, TextIndexHandle } from './queries/map-queries.ts'
export type {
  FieldName,
  FieldOperators,
  FieldType,
  OrderField,
  Query,
  QueryPlan,
  RowValue,
  Selected,
} from './queries/query.ts'
export type { TextEngine, TextEngineObject } from './indexes/text-index.ts'
export type { QueryResult, QueryRow, TextIndexOptions, TextQuery, TextWhere, Where } from './queries/query.ts'
export { collectionOfCursor } from './reads/cursor.ts'
export type { EntriesOptions } from './reads/walk.ts'
export type { WatchOptions, Watched } from './reads/watch.ts'
export type { ExpiryOptions, SetOptions } from './maps/map-options.ts'
export type { Snapshot } from './maps/snapshots.ts'
export { StandingStore } from './status/standing.ts'
export type { GridStanding } from './status/standing.ts'
export type { GridMetrics, NeighbourMetrics } from './status/metrics.ts'
export { openGrid } from './open-grid.ts'
export type { OpenGridOptions } from './open-grid-options.ts'
export type { GridPartitions } from './status/partition-status.ts'
export type { DurableMember, GridPurging } from './status/purging-status.ts'
export type { ReachedOptions, ReadOptions } from './reads/after-token.ts'
export type { Receipt, Version, WriteOptions } from './receipts/receipt.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './maps/schema.ts'
export type { CollectionLag, CollectionStatus, GridClockStatus, GridCollection, GridMember } from './status/status.ts'
export type { GridOffender, GridStatus, Recovery } from './status/status.ts'
export type { SetBatch } from './sets/set-batch.ts'
export { channelsOf } from './secrets.ts'
export { VERSION } from './version.ts'
export type { GridSpan, GridSpanContext, GridTracer } from './runtime/safe-tracer.ts'
