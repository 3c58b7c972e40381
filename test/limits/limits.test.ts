import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'

const MIB = 1024 * 1024

/**
 * The memory in bytes that a limit may take when it is filled to its edge: the size that it names, or the cost of so
 * many items.
 */
const MEASURED: Record<string, number> = {
  'UNDURABLE_MAX_BYTES, small writes': 2 * 64 * MIB,
  'UNDURABLE_MAX_BYTES, large writes': 2 * 64 * MIB,
  'UNDURABLE_MAX_BYTES, writes with a signal and copies': 2 * 64 * MIB,
  // 8,000 empty messages and their promises; the limit of 1 MiB is on what travels.
  TOPIC_BACKLOG_MAX_BYTES: 12 * MIB,
  COLLECTIONS_MAX: 4096 * 32 * 1024,
  'changes without a reader': 2 * 16 * MIB,
  QUARANTINE_MAX_BYTES: 2 * 24 * MIB,
  CONFIRMATIONS_MAX: 10_000 * 2048,
  HINTS_MAX_BYTES: 2 * 64 * MIB,
  REPORTS_MAX_BYTES: 2 * 64 * MIB,
  OFFENDERS_MAX: 1000 * 2048,
  NEW_IDS_MAX: 256 * 1024 * 256,
  PRESENCES_MAX: 1000 * 2 * 4096,
  MEMBERS_MAX: 1000 * 16 * 1024,
  'inputs that wait for their turn': 2 * 8 * MIB,
  'messages to a neighbour that does not read': 2 * 64 * MIB,
}

