/**
 * Every bound on what peers may send, store or ask for, in one place. Each has its unit in its name, and a reason. What only
 * follows from the layout of a data structure (bits of a slot, bytes of a slab) stands beside that structure.
 */

export * from './read-limits.ts'

export const KEY_MAX_BYTES = 1024
/** The largest value that a peer accepts. A grid may set a lower limit of its own. */
export const VALUE_MAX_BYTES: number = 1024 * 1024
export const NAME_MAX_BYTES = 128
/** Collections of applications on all peers. The grid's internal collections do not count. */
export const COLLECTIONS_MAX = 4096
/** Names of dropped collections. Each is remembered for ever, so that a peer that was away learns of the drop. */
export const DROPPED_NAMES_MAX = 65_536
/** How often one name can be dropped. */
export const GENERATION_MAX = 99_999
/** A longer name is not dropped: with the number of its drops, which takes up to 8 bytes, it would be no name any more. */
export const DROPPABLE_NAME_MAX_BYTES: number = NAME_MAX_BYTES - 8
/** What a drop says of the writes that its peer had seen. If it is more, the drop does not say it. */
export const DROP_VECTORS_MAX_BYTES: number = 256 * 1024
/** Partitions of which a drop says that. */
export const DROP_PARTS_MAX = 4096
/** Writes that a drop lost, with key and value, in the event that reports it. */
export const LOST_WRITES_MAX = 1000
/** Partitions of a partitioned collection. */
export const PARTITIONS_MIN = 16
export const PARTITIONS_MAX = 4096
/** A partition's number is the count of partitions plus its index. */
export const PARTITION_NUMBERS_MAX: number = 2 * PARTITIONS_MAX
/** Partitioned collections, of which every owner says what it holds. */
export const PARTITIONED_COLLECTIONS_MAX = 512
/** Peers that hold each partition of a collection. */
export const OWNERS_MAX = 16
/** The largest weight that counts for the share of the partitions that a peer owns. */
export const WEIGHT_MAX = 16

/** The two numbers of a counter's row take 19 bytes at most. */
export const COUNTER_ROW_MAX_BYTES = 32
/** The row that starts a generation of a document. A document with a longer history is not compacted. */
export const GENERATION_START_MAX_BYTES: number = 256 * 1024
/** The header row of a document. */
export const DOCUMENT_HEADER_MAX_BYTES = 64

/** Sequence numbers have 32 bits. After the last one a peer takes a new replica id. */
export const SEQUENCE_MAX = 0xffffffff

/** A message on a stream. It has room for some values of the largest size. */
export const MESSAGE_MAX_BYTES: number = 4 * 1024 * 1024
/** A broadcast. It has room for one value of the largest size. */
export const BROADCAST_MAX_BYTES: number = VALUE_MAX_BYTES + 64 * 1024

/** The header of a message, in front of its block. */
export const MESSAGE_HEADER_MAX_BYTES: number = MESSAGE_MAX_BYTES - 1024
/** Partitions in each of the two lists that a message may have. Replicated collections have one partition each. */
export const MESSAGE_PARTS_MAX: number = COLLECTIONS_MAX
/** Keys of one map in a header. Every version has to keep to it, since older peers refuse more. */
export const HEADER_KEYS_MAX = 16
/** An incarnation is a date in milliseconds. This is far beyond any date, and far below 2^53. */
export const INCARNATION_MAX: number = 2 ** 46

/** A frame is sent when it has so many writes or bytes. Signatures limit small frames to a few thousand a second. */
export const FRAME_WRITES_MAX = 256
export const FRAME_MAX_BYTES: number = 64 * 1024
/**
 * What a peer may spend on frames by gossip, as time between two of them on average. Each costs a signature here and a check on
 * every other peer, about half a millisecond: 5 % of a core.
 */
export const FRAME_GAP_MS = 10
/** How much of that a peer may spend at once after it was silent: so many frames leave without a gap. */
export const FRAME_BURST_MAX = 32
/** With a larger backlog, the peer stops broadcasting frames and announces its vectors: sessions carry the rest. */
export const BROADCAST_BACKLOG_MAX_BYTES: number = 256 * 1024
export const BROADCASTS_IN_FLIGHT_MAX = 4
/**
 * With more neighbours than this, frames go by gossip: each neighbour costs an encryption here. A frame by gossip costs all peers
 * together several times as much, because each passes it on to others that have it.
 */
