/** The bounds on following the changes of partitions. A part of `limits.ts`. */

/** Rows that an owner looks at and sends in one answer to a reader that follows a partition. The rest is in the next one. */
export const FOLLOW_ROWS_MAX = 5000
export const FOLLOW_ANSWER_MAX_BYTES: number = 256 * 1024
/** What a reader keeps of its place in the changes of a partition. */
export const FOLLOW_CURSOR_MAX_BYTES: number = 1024 * 1024
/** How long an owner waits for a change before it answers that there was none. */
export const FOLLOW_HOLD_MS = 60_000
/** How much longer a reader waits before it asks another owner, and how long for an answer that waits for no change. */
export const FOLLOW_PATIENCE_MS = 15_000
/** Questions for changes that wait here: of one neighbour, and of all. */
export const FOLLOWS_OF_PEER_MAX = 8192
export const FOLLOWS_MAX = 32_768
