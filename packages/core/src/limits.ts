/**
 * Every bound on what peers may send, store or ask for, in one place. Each has its unit in its name, and a reason. What only
 * follows from the layout of a data structure (bits of a slot, bytes of a slab) stands beside that structure.
 */

export const KEY_MAX_BYTES = 1024
/** The most that any peer accepts as one value; a grid may set its own limit lower. */
export const VALUE_MAX_BYTES: number = 1024 * 1024
export const NAME_MAX_BYTES = 128
/** Collections of applications, also of those on other peers. The grid's own have places beside them. */
export const COLLECTIONS_MAX = 4096
/** A bound on the numbers of partitions; a partitioned collection has at least so many of them. */
export const PARTITIONS_MAX = 4096
export const PARTITIONS_MIN = 16
/** Peers that hold each partition of a collection. */
export const OWNERS_MAX = 16

/** The two numbers of a counter's row take 19 bytes at most. */
export const COUNTER_ROW_MAX_BYTES = 32
/** The row that starts a generation of a document. A document with a longer history is not compacted. */
export const GENERATION_START_MAX_BYTES: number = 256 * 1024
/** The header row of a document. */
export const DOCUMENT_HEADER_MAX_BYTES = 64

/** Sequence numbers are 32 bits wide; past this a peer takes a new replica id. */
export const SEQUENCE_MAX = 0xffffffff

/** One message of a stream, and one broadcast frame, with room for one value of the largest size. */
export const MESSAGE_MAX_BYTES: number = 4 * 1024 * 1024
export const BROADCAST_MAX_BYTES: number = VALUE_MAX_BYTES + 64 * 1024

/** The header of a message, in front of its block. */
export const MESSAGE_HEADER_MAX_BYTES: number = MESSAGE_MAX_BYTES - 1024
/** Partitions in each of the two lists that a message may have. Replicated collections have one partition each. */
export const MESSAGE_PARTS_MAX: number = COLLECTIONS_MAX
/** Keys of one map in a header. Every version has to keep to it, since older peers refuse more. */
export const HEADER_KEYS_MAX = 16
/** An incarnation is a date in milliseconds. This is far beyond any date, and far below the numbers that cannot be counted on from. */
export const INCARNATION_MAX: number = 2 ** 46

/** A frame closes at whichever comes first. Signature checks cap small frames at a few thousand a second. */
export const FRAME_WRITES_MAX = 256
export const FRAME_MAX_BYTES: number = 64 * 1024
/** A durable group leaves at once if the last frame left longer ago than this, else when it has passed. */
export const FRAME_GAP_MS = 10
/** Past this backlog broadcast gives up: the peer announces its vector and streams carry the bulk. */
export const BROADCAST_BACKLOG_MAX_BYTES: number = 256 * 1024
export const BROADCASTS_IN_FLIGHT_MAX = 4
/** With more neighbours than this, frames go by gossip: each neighbour would cost an encryption. */
export const DIRECT_NEIGHBOURS_MAX = 8
/** A neighbour that misses frames because it reads slowly is told to fetch them at most this often. */
export const MISSED_ANNOUNCE_GAP_MS = 1000

/**
 * One chunk of an anti-entropy session, and how many travel unacknowledged. All in flight may arrive at once, and applying
 * them must not hold up the receiver's event loop for long.
 */
export const CHUNK_MAX_BYTES: number = 128 * 1024
export const CHUNKS_IN_FLIGHT_MAX = 4
export const SESSIONS_STARTED_MAX = 4
export const SESSIONS_MAX = 64
/** Of one neighbour, that it has started; and how many it may start at once, and then per second. */
export const SESSIONS_EACH_MAX = 4
export const SESSION_BURST_MAX = 64
export const SESSIONS_PER_SECOND = 16
/** A session without progress for this long is given up. */
export const SESSION_IDLE_MS = 15_000
/**
 * While one neighbour sends what is missing here, sessions with others wait, since they would bring the same: until that
 * one has been silent for the first time (the second, where it has sent nothing yet), and never longer than the third.
 */