export const DIRECT_NEIGHBOURS_MAX = 32
/** How often, at most, a neighbour that reads slowly is asked to fetch the frames that it misses. */
export const MISSED_ANNOUNCE_GAP_MS = 1000

/** A chunk of an anti-entropy session. */
export const CHUNK_MAX_BYTES: number = 128 * 1024
/** Unacknowledged chunks. They may arrive together, and must not block the receiver's event loop for long. */
export const CHUNKS_IN_FLIGHT_MAX = 4
/** Sessions that this peer has started. */
export const SESSIONS_STARTED_MAX = 4
/** Sessions under way or deferred. With so many, a peer refuses sessions that other peers start. */
export const SESSIONS_MAX = 64
/** Sessions that one neighbour has started. */
export const SESSIONS_EACH_MAX = 4
/** How many sessions a neighbour may start at once, and then each second. */
export const SESSION_BURST_MAX = 64
export const SESSIONS_PER_SECOND = 16
/** A session without progress for this long is given up. */
export const SESSION_IDLE_MS = 15_000
/** Rows that share a dot, which a chunk keeps together. With the largest value after them they still fit into a message. */
export const SHARED_DOT_MAX_BYTES: number = MESSAGE_MAX_BYTES / 2
/** A part of a digest, without its vector. */
export const PART_DIGEST_MAX_BYTES = 256
/**
 * While one neighbour sends missing rows, sessions with others are deferred, because they would send the same rows. They
 * start when this neighbour has been silent for so long.
 */
export const RECEIVING_PATIENCE_MS = 1000
/** The same, if it has sent nothing yet. */
export const ANSWER_PATIENCE_MS = 200
/** A session is deferred for no longer than this, unless the other neighbour sends much. */
export const SESSION_DEFERRED_MAX_MS = 4000
/** If the other neighbour sends so much in that time, the session waits on: both would send the same, and take twice as long. */
export const BULK_BYTES: number = 1024 * 1024
/** Even then, a session is deferred for no longer than this. */
export const SESSION_BULK_DEFERRED_MAX_MS = 30_000
/** A peer starts a session with a random neighbour after a random time between these two. */
export const ANTI_ENTROPY_MIN_MS = 30_000
export const ANTI_ENTROPY_MAX_MS = 60_000
/** How long a peer waits for missing rows to arrive before it starts a session. Doubles with each vain session. */
export const GAP_DELAY_MS = 50
export const GAP_DELAY_MAX_MS = 30_000
/** How often, at most, a neighbour gets a partition whole because vectors are equal and fingerprints are not. */
export const WHOLE_EXCHANGE_GAP_MS = 10_000
/** How often, at most, one of the neighbours is redialled because no broadcasts of it arrive. */
export const REDIAL_GAP_MS = 30_000
/** How often, at most, a member that is not a neighbour is dialled. Its addresses come from other peers and may be wrong. */
export const DIAL_GAP_MS = 10_000
/** With so many neighbours, a peer dials no further members. */
export const NEIGHBOURS_MAX = 32
/** Members that are dialled at the same time. */
export const DIALS_MAX = 32
/** Addresses of a member that are dialled. */
export const DIAL_ADDRESSES_MAX = 8

/** Writes that are not durable yet. Above it a write is refused with `BACKLOG_FULL`, and rows of other peers are not accepted. */
export const UNDURABLE_MAX_BYTES: number = 64 * 1024 * 1024
/** The memory of a waiting write besides its bytes: its promise, and its places in queues. */
export const UNDURABLE_WRITE_COST_BYTES = 512
/** The same for a block of another peer. */
export const UNDURABLE_BLOCK_COST_BYTES = 256
/** Rows of other peers gather so long, or until they are so many bytes, before they are stored, unless something waits for them. */
export const REMOTE_GATHER_MS = 20
/**
 * On a disk that is slow, or that many peers share, they gather for so many times as long as a batch lately took: else the disk
 * would be busy with rows that nothing waits for, and own writes would wait for it.
 */
export const REMOTE_GATHER_BATCHES = 10
export const REMOTE_GATHER_MAX_MS = 500
export const REMOTE_GATHERED_MAX_BYTES: number = 128 * 1024
/** A blob of the log. A group of writes may take several. */
export const LOG_BLOB_MAX_BYTES: number = 1024 * 1024
/** One batch of the store. */
export const STORE_BATCH_MAX_BYTES: number = 8 * 1024 * 1024
/** When a failed batch is tried again. Doubles up to the maximum. */
export const STORE_RETRY_MS = 1000
export const STORE_RETRY_MAX_MS = 30_000
/**
 * A checkpoint starts when the log is larger than this and than the live data. It rewrites nearly everything: a lower bound
 * would cost more than the writes themselves, and a higher one would only make opening slower.
 */
