/** The bounds on guests: on their passes, on what they send, and on what a member keeps for them. */

/** The subject of a pass: which user it is for. */
export const SUBJECT_MAX_BYTES = 128
/** The id of a pass, by which it is revoked. */
export const PASS_ID_MAX_BYTES = 64
/** A pass as text. */
export const PASS_MAX_BYTES: number = 16 * 1024
/** How long a pass may be valid. What is revoked is remembered as long. */
export const PASS_LIFE_MAX_MS: number = 31 * 24 * 3_600_000
/** Grants of one pass. */
export const GRANTS_MAX = 64
/** Writes in one message of a guest. */
export const GUEST_WRITES_MAX = 256
/** The cursor of one map that a member gives a guest to keep. */
export const GUEST_CURSOR_MAX_BYTES: number = 64 * 1024
/** Messages of one guest that wait at a member. Past it, the connection ends. */
export const GUEST_WAITING_MESSAGES_MAX = 64
/** Bytes of those messages. Past it, the member reads no more of the guest until it has taken some. */
export const GUEST_WAITING_MAX_BYTES: number = 1024 * 1024
/** How long a connection may take to show a pass. */
export const GUEST_ENTRY_MAX_MS = 15_000
/** What shows that a slot of a set or counter is a guest's own. */
export const SLOT_PROOF_BYTES = 16
/** Guests of one subject of which members remember what they have answered. Of more, those are forgotten that wrote longest ago. */
export const GUESTS_OF_SUBJECT_MAX = 16
/** How far ahead of a member's clock a guest may date a write. What is dated later counts as written now. */
export const GUEST_AHEAD_MAX_MS = 30_000
/** Rows that may lie under the keys that a pass allows to write, unless the member says otherwise. */
export const SUBJECT_ENTRIES_MAX = 100_000
/** Bytes of keys and values of those rows, unless the member says otherwise. */
export const SUBJECT_TOTAL_MAX_BYTES: number = 256 * 1024 * 1024
/** Beginnings of keys of one map whose totals a member keeps. Past it, it keeps those of the subjects that wrote last, and counts others again when they write. */
export const KEPT_TOTALS_MAX = 100_000
/** Forms of prefixes of one map: those that end with the same character, and have it equally often, are of one form. */
export const TOTALS_FORMS_MAX = 64
/** How long a member remembers the last write that it took from a guest that does not come back. */
export const GUEST_REMEMBERED_MS: number = 90 * 24 * 3_600_000
/** Writes of a guest that wait for a member. Past it, writes are refused with `BACKLOG_FULL`. */
export const GUEST_OUTBOX_MAX = 100_000
/** Topics that a guest listens to. */
export const GUEST_TOPICS_MAX = 256
/** Messages of topics, and states of peers, in one message of a guest or to one. */
export const GUEST_SIGNALS_MAX = 256
/** Messages of topics that wait for a guest at its member. Of more, the oldest are left out. */
export const GUEST_SIGNALS_MAX_BYTES: number = 1024 * 1024
/** The presence of a guest. */
export const GUEST_PRESENCE_MAX_BYTES = 1024
/** Documents whose rows a member knows by their clocks, for edits of guests. The one that was edited longest ago is read again when it is. */
export const KNOWN_DOCUMENTS_MAX = 256
/** How long a member that lacks what an edit of a guest refers to waits for it. Then the guest has to go on elsewhere, or later. */
export const GUEST_BEHIND_MAX_MS = 3000
/** How long edits may refer to what no member has. Then they are refused. */
export const GUEST_LACKING_MAX_MS = 3_600_000
/** Documents in which a guest's cursor is taken away when it leaves. In others, it goes after 30 seconds. */
export const GUEST_AWARE_MAX = 64
/** A request of a guest to a partitioned map: a value of the largest size, and what is said about it. */
export const GUEST_REQUEST_MAX_BYTES: number = 1024 * 1024 + 16 * 1024
/** Requests of a guest that are under way at a time. A guest keeps further ones until some are answered. */
export const GUEST_REQUESTS_MAX = 16
/** Requests that wait at a guest. Past it, calls reject with `BACKLOG_FULL`. */
export const GUEST_REQUESTS_WAITING_MAX = 10_000
/** Bytes of those requests. Past it, calls reject with `BACKLOG_FULL`. */
export const GUEST_REQUESTS_WAITING_MAX_BYTES: number = 64 * 1024 * 1024
/** How long a member works on a request of a guest. */
export const GUEST_REQUEST_MAX_MS = 60_000
/** How long ago a guest may have dated a write to a partitioned map. An older one is refused: its deletes may be forgotten. */
export const GUEST_REQUEST_OLD_MAX_MS: number = 3_600_000
/** Keys that one request reads. */
export const GUEST_REQUEST_KEYS_MAX = 256
/** Rows of one answer to a walk or a query. The rest is asked for again. */
export const GUEST_REPLY_ROWS_MAX = 512
/** Bytes of the values of one answer, about: one value more fits. */
export const GUEST_REPLY_PAGE_MAX_BYTES: number = 512 * 1024
/** One answer as it travels: what is larger is refused. */
export const GUEST_REPLY_MAX_BYTES: number = 2 * 1024 * 1024 - 64 * 1024
/** Loops over changes and live queries of partitioned maps that a guest has at a time. */
export const GUEST_FEEDS_MAX = 16
/** Partitions that a member follows for one guest, those of all its feeds together. */
export const GUEST_FOLLOWED_PARTITIONS_MAX = 4096
/** Partitions that a member follows for all guests. */
export const GUESTS_FOLLOWED_PARTITIONS_MAX = 16_384
/** Changes of one loop of a guest that wait at a member; one answer of an owner more fits. Of more, those that come last are asked for again later. */
export const GUEST_FEED_WAITING_MAX_BYTES: number = 1024 * 1024
/** How long a member keeps what it follows for a guest that does not ask for it. Then the guest begins again where it was. */
export const GUEST_FEED_IDLE_MAX_MS = 30_000
/** Rows that a live query of a partitioned map shows at a guest. */
export const GUEST_LIVE_ROWS_MAX = 1024
/** Bytes of the values that a member keeps for a live query: of those rows, and of some behind them. */
export const GUEST_LIVE_MAX_BYTES: number = 8 * 1024 * 1024