/** Limits that hold nothing back by themselves, and why. Those of time (`_MS`) and of rates (`_PER_SECOND`) are left out. */
const NOT_FILLED: Record<string, string> = {
  KEY_MAX_BYTES: 'the size of one thing',
  VALUE_MAX_BYTES: 'the size of one thing',
  NAME_MAX_BYTES: 'the size of one thing',
  DROPPABLE_NAME_MAX_BYTES: 'the size of one thing',
  MESSAGE_MAX_BYTES: 'the size of one thing',
  MESSAGE_HEADER_MAX_BYTES: 'part of MESSAGE_MAX_BYTES',
  MESSAGE_PARTS_MAX: 'part of MESSAGE_MAX_BYTES',
  HEADER_KEYS_MAX: 'part of MESSAGE_MAX_BYTES',
  INCARNATION_MAX: 'a bound on numbers',
  COUNTER_ROW_MAX_BYTES: 'the size of one thing',
  GENERATION_START_MAX_BYTES: 'the size of one thing',
  DOCUMENT_HEADER_MAX_BYTES: 'the size of one thing',
  FRAME_BURST_MAX: 'a pace, which takes no memory',
  REPLICA_IDS_MAX: 'filled at the rate of NEW_IDS_MAX and NEW_IDS_PER_SECOND, which is measured',
  VECTOR_RANGES_MAX: 'part of each vector: encoded vectors have bounds of their own',
  CANDIDATE_PARTS_MAX: 'the size of one thing: a proposal, which CANDIDATE_MAX_BYTES bounds as well',
  CANDIDATE_PART_BYTES: 'no limit: what a part of a proposal is counted with',
  ANNOUNCE_VECTORS_MAX_BYTES: 'the size of one thing',
  BROADCAST_MAX_BYTES: 'the size of one thing',
  LOG_BLOB_MAX_BYTES: 'the size of one thing',
  STORE_BATCH_MAX_BYTES: 'the size of one thing: one batch is under way at a time',
  SEGMENT_ENTRIES_MAX: 'the size of one thing: one segment is written at a time',
  SEGMENT_MAX_BYTES: 'the size of one thing: one segment is written at a time',
  CHECKPOINT_LOG_MIN_BYTES: 'on disk, not in memory',
  ADDRESS_MAX_BYTES: 'part of MEMBERS_MAX',
  ADDRESSES_MAX: 'part of MEMBERS_MAX',
  PRESENCE_MAX_BYTES: 'part of PRESENCES_MAX',
  QUARANTINED_ROW_COST_BYTES: 'part of QUARANTINE_MAX_BYTES',
  UNDURABLE_WRITE_COST_BYTES: 'part of UNDURABLE_MAX_BYTES',
  UNDURABLE_BLOCK_COST_BYTES: 'part of UNDURABLE_MAX_BYTES',
  HINT_COST_BYTES: 'part of HINTS_MAX_BYTES',
  HINT_RANGES_MAX: 'part of HINTS_MAX_BYTES',
  HINTS_OF_PEER_MAX_BYTES: 'counted as HINTS_MAX_BYTES is, which is measured',
  HINTS_OF_PEERS_MAX_BYTES: 'counted as HINTS_MAX_BYTES is, which is measured',
  HINT_OWNERS_MIN: 'a count of peers',
  WRITE_ROWS_MAX: 'part of WRITE_MAX_BYTES',
  WRITE_MAX_BYTES: 'the size of one thing: a message of rows that HINTS_MAX_BYTES counts',
  WRITES_UNDER_WAY_MAX_BYTES: 'rows that HINTS_MAX_BYTES counts',
  WRITE_AUDIENCE_MAX: 'part of MESSAGE_MAX_BYTES',
  READ_KEYS_MAX: 'part of MESSAGE_MAX_BYTES',
  READ_QUESTIONS_AT_ONCE_MAX: 'past it, questions wait for a moment and are sent all the same',
  READ_ANSWER_MAX_BYTES: 'the size of one thing',
  READS_MAX: 'reads of the application itself, which waits for them',
  READS_PASSED_MAX: 'keys that messages have named, for each neighbour',
  QUESTION_MAX_BYTES: 'the size of one thing',
  QUERY_ANSWER_MAX_BYTES: 'the size of one thing',
  QUERIES_MAX: 'as many questions as that, each of QUESTION_MAX_BYTES; what one may cost, the SDK bounds',
  QUERIES_EACH_MAX: 'part of QUERIES_MAX',
  INDEXES_DEFINED_MAX: 'rows of the registry, which every peer bounds',
  WRITTEN_KEYS_MAX: 'keys, each of KEY_MAX_BYTES',
  FOLLOW_ROWS_MAX: 'part of FOLLOW_ANSWER_MAX_BYTES',
  FOLLOW_ANSWER_MAX_BYTES: 'the size of one thing',
  FOLLOW_CURSOR_MAX_BYTES: 'the size of one thing',
  FOLLOWS_OF_PEER_MAX: 'part of FOLLOWS_MAX',
  FOLLOWS_MAX: 'places of readers in partitions, a vector each, as many as messages have named',
  OWN_SHARES_MAX_BYTES: 'a cache: it forgets what was used longest ago, and is small beside what is measured',
  KNOWN_VERSIONS_MAX_BYTES: 'a cache: it forgets what was used longest ago, and is small beside what is measured',
  REPORT_BYTES_PER_BYTE: 'part of REPORTS_MAX_BYTES',
  TOPIC_MESSAGE_COST_BYTES: 'part of TOPIC_BACKLOG_MAX_BYTES',
  TOPIC_MESSAGE_MAX_BYTES: 'part of TOPIC_BACKLOG_MAX_BYTES',
  TOPIC_MESSAGES_MAX: 'part of TOPIC_BACKLOG_MAX_BYTES',
  TOPIC_BURST_BYTES: 'a rate: keeps numbers, not messages',
  BULK_BYTES: 'a rate: keeps numbers, not messages',
  SESSION_BURST_MAX: 'a rate: keeps numbers, not messages',
  PARTITIONS_MAX: 'a bound on numbers: collections have one partition each',
  PARTITIONS_MIN: 'a bound on numbers',
  PARTITIONED_COLLECTIONS_MAX: 'part of COLLECTIONS_MAX',
  COVER_PARTS_MAX: 'part of MESSAGE_MAX_BYTES',
  COVER_BURST_MAX: 'a rate: keeps numbers, not messages',
  PARTITION_NUMBERS_MAX: 'a bound on numbers in messages',
  WEIGHT_MAX: 'a bound on numbers',
  OWNERS_MAX: 'a bound on numbers',
  SEQUENCE_MAX: 'a bound on numbers',
  FRAME_WRITES_MAX: 'the size of one thing: one frame is open at a time',
  FRAME_MAX_BYTES: 'the size of one thing: one frame is open at a time',
  BROADCAST_BACKLOG_MAX_BYTES: 'frames of up to 64 KiB each: past it they are dropped',
  BROADCASTS_IN_FLIGHT_MAX: 'four frames',
  CHUNK_MAX_BYTES: 'part of CHUNKS_IN_FLIGHT_MAX',
  CHUNKS_IN_FLIGHT_MAX: 'four chunks of 128 KiB for each of SESSIONS_MAX',
  SESSIONS_MAX: 'sessions with neighbours that have shown a proof: 64 times four chunks, 32 MiB',
  SESSIONS_STARTED_MAX: 'part of SESSIONS_MAX',
  SESSIONS_EACH_MAX: 'part of SESSIONS_MAX',
  REMOTE_GATHERED_MAX_BYTES: 'part of UNDURABLE_MAX_BYTES, which is measured',
  DIRECT_NEIGHBOURS_MAX: 'which way frames go, not how much is kept',
  NEIGHBOURS_MAX: 'connections that this peer opens itself',
  DIALS_MAX: 'connections that this peer opens itself',
  DIAL_ADDRESSES_MAX: 'connections that this peer opens itself',
  SHARED_DOT_MAX_BYTES: 'part of MESSAGE_MAX_BYTES',
  PART_DIGEST_MAX_BYTES: 'part of MESSAGE_MAX_BYTES',
  MEMBER_RECORDS_MAX_BYTES: 'part of MESSAGE_MAX_BYTES',
  OLDER_INCARNATION_HEARTBEATS: 'a count for each of MEMBERS_MAX',
  TWIN_SUPERSEDES_MAX: 'one count',
  CONFIRMATIONS_WAITING_MAX: 'four times CONFIRMATIONS_MAX, which is measured',
  CONFIRMATION_GROUPS_MAX: 'part of CONFIRMATIONS_WAITING_MAX',
  CONFIRMATIONS_FEW_MAX: 'part of CONFIRMATIONS_WAITING_MAX',
  CONFIRMATION_GROUPS_AT_ONCE_MAX: 'work in one step',
  REMEMBERED_PEERS_MAX: 'three numbers for each peer',
  CANDIDATES_MAX: 'rows of the registry, which durable members write once a day, and which are data as others',
  CANDIDATE_IDS_MAX: 'part of CANDIDATES_MAX',
  CANDIDATE_MAX_BYTES: 'part of CANDIDATES_MAX',
  RETIRED_IDS_WANTED: 'when to begin, not how much to keep',
  EXPIRIES_PER_STEP_MAX: 'work in one step',
  DROPPED_PER_STEP_MAX: 'work in one step',
  OFFENCES_MAX: 'a count for each of OFFENDERS_MAX',
  OFFENDERS_LISTED_MAX: 'part of OFFENDERS_MAX',
  PRESENT_HEARTBEATS: 'a time, in heartbeats',
  REMOTE_GATHER_BATCHES: 'a time, in batches',
  DROPPED_NAMES_MAX: 'rows of an internal collection, which are data as others',
  GENERATION_MAX: 'a bound on numbers',
  DROP_VECTORS_MAX_BYTES: 'the size of one thing',
  DROP_PARTS_MAX: 'the size of one thing: a drop, which DROP_VECTORS_MAX_BYTES bounds as well',
  LOST_WRITES_MAX: 'one event, of values that the peer had in memory until then',
}