export const CHECKPOINT_LOG_MIN_BYTES: number = 16 * 1024 * 1024
/** A partition is split into segments of about half of these, each stored as one blob. */
export const SEGMENT_ENTRIES_MAX = 8192
export const SEGMENT_MAX_BYTES: number = 1024 * 1024
/** If the stored clock is further ahead of the wall clock than this, one of the two is wrong. */
export const STORED_CLOCK_AHEAD_MAX_MS = 86_400_000

/** The grace period: a tombstone is purged this long after the last durable member acknowledged it. */
export const GRACE_MS: number = 14 * 86_400_000
/** How often a purge floor is proposed. */
export const CANDIDATE_GAP_MS = 86_400_000
/** Proposals that wait for an acknowledgement. */
export const CANDIDATES_MAX = 16
/** Replica ids in a proposal. */
export const CANDIDATE_IDS_MAX = 20_000
/** The row of a proposal. */
export const CANDIDATE_MAX_BYTES: number = 768 * 1024
/** Partitions in a proposal. */
export const CANDIDATE_PARTS_MAX = 4096
/** What a partition takes in a proposal, besides its vector and its collection's name. */
export const CANDIDATE_PART_BYTES = 64
/** How long an adopted proposal is kept, for peers that were away. */
export const CANDIDATE_SETTLED_MS: number = 3 * 86_400_000
/** A partition without tombstones gets a new floor when its vector has so many replica ids, so that they are retired. */
export const RETIRED_IDS_WANTED = 16
/** How often a durable member renews its sign of life in the registry. */
export const SIGN_OF_LIFE_MS: number = 7 * 86_400_000
/** After so long without a sign of life, a durable member is removed from the registry. */
export const MEMBER_SILENT_MAX_MS: number = 90 * 86_400_000
/** How long a delete of a counter under a key is remembered: as long as a peer may be away. */
export const COUNTER_DELETE_KEPT_MS: number = MEMBER_SILENT_MAX_MS
/** When the first round of housekeeping starts after opening. */
export const HOUSEKEEPING_AFTER_MS = 30_000
/** The time between two rounds. */
export const HOUSEKEEPING_GAP_MS = 15_000

/** How often a peer looks at what it owns, what it holds, and which owners are there; and how often it publishes changes. */
export const OWNERSHIP_GAP_MS = 1000
/** What owners of a partition have in common is compared when nothing has changed for so long, and at the latest after so long. */
export const COPIES_QUIET_MS = 2000
export const COPIES_COMPARED_MAX_MS = 30_000
/** After a session that has not made two peers equal, the next one waits so long. Doubles up to `COPIES_COMPARED_MAX_MS`. */
export const COPIES_RETRY_MS = 1000
/** Copies that a former owner asks about in one message. */
export const COVER_PARTS_MAX = 256
/** How many such questions a neighbour may send at once, and then each second. */
export const COVER_BURST_MAX = 64
export const COVERS_PER_SECOND = 8
/** A question without an answer is asked again after so long. */
export const COVER_PATIENCE_MS = 10_000
/** A former owner drops its copy on answers to questions that are no older than this. */
export const COVERED_MAX_AGE_MS = 30_000
/** An owner that has said that it covers a copy keeps its own for so long. It must be longer than the answer counts. */
export const COVERED_KEPT_MS: number = 2 * COVERED_MAX_AGE_MS
/** An owner that has been gone for so long is marked as away, and others take its place. */
export const AWAY_AFTER_MS = 300_000
/** The same for an owner without a directory: nothing of what it had comes back. */
export const MEMORY_AWAY_AFTER_MS = 60_000
/** An owner that is marked as away counts again when it has been there for so long. */
export const BACK_AFTER_MS = 60_000
/** The registration of an owner without a directory is removed when it has been away for so long. */
export const MEMORY_OWNER_SILENT_MAX_MS = 3_600_000

/** Rows that a peer has written to partitions of others and that those have not confirmed: what they take in memory. */
export const HINTS_MAX_BYTES: number = 64 * 1024 * 1024
/** The memory of such a row besides its key and value. */
export const HINT_COST_BYTES = 1024
/**
 * Ranges of earlier writes of its key that such a row names. Those that it does not name stay as a gap in the vectors of the
 * owners.
 */