export const RECEIVING_PATIENCE_MS = 1000
export const ANSWER_PATIENCE_MS = 200
export const SESSION_DEFERRED_MAX_MS = 4000
export const ANTI_ENTROPY_MIN_MS = 30_000
export const ANTI_ENTROPY_MAX_MS = 60_000
/** A gap is given this long to fill by itself before a session asks for it; doubled with each vain try. */
export const GAP_DELAY_MS = 50
export const GAP_DELAY_MAX_MS = 30_000
/** A partition with equal vectors and unequal fingerprints is exchanged whole, at most this often per neighbour. */
export const WHOLE_EXCHANGE_GAP_MS = 10_000
/** A neighbour whose broadcast has gone silent is redialled at most this often. */
export const REDIAL_GAP_MS = 30_000
/**
 * Members that are no neighbours are dialled at most this often, up to so many neighbours, and so many at a time: their
 * addresses are hearsay, and could be anybody's.
 */
export const DIAL_GAP_MS = 10_000
export const NEIGHBOURS_MAX = 32
export const DIALS_MAX = 32
export const DIAL_ADDRESSES_MAX = 8

/** Writes not yet durable; past it a write is refused with `BACKLOG_FULL`, and rows of other peers are not taken. */
export const UNDURABLE_MAX_BYTES: number = 64 * 1024 * 1024
/** What one write that waits costs besides its bytes: its promise and its places in queues. Counted with them. */
export const UNDURABLE_WRITE_COST_BYTES = 512
/** The same for a block of rows of another peer. */
export const UNDURABLE_BLOCK_COST_BYTES = 256
/** One log blob; a group of writes may take several. */
export const LOG_BLOB_MAX_BYTES: number = 1024 * 1024
export const STORE_BATCH_MAX_BYTES: number = 8 * 1024 * 1024
export const STORE_RETRY_MS = 1000
export const STORE_RETRY_MAX_MS = 30_000
/**
 * A checkpoint starts when the log has outgrown this and the live data: it rewrites nearly everything, so that a lower
 * bound would cost more than the writes themselves, and a higher one would only make opening slower.
 */
export const CHECKPOINT_LOG_MIN_BYTES: number = 16 * 1024 * 1024
export const SEGMENT_ENTRIES_MAX = 8192
export const SEGMENT_MAX_BYTES: number = 1024 * 1024

/** A tombstone is purged this long after the last durable member has acknowledged it. */
export const GRACE_MS: number = 14 * 86_400_000
/** A purge floor is proposed this often. */
export const CANDIDATE_GAP_MS = 86_400_000
/** Proposals that wait for somebody's acknowledgement at a time; the replica ids in one, and the bytes. */
export const CANDIDATES_MAX = 16
export const CANDIDATE_IDS_MAX = 20_000
export const CANDIDATE_MAX_BYTES: number = 768 * 1024
/** The partitions in a proposal, and what one takes besides its vector and its collection's name. */
export const CANDIDATE_PARTS_MAX = 4096
export const CANDIDATE_PART_BYTES = 64
/** A proposal that was taken up is kept for so long, for those that were away for a while. */
export const CANDIDATE_SETTLED_MS: number = 3 * 86_400_000
/** A partition without tombstones gets a new floor once its vector holds so many replica ids. */
export const RETIRED_IDS_WANTED = 16
/** A durable member renews its sign of life in the registry after so long, and is out of it after so long without one. */
export const SIGN_OF_LIFE_MS: number = 7 * 86_400_000
export const MEMBER_SILENT_MAX_MS: number = 90 * 86_400_000
/** The registry is seen to so long after opening, and then every so often. */
export const HOUSEKEEPING_AFTER_MS = 30_000
export const HOUSEKEEPING_GAP_MS = 15_000

/** Entries whose time has come that are dropped in one step; the next ones follow at once. */
export const EXPIRIES_PER_STEP_MAX = 1000

/** A write dated further ahead of the wall clock than this waits for its time. */
export const HOLD_AHEAD_MS = 60_000
/** One dated further ahead than this is refused. */
export const REFUSE_AHEAD_MS = 600_000
/** What another peer said of the time counts for so long. */
export const CLOCK_VOTE_MAX_AGE_MS = 120_000
/** What is heard for so long after the wall clock jumped may be from before, and says nothing about the time. */
export const CLOCK_JUMP_DEAF_MS = 3000
/** Rows that wait for their time, and what each costs besides its key and value. */
export const HELD_MAX_BYTES: number = 24 * 1024 * 1024
export const HELD_ROW_COST_BYTES = 512

