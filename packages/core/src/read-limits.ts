/** The bounds on reads and queries of partitions, which are on other peers. A part of `limits.ts`. */

/** Keys in one question to a peer that has a copy of their partition. */
export const READ_KEYS_MAX = 1024
/** The rows of an answer. What does not fit is asked for again. */
export const READ_ANSWER_MAX_BYTES: number = 2 * 1024 * 1024
/** After so long another peer is asked as well. */
export const READ_PATIENCE_MS = 1000
/** When all peers in reach were asked, they are asked again after so long. */
export const READ_RETRY_MS = 500
/** Questions about keys that one peer has to answer at a time: while it has as many, further ones gather, */
export const READ_QUESTIONS_AT_ONCE_MAX = 2
/** for so long at most. */
export const READ_GATHER_MAX_MS = 3
/** How long a read is tried for at most. */
export const READ_TIMEOUT_MS = 10_000
/** Reads that wait for an answer, of this peer. */
export const READS_MAX = 10_000
/** Keys that one neighbour asks this peer to ask others about, at the same time. */
export const READS_PASSED_MAX = 4096
/** A query as a peer asks it. Its conditions take 64 KiB at most, and the place that it goes on after 32 KiB. */
export const QUESTION_MAX_BYTES: number = 128 * 1024
/** What a peer says to a query besides rows: groups, and where the rows end. */
export const QUERY_ANSWER_MAX_BYTES: number = 1024 * 1024
/** Queries of other peers that this one runs at the same time, and those of one neighbour. Further ones go to other owners, or wait. */
export const QUERIES_MAX = 64
export const QUERIES_EACH_MAX = 16
/** A query may take a peer longer than a read: after so long another one is asked as well. */
export const QUERY_PATIENCE_MS = 5000
/** The last keys that this peer wrote to partitions of others: its queries look whether the owners have those writes. */
export const WRITTEN_KEYS_MAX = 1024
/** Indexes of a partitioned collection that its owners keep. */
export const INDEXES_DEFINED_MAX = 32
/** Memory for versions that this peer has read or written, so that none of its reads goes back in time. */
export const KNOWN_VERSIONS_MAX_BYTES: number = 4 * 1024 * 1024
/** Memory for what this peer has counted in counters of others: past it, it goes on in another slot. The same again for deletes. */
export const OWN_SHARES_MAX_BYTES: number = 4 * 1024 * 1024
/** A share that was not used for so long is forgotten: much shorter than `COUNTER_DELETE_KEPT_MS`, so that no delete is undone. */
export const OWN_SHARE_KEPT_MS = 86_400_000
/** An owner that was out of touch for so long compares with the others before it answers. */
export const OUT_OF_TOUCH_MS = 10_000
/** If none of them has answered after so long, it answers from what it has; later where a session is under way. */
export const COMPARE_PATIENCE_MS = 5000
export const COMPARE_PATIENCE_MAX_MS = 15_000