export const HINT_RANGES_MAX = 128
/** Rows that one other peer gives to this one to pass on, and all others together. */
export const HINTS_OF_PEER_MAX_BYTES: number = 4 * 1024 * 1024
export const HINTS_OF_PEERS_MAX_BYTES: number = 32 * 1024 * 1024
/** Rows and bytes of one message to a peer that holds a partition. One row of the largest size fits. */
export const WRITE_ROWS_MAX = 512
export const WRITE_MAX_BYTES: number = 64 * 1024
/** Bytes of such messages that one peer has not answered yet. */
export const WRITES_UNDER_WAY_MAX_BYTES: number = 1024 * 1024
/** A peer that has not answered after so long counts as silent. */
export const WRITE_PATIENCE_MS = 10_000
/** A row that was not taken for good is sent again after so long. */
export const WRITE_RETRY_MS = 5000
/** A peer that has no room gets nothing for so long. Doubles up to the maximum. */
export const WRITE_PAUSE_MS = 1000
export const WRITE_PAUSE_MAX_MS = 30_000
/** How many owners must have a row before its writer stops waiting for those that are silent, and for how long it waits. */
export const HINT_OWNERS_MIN = 2
export const HINT_PATIENCE_MS = 30_000
/** Peers that an answer names. */
export const WRITE_AUDIENCE_MAX = 64
/** How long a peer without a directory goes on giving a row to others. */
export const HINT_OF_MEMORY_MAX_MS = 86_400_000

/** Entries of dropped collections that are removed in one step. The next step follows at once. */
export const DROPPED_PER_STEP_MAX = 2000
/** Expired entries that are dropped in one step. The next step follows at once. */
export const EXPIRIES_PER_STEP_MAX = 1000

/** A row whose date is further ahead than this is quarantined until its time comes. */
export const HOLD_AHEAD_MS = 60_000
/** A row whose date is further ahead than this is refused. */
export const REFUSE_AHEAD_MS = 600_000
/** How long the time that another peer reported counts. */
export const CLOCK_VOTE_MAX_AGE_MS = 120_000
/** For so long after the wall clock jumped, reported times are ignored: they may be from before the jump. */
export const CLOCK_JUMP_DEAF_MS = 3000
/** Quarantined rows. */
export const QUARANTINE_MAX_BYTES: number = 24 * 1024 * 1024
/** The memory of a quarantined row besides its key and value. */
export const QUARANTINED_ROW_COST_BYTES = 512

/** The time between two heartbeats. Longer in large grids. */
export const HEARTBEAT_MS = 2000
/**
 * The time between two heartbeats by gossip, while the streams to the neighbours carry heartbeats to every member. It is longer
 * in large grids: `RARE_HEARTBEAT_EACH_MS` for each other member.
 */
export const RARE_HEARTBEAT_MS = 60_000
export const RARE_HEARTBEAT_EACH_MS = 6000
/** How long a peer says on a stream only that nothing has changed, before it says again what it has seen. */
export const STILL_MAX_MS = 60_000
/** A member that was silent for this long is suspect. */
export const SUSPECT_AFTER_MS = 10_000
/** A member that was silent for this long is gone. */
export const GONE_AFTER_MS = 30_000
/** How long a member that is gone stays in the list. */
export const FORGET_MEMBER_AFTER_MS = 3_600_000
export const MEMBERS_MAX = 1000
/** Member records in one message. */
export const MEMBER_RECORDS_MAX_BYTES: number = MESSAGE_MAX_BYTES / 2
/** If so many heartbeats in a row carry an older incarnation, believe it: the newer one came from a clock that was ahead. */
export const OLDER_INCARNATION_HEARTBEATS = 3
/** If this peer must supersede a newer record of itself so often, another process runs now under its peer id. */
export const TWIN_SUPERSEDES_MAX = 3
/** The longest time between two such records. After a longer pause counting starts again. */
export const SUPERSEDE_GAP_MAX_MS = 300_000
/** Addresses of one member. */
export const ADDRESSES_MAX = 16
export const ADDRESS_MAX_BYTES = 256
/** A heartbeat carries the vectors up to this size. */
export const ANNOUNCE_VECTORS_MAX_BYTES: number = 16 * 1024
/** Memory for the vectors that other peers reported. The oldest are forgotten first. */
export const REPORTS_MAX_BYTES: number = 64 * 1024 * 1024
/** Memory of a decoded vector for each byte of its encoding. */
export const REPORT_BYTES_PER_BYTE = 12