export const HEARTBEAT_MS = 2000
/** A member that was silent for this long is suspect, then gone. */
export const SUSPECT_AFTER_MS = 10_000
export const GONE_AFTER_MS = 30_000
/** A member that is gone stays in the list for this long. */
export const FORGET_MEMBER_AFTER_MS = 3_600_000
export const MEMBERS_MAX = 1000
export const ADDRESSES_MAX = 16
export const ADDRESS_MAX_BYTES = 256
/** An announce carries the vectors themselves up to this size. */
export const ANNOUNCE_VECTORS_MAX_BYTES: number = 16 * 1024
/** Vectors that others told are kept up to this size in memory; the oldest are forgotten first. */
export const TOLD_MAX_BYTES: number = 64 * 1024 * 1024
/** Memory that a byte of an encoded vector takes once it is decoded. */
export const TOLD_BYTES_PER_BYTE = 12

export const CONFIRMATIONS_MAX = 10_000
/** How long an owner remembers that somebody waits for a write it does not have yet. */
export const CONFIRMATION_MS = 60_000
/** A peer that has not confirmed after this long is not waited for alone. */
export const CONFIRMATION_SLOW_MS = 2000

/**
 * Malformed messages from one peer within so long before it is cut off, and for how long: twice as long each time, unless
 * it has behaved since, up to the maximum.
 */
export const OFFENCES_MAX = 8
export const OFFENCE_FORGIVEN_MS = 60_000
export const REFUSED_MS = 60_000
export const REFUSED_MAX_MS = 3_600_000
export const REFUSALS_FORGIVEN_MS = 3_600_000
/** Offending peers that are remembered, and that `status()` lists. */
export const OFFENDERS_MAX = 1000
export const OFFENDERS_LISTED_MAX = 64

/**
 * Replica ids that nobody has met before, which one peer may bring at once, and then per second. All ids of a large old
 * grid fit; a peer that makes them up is stopped before it has used up the number of ids there can be.
 */
export const NEW_IDS_MAX: number = 256 * 1024
export const NEW_IDS_PER_SECOND = 10
/** Replica ids that a peer numbers. No grid needs as many; a peer that invents ids without end is stopped here. */
export const REPLICA_IDS_MAX = 1_000_000
/**
 * Ranges above the head that a version vector keeps for one replica id. A dot that would need one more stays unseen, and
 * comes again. Dots in descending order move all ranges each time: with more ranges one message could take many seconds.
 */
export const VECTOR_RANGES_MAX = 16_384
/** This peer's own replica id is given up at most this often, doubled each time: anybody can claim that it is in use. */
export const ABANDON_GAP_MS = 10_000
export const ABANDON_GAP_MAX_MS = 600_000

/** One message of a topic; and how many of them travel together, up to this size again. */
export const TOPIC_MESSAGE_MAX_BYTES: number = 64 * 1024
export const TOPIC_MESSAGES_MAX = 1024
/** What a message counts besides its value, so that empty ones are not free. */
export const TOPIC_MESSAGE_COST_BYTES = 128
/** Published messages that wait for the network; past it publishing is refused with `BACKLOG_FULL`. */
export const TOPIC_BACKLOG_MAX_BYTES: number = 1024 * 1024
/**
 * What one peer publishes at once, and then per second. Others take twice as much from it before they drop any, so that
 * what was only held up on the way is not lost.
 */
export const TOPIC_BURST_BYTES: number = 1024 * 1024
export const TOPIC_BYTES_PER_SECOND: number = 1024 * 1024

/** What one peer says of itself, and how many peers' are kept. */
export const PRESENCE_MAX_BYTES: number = 4 * 1024
export const PRESENCES_MAX = 1000
/** Changes of it leave at most this often, the latest one alone; others take twice as many. */
export const PRESENCE_GAP_MS = 50
/** A peer is present for so many heartbeats after its last one. */
export const PRESENT_HEARTBEATS = 3