let usedBytes = new Map<string, number>()

beforeAll(async () => {
  const program = fileURLToPath(new URL('fillings.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program], { maxBuffer: MIB })
  const lines = stdout.split('\n').filter((line) => line !== '')
  const filled = lines.map((line) => JSON.parse(line) as { name: string; usedBytes: number })
  usedBytes = new Map(filled.map((each) => [each.name, each.usedBytes]))
}, 600_000)

describe('a limit that is filled to its edge', () => {
  it.each(Object.entries(MEASURED))('takes no more memory than it says: %s', (name, bytes) => {
    expect(usedBytes.get(name)).toBeLessThan(bytes)
    // It was filled, and not by a tenth.
    expect(usedBytes.get(name)).toBeGreaterThan(bytes / 20)
  })

  it('is measured here, each that the program fills', () => {
    expect([...usedBytes.keys()].toSorted()).toEqual(Object.keys(MEASURED).toSorted())
  })
})

describe('limits.ts', () => {
  it('has no limit that is neither measured nor says here why it cannot be filled', async () => {
    const files = [
      new URL('../../packages/core/src/limits.ts', import.meta.url),
      new URL('../../packages/core/src/follow-limits.ts', import.meta.url),
      new URL('../../packages/core/src/read-limits.ts', import.meta.url),
    ]
    const sources = await Promise.all(files.map((file) => readFile(file, 'utf8')))
    const names = [...sources.join('\n').matchAll(/^export const ([A-Z_]+)/gm)].map((match) => match[1]!)
    const measured = new Set(Object.keys(MEASURED).map((name) => name.split(',')[0]!))
    const known = (name: string): boolean => measured.has(name) || name in NOT_FILLED || /_MS$|_PER_SECOND$/.test(name)
    expect(names.length).toBeGreaterThan(50)
    expect(names.filter((name) => !known(name))).toEqual([])
    expect(Object.keys(NOT_FILLED).filter((name) => !names.includes(name))).toEqual([])
  })
})