/** Writes with `copies` whose confirmations this peer waits for, and those that one peer asks this peer to confirm. */
export const CONFIRMATIONS_MAX = 10_000
/** Writes that all peers together ask this peer to confirm. */
export const CONFIRMATIONS_WAITING_MAX: number = 4 * CONFIRMATIONS_MAX
/** Pairs of partition and replica id among them. Honest peers ask about few pairs at a time. */
export const CONFIRMATION_GROUPS_MAX = 8192
/** A peer that waits for fewer confirmations than this is accepted also above `CONFIRMATION_GROUPS_MAX`. */
export const CONFIRMATIONS_FEW_MAX = 16
/** With more pairs than this, they are checked only every `CONFIRMATION_LOOK_GAP_MS`. */
export const CONFIRMATION_GROUPS_AT_ONCE_MAX = 256
export const CONFIRMATION_LOOK_GAP_MS = 100
/** How long a peer remembers that another peer waits for a write that it does not have yet. */
export const CONFIRMATION_MS = 60_000
/** If a peer has not confirmed after this long, further peers are asked. */
export const CONFIRMATION_SLOW_MS = 2000

/** A peer that sends so many malformed messages within the next constant is cut off. */
export const OFFENCES_MAX = 8
export const OFFENCE_FORGIVEN_MS = 60_000
/** For how long it is cut off: twice as long each time, up to the maximum. */
export const REFUSED_MS = 60_000
export const REFUSED_MAX_MS = 3_600_000
/** If it behaves for so long, the next time counts as the first. */
export const REFUSALS_FORGIVEN_MS = 3_600_000
/** Offending peers that are remembered. */
export const OFFENDERS_MAX = 1000
/** Offending peers that `status()` lists. */
export const OFFENDERS_LISTED_MAX = 64

/** Peers whose use of allowances, or whose vain claims, are remembered. The one that is longest ago is forgotten first. */
export const REMEMBERED_PEERS_MAX = 1000

/**
 * New replica ids that one peer may bring at once, and then each second. All ids of a large old grid fit. A peer that
 * invents ids is stopped before `REPLICA_IDS_MAX` is used up.
 */
export const NEW_IDS_MAX: number = 256 * 1024
export const NEW_IDS_PER_SECOND = 10
/** Replica ids that a peer gives numbers to. No grid needs as many. */
export const REPLICA_IDS_MAX = 1_000_000
/**
 * Ranges above the head that a version vector keeps for one replica id. A dot that would need one more stays unseen, and
 * comes again. Dots in descending order move all ranges each time: with more ranges one message could take many seconds.
 */
export const VECTOR_RANGES_MAX = 16_384
/** How often, at most, this peer gives up its replica id: any peer can claim that it is in use. Doubles up to the maximum. */
export const ABANDON_GAP_MS = 10_000
export const ABANDON_GAP_MAX_MS = 600_000

/** One message of a topic; also the size of several that travel together. */
export const TOPIC_MESSAGE_MAX_BYTES: number = 64 * 1024
/** Messages of topics that travel together. */
export const TOPIC_MESSAGES_MAX = 1024
/** What a message counts besides its value, so that empty messages are not free. */
export const TOPIC_MESSAGE_COST_BYTES = 128
/** Published messages that wait for the network. Above it, publishing is refused with `BACKLOG_FULL`. */
export const TOPIC_BACKLOG_MAX_BYTES: number = 1024 * 1024
/**
 * What one peer publishes at once, and then each second. Other peers accept twice as much before they drop messages, so that
 * messages that were delayed on the way are not lost.
 */
export const TOPIC_BURST_BYTES: number = 1024 * 1024
export const TOPIC_BYTES_PER_SECOND: number = 1024 * 1024

/** The presence of one peer. */
export const PRESENCE_MAX_BYTES: number = 4 * 1024
/** Peers whose presence is kept. */
export const PRESENCES_MAX = 1000
/** How often, at most, a peer sends its presence. Only the latest change is sent. */
export const PRESENCE_GAP_MS = 50
/** Other peers accept twice as many changes. */
export const PRESENCE_CHANGES_PER_SECOND: number = (2 * 1000) / PRESENCE_GAP_MS
/** A peer stays present for so many heartbeats after its last one. */
export const PRESENT_HEARTBEATS = 3
