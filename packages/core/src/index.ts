export type { Lag } from './digests/lag.ts'
export { BlockWriter, readBlock } from './wire/block.ts'
export type { BlockRecord, PartitionName } from './wire/block.ts'
export { ByteReader, ByteWriter } from './bytes/bytes.ts'
export { decodeValue, encodeValue } from './bytes/cbor.ts'
export { scanCbor } from './bytes/cbor-scanner.ts'
export { ELEMENT_SEPARATOR, KEY_SEPARATOR, compositeKey, mainOf, splitKey } from './bytes/composite-key.ts'
export type { Collection, Collections, Partition } from './replica/collections.ts'
export { documentClient, documentHeader, documentKey, documentUpdate, documentValue } from './kinds/document-row.ts'
export { GUEST_NONCES_MAX, deletedDocumentHeader, readDocumentHeader, readDocumentKey } from './kinds/document-row.ts'
export type { DocumentKey, DocumentLevel } from './kinds/document-row.ts'
export { generationKey, generationStart, readGenerationKey, readGenerationStart } from './kinds/generation-start.ts'
export type { GenerationStart } from './kinds/generation-start.ts'
export type { Effect, Input, MemberState, PeerEvent } from './outbox/effects.ts'
export type { EntryTable, Row } from './entries/entry-table.ts'
export { isWide, readKey, writeKey } from './entries/key-bytes.ts'
export { GridError } from './errors.ts'
export type { GridErrorCode } from './errors.ts'
export {
  expiring,
  expiryOf,
  hasHeader,
  isDelete,
  isSwept,
  lasting,
  payloadOf,
  scanStored,
  subjectOf,
  withoutSubject,
  writtenBy,
} from './entries/value-header.ts'
export { ValueSlabs } from './entries/value-slabs.ts'
export { hashBytes, hashHex, hashText, mix32 } from './bytes/hash.ts'
export { hlcFromWall, wallFromHlc } from './clock/hlc.ts'
export type { Instant, RandomSource } from './instant.ts'
export type { Confirmers } from './replication/confirmations.ts'
export type { RowCounts, Way } from './replication/inbound.ts'
export { DOCUMENTS, DROPS, GUESTS, entryKeyOf, kindCode, rulesOf } from './kinds/kinds.ts'
export { rare } from '#rare'
export { partitions } from '#rare/partitions'
export { plainName } from './kinds/generations.ts'
export { checkCollectionName, checkName, hasControls } from './kinds/names.ts'
export { checkKnown, nearestOf, requireKnown, unknownName } from './known-options.ts'
export type { Known } from './known-options.ts'
export type { CollectionDescriptor, CollectionKind, CollectionMode } from './kinds/kinds.ts'
export {
  ADDRESSES_MAX,
  ADDRESS_MAX_BYTES,
  BROADCAST_MAX_BYTES,
  COLLECTIONS_MAX,
  CONFIRMATIONS_MAX,
  COUNTER_DELETE_KEPT_MS,
  COUNTER_ROW_MAX_BYTES,
  FRAME_GAP_MS,
  GRACE_MS,
  HINTS_MAX_BYTES,
  HOUSEKEEPING_AFTER_MS,
  HOUSEKEEPING_GAP_MS,
  INDEXES_DEFINED_MAX,
  KEY_MAX_BYTES,
  MEMBERS_MAX,
  MESSAGE_MAX_BYTES,
  NAME_MAX_BYTES,
  NEW_IDS_MAX,
  OFFENDERS_MAX,
  OWNERS_MAX,
  PARTITIONS_MAX,
  PARTITIONS_MIN,
  PRESENCES_MAX,
  PRESENCE_MAX_BYTES,
  QUERY_ANSWER_MAX_BYTES,
  QUESTION_MAX_BYTES,
  READ_ANSWER_MAX_BYTES,
  READ_KEYS_MAX,
  READ_TIMEOUT_MS,
  SESSIONS_MAX,
  TOPIC_BACKLOG_MAX_BYTES,
  TOPIC_MESSAGE_MAX_BYTES,
  UNDURABLE_MAX_BYTES,
  VALUE_MAX_BYTES,
} from './limits.ts'
export { FOLLOW_CURSOR_MAX_BYTES } from './follow-limits.ts'
export type { MemberRecord, Role } from './wire/member-record.ts'
export { heartbeatMs } from './members/membership.ts'
export type { Member } from './members/membership.ts'
export { shown } from './shown.ts'
export { WIRE_VERSION } from './wire/messages.ts'
export { openPeer } from './peer/open-peer.ts'
export type { PeerOpening, PeerOptions } from './peer/open-peer.ts'
export { IMAGE_FORMAT, stateImage } from './storage/state-image.ts'
export type { ImageBlob } from './storage/state-image.ts'
export { HINT_PREFIX, OPENING_PREFIXES } from './storage/opening.ts'
export type { Written } from './writes/local-writes.ts'
export type { Peer } from './peer/peer.ts'
export type {
  PeerReport,
  ReportedCollection,
  ReportedMember,
  ReportedProposal,
  ReportedPurging,
} from './peer/report.ts'
export type { Registered } from './purging/registry.ts'
export type { ReportedPartitions } from './ownership/partition-report.ts'
export type { ChangesSince } from './following/changes-since.ts'
export type { PartitionCursor } from './following/partition-cursor.ts'
export type { Followed, FollowedKey } from './following/following.ts'
export type { OwnerState } from './peer/partition-access.ts'
export type { OwnerShare } from './placement/rendezvous.ts'
export type { PartAnswer, QueryReply } from './routing/part-queries.ts'
export type { AskedQuery } from './wire/read-messages.ts'
export type { TopicMessage } from './wire/topic-message.ts'
export { INDEX_ROWS, IndexRows } from './purging/index-rows.ts'
export type { IndexedCollection } from './purging/index-rows.ts'
export { keySlot, partitionIndex } from './placement/key-slots.ts'
export { isPartitionCount, partitionNumber } from './wire/partition-numbers.ts'
export { EVERYONE, includes } from './placement/placement.ts'
export type { Audience, Placement } from './placement/placement.ts'
export { isPlainObject } from './realms.ts'
export { PRESENT } from './kinds/row-forms.ts'
export { countRows, deleteRowKey, deletedRow, sumOf } from './kinds/count-rows.ts'
export type { CountRow, CountRows } from './kinds/count-rows.ts'
export { NO_SHARE, covers, encodeShare, largest, left, readShare } from './kinds/shares.ts'
export type { Left, Share } from './kinds/shares.ts'
export { OwnShares } from './kinds/own-shares.ts'
export type { OwnShare } from './kinds/own-shares.ts'
export { readYjsUpdate } from './kinds/yjs-update.ts'
export type { YjsUpdate } from './kinds/yjs-update.ts'
export { mergeDeletes, writeYjsUpdate } from './kinds/yjs-writer.ts'
export type { YjsStructs } from './kinds/yjs-writer.ts'
export { Floor } from './versions/floor.ts'
export { ADOPTED_REPLICA_ID } from './versions/replica-ids.ts'
export { decodeForeignVector, encodeVector } from './versions/vector-codec.ts'
export type { VersionVector } from './versions/version-vector.ts'
export type { Broadcast, Network, NetworkEvents, PeerId, Storage, StorageOperation, Streams } from './ports.ts'
export type { Discarded, Replica, ReplicaObserver } from './replica/replica.ts'
