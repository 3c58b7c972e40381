import { withOwnBytes } from '../entries/entry-table.ts'
import type { Row } from '../entries/entry-table.ts'
import { entryKeyOf, rulesOf } from '../kinds/kinds.ts'
import type { Instant } from '../instant.ts'
import { KNOWN_VERSIONS_MAX_BYTES, WRITTEN_KEYS_MAX } from '../limits.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'

/** How long a version is remembered that no read has found again: much shorter than `GRACE_MS`. */
const KEPT_MS = 86_400_000
/** Old versions are looked for so often. */
const LOOK_GAP_MS = 60_000
/** The part of the room that is made free at once when it is full: the first entry of a `Map` is found slowly after many deletes. */
const FREED_PART = 1 / 8
/** What a version takes besides its key and value. */
const COST_BYTES = 256

/** Above 0 if `a` is a later version of a row than `b`, as `Replica.compare` has it. */
export function compareRows(kind: number, ids: ReplicaIds, a: Readonly<Row>, b: Readonly<Row>): number {
  if (a.hlc !== b.hlc) return a.hlc - b.hlc
  if (rulesOf(kind)?.addWins === true && (a.bytes === undefined) !== (b.bytes === undefined)) {
    return a.bytes === undefined ? 1 : -1
  }
  if (a.writer !== b.writer) return ids.id(a.writer) > ids.id(b.writer) ? 1 : -1
  return a.sequence - b.sequence
}

/** The rows of a key. */
interface Known {
  readonly partition: string
  readonly key: string
  readonly rows: Map<string, Row>
  /** When a version was last noted. */
  at: Instant
}

const NEVER: Instant = { wallMs: -Infinity, monotonicMs: -Infinity }

/**
 * The versions that this peer has lately written to partitions of others, or read from them. Its reads answer with the larger
 * of these and what an owner says, so that no key goes back in time. Those that were used longest ago are forgotten first. All are
 * forgotten long before a delete may be purged: an owner that has purged it says nothing that is larger.
 */
export class KnownVersions {
  readonly #ids: ReplicaIds
  /** By partition and key. */
  readonly #entries = new Map<string, Known>()
  /** By partition, the keys in `#entries`. */
  readonly #keys = new Map<string, Set<string>>()
  /** The keys that this peer wrote last, by partition and key. */
  readonly #written = new Map<string, { readonly name: PartitionName; readonly key: string }>()
  #bytes = 0
  #now: Instant = NEVER
  #lookedAt: Instant = NEVER

  constructor(ids: ReplicaIds) {
    this.#ids = ids
  }

  /** Forgets what was noted too long ago, by either clock. To be called before anything is looked up. */
  forgetOld(now: Instant): void {
    this.#now = now
    if (ageMsOf(this.#lookedAt, now) < LOOK_GAP_MS) return
    this.#lookedAt = now
    for (const [at, entry] of this.#entries) {
      if (ageMsOf(entry.at, now) < KEPT_MS) return
      this.#entries.delete(at)
      this.#removed(entry)
    }
  }

  /** Remembers what this peer writes. */
  wrote(name: PartitionName, row: Readonly<Row>): void {
    this.note(name, row)
    const key = entryKeyOf(name.kind, row.key)
    const at = partKey(name, key)
    this.#written.delete(at)
    this.#written.set(at, { name, key })
    if (this.#written.size <= WRITTEN_KEYS_MAX) return
    const [oldest] = this.#written.keys()
    this.#written.delete(oldest!)
  }

  /** The keys that this peer wrote last. */
  get written(): Iterable<{ readonly name: PartitionName; readonly key: string }> {
    return this.#written.values()
  }

  /** Remembers a version, unless a later one is known. Returns the later of both. */
  note(name: PartitionName, row: Readonly<Row>): Readonly<Row> {
    const key = entryKeyOf(name.kind, row.key)
    const at = partKey(name, key)
    const entry = this.#entries.get(at) ?? this.#added(name, key)
    this.#entries.delete(at)
    this.#entries.set(at, entry)
    entry.at = this.#now
    const known = entry.rows.get(row.key)
    if (known !== undefined && compareRows(name.kind, this.#ids, known, row) >= 0) return known
    const own = withOwnBytes(row)
    entry.rows.set(row.key, own)
    this.#bytes += costOf(own) - (known === undefined ? 0 : costOf(known))
    if (this.#bytes > KNOWN_VERSIONS_MAX_BYTES) this.#makeRoom(at)
    return own
  }

  /** Whether versions of rows of a key are known. */
  has(name: PartitionName, key: string): boolean {
    return this.#entries.has(partKey(name, key))
  }

  /** The known versions of the rows of a key. */
  of(name: PartitionName, key: string): Iterable<Readonly<Row>> {
    return this.#entries.get(partKey(name, key))?.rows.values() ?? []
  }

  /** The keys of a partition of which versions are known. */
  keysOf(name: PartitionName): Iterable<string> {
    return this.#keys.get(nameKey(name)) ?? []
  }

  #makeRoom(latest: string): void {
    for (const [oldest, forgotten] of this.#entries) {
      if (this.#bytes <= KNOWN_VERSIONS_MAX_BYTES * (1 - FREED_PART) || oldest === latest) return
      this.#entries.delete(oldest)
      this.#removed(forgotten)
    }
  }

  #added(name: PartitionName, key: string): Known {
    const partition = nameKey(name)
    const keys = this.#keys.get(partition)
    if (keys === undefined) this.#keys.set(partition, new Set([key]))
    else keys.add(key)
    return { partition, key, rows: new Map(), at: this.#now }
  }

  #removed({ partition, key, rows }: Known): void {
    for (const each of rows.values()) this.#bytes -= costOf(each)
    const keys = this.#keys.get(partition)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(partition)
  }
}

/** By whichever clock it is longer ago. */
function ageMsOf(at: Instant, now: Instant): number {
  return Math.max(now.wallMs - at.wallMs, now.monotonicMs - at.monotonicMs)
}

function partKey(name: PartitionName, key: string): string {
  return `${nameKey(name)} ${key}`
}

function costOf({ key, end }: Row): number {
  return COST_BYTES + 4 * key.length + end
}
