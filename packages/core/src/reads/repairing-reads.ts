import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import { READS_MAX, READ_PATIENCE_MS, READ_TIMEOUT_MS, WRITE_MAX_BYTES, WRITE_ROWS_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import { originOf, rowsIn } from '../routing/reads.ts'
import type { FoundMessage, KeyRead, ReadKey, Reads, ReadsDeps } from '../routing/reads.ts'
import { rowsOfKey } from '../routing/rows-of-key.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter, nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import { ReadOutcome } from '../wire/read-messages.ts'
import type { ReplicaIdentity } from '../writes/replica-identity.ts'
import { largestOf, missingIn } from '../routing/missing-rows.ts'

type Rows = readonly Readonly<Row>[]

/** One read, and what the owners have answered so far. */
interface RepairingRead {
  readonly asked: ReadKey
  /** By request, the owners that have not answered. */
  readonly waiting: Map<number, PeerId>
  /** The rows of the owners that have. */
  readonly copies: Map<PeerId, Rows>
  /** Those of owners with a whole copy. */
  readonly whole: Rows[]
  readonly patientUntilMs: number
  readonly deadlineMs: number
  readonly done: (read: KeyRead) => void
}

export interface RepairingReadsDeps extends ReadsDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly identity: ReplicaIdentity
  readonly ids: ReplicaIds
  readonly reads: Reads
}

/**
 * Reads a key at all owners in reach, and not only at the next one. The answer is the largest version of each row, and owners that
 * are behind get the rows that they lack: as they are, with their dots, and never as new writes. So a repair can neither undo a
 * write that comes meanwhile, nor be repeated.
 */
export class RepairingReads {
  /** Rows that were sent to owners because they lacked them. */
  repaired = 0
  readonly #deps: RepairingReadsDeps
  readonly #open = new Set<RepairingRead>()

  constructor(deps: RepairingReadsDeps) {
    this.#deps = deps
  }

  /** Monotonic milliseconds at which owners that have not answered are passed over. */
  get wakeAtMs(): number {
    let earliest = Infinity
    for (const { patientUntilMs } of this.#open) earliest = Math.min(earliest, patientUntilMs)
    return earliest
  }

  /**
   * Calls back once: when all owners in reach have answered, or after a second without those that have not. If none of them has a
   * whole copy, it reads as `Reads.read` does. Throws `BACKLOG_FULL`.
   */
  read(
    asked: ReadKey,
    now: Instant,
    done: (read: KeyRead) => void,
    { timeoutMs = READ_TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
  ): void {
    this.#deps.largest.forgetOld(now)
    if (this.#open.size >= READS_MAX)
      throw new GridError('BACKLOG_FULL', `${READS_MAX} reads wait for an answer already`)
    const { neighbours, outbox, placement, requests } = this.#deps
    const owners = placement.owners(asked.name) as ReadonlySet<PeerId>
    const read: RepairingRead = {
      asked,
      waiting: new Map(),
      copies: new Map(),
      whole: [],
      patientUntilMs: now.monotonicMs + Math.min(timeoutMs, READ_PATIENCE_MS),
      deadlineMs: now.monotonicMs + timeoutMs,
      done,
    }
    for (const owner of neighbours.ids().filter((peer) => owners.has(peer))) {
      const request = requests.next()
      read.waiting.set(request, owner)
      const part = { ...asked.name, ...originOf(placement, asked.name), keys: [asked.key] }
      outbox.send(owner, { type: 'read', request, parts: [part], own: true })
    }
    this.#open.add(read)
    if (read.waiting.size === 0) this.#end(read, now)
  }

  /** A neighbour has answered. False if it was not asked by this. Throws `MESSAGE_MALFORMED`. */
  answered(from: PeerId, { request, outcomes, block }: FoundMessage, now: Instant): boolean {
    const read = [...this.#open].find(({ waiting }) => waiting.get(request) === from)
    if (read === undefined) return false
    const { name, key } = read.asked
    read.waiting.delete(request)
    try {
      const found = rowsIn(this.#deps, from, block, now).get(nameKey(name))?.get(key) ?? []
      if (outcomes[0] === ReadOutcome.ANSWERED) read.whole.push(found)
      if (outcomes[0] === ReadOutcome.ANSWERED || outcomes[0] === ReadOutcome.PARTIAL) read.copies.set(from, found)
    } finally {
      if (read.waiting.size === 0) this.#end(read, now)
    }
    return true
  }

  disconnected(neighbour: PeerId): void {
    for (const { waiting } of this.#open) {
      for (const [request, peer] of waiting) if (peer === neighbour) waiting.delete(request)
    }
  }

  tick(now: Instant): void {
    for (const read of this.#open) {
      if (read.waiting.size === 0 || now.monotonicMs >= read.patientUntilMs) this.#end(read, now)
    }
  }

  #end(read: RepairingRead, now: Instant): void {
    if (!this.#open.delete(read)) return
    const { asked, copies, deadlineMs, done, whole } = read
    const { collections, currency, ids, largest, placement, reads } = this.#deps
    const { name, key } = asked
    const isAnswered = whole.length > 0 || currency.mayRead(name, now)
    const own = placement.holds(name) ? rowsOfKey(collections, name, key) : undefined
    if (own !== undefined && placement.hasAllOwn(name)) whole.push(own)
    // What only copies have that are not whole counts unless its delete may be purged.
    const partial = [...copies.values(), own ?? []].map((rows) => rows.filter((row) => largest.lasts(row)))
    const found = largestOf(name.kind, ids, [...whole, ...partial])
    for (const [owner, copy] of copies) this.mend(owner, name, missingIn(name.kind, ids, copy, found))
    if (own !== undefined) this.#take(name, missingIn(name.kind, ids, own, found), now)
    const rows = largest.of(asked, [...found])
    if (isAnswered) {
      done({ name, key, rows })
      return
    }
    const timeoutMs = Math.max(1, deadlineMs - now.monotonicMs)
    try {
      reads.read([asked], now, ([last]) => done(last!), { timeoutMs })
    } catch (error) {
      if (!(error instanceof GridError) || error.code !== 'BACKLOG_FULL') throw error
      done({ name, key, rows: undefined })
    }
  }

  /** Sends an owner rows that it lacks. */
  mend(owner: PeerId, name: PartitionName, rows: Rows): void {
    const { ids, neighbours, outbox, placement, requests } = this.#deps
    if (rows.length === 0 || !neighbours.has(owner)) return
    this.repaired += rows.length
    const block = new BlockWriter(ids)
    const flush = (): void => {
      // No hint waits for the answer.
      outbox.send(owner, { type: 'write', request: requests.next(), view: placement.view, block: block.take() })
    }
    for (const row of rows) {
      if (
        block.rowCount >= WRITE_ROWS_MAX ||
        (block.rowCount > 0 && block.length + row.end - row.start > WRITE_MAX_BYTES)
      )
        flush()
      block.row(name, row)
    }
    flush()
  }

  /** This peer is one of those that were behind. */
  #take(name: PartitionName, rows: Rows, now: Instant): void {
    const { commit, identity, ids, inbound } = this.#deps
    if (commit.full) return
    for (const row of rows) {
      // What it lacks of its own shows that it has lost something: sessions look after that.
      if (row.writer === identity.index) continue
      this.repaired += 1
      inbound.takeRows({ type: 'rows', partition: name, replicaId: ids.id(row.writer), rows: [{ ...row }] }, now)
    }
  }
}
