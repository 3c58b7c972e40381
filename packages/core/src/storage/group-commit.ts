import type { EntryDot, PartitionName } from '../wire/block.ts'
import { BlockWriter } from '../wire/block.ts'
import type { Row } from '../entries/entry-table.ts'
import { Gathering } from './gathering.ts'
import type { Instant } from '../instant.ts'
import {
  FRAME_MAX_BYTES,
  FRAME_WRITES_MAX,
  REMOTE_GATHERED_MAX_BYTES,
  STORE_BATCH_MAX_BYTES,
  STORE_RETRY_MAX_MS,
  STORE_RETRY_MS,
  UNDURABLE_BLOCK_COST_BYTES,
  UNDURABLE_MAX_BYTES,
  UNDURABLE_WRITE_COST_BYTES,
} from '../limits.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { EVERYONE } from '../placement/placement.ts'
import type { Audience, Placement } from '../placement/placement.ts'
import type { StorageOperation } from '../ports.ts'
import { batchOf, concatenate, overheadOf, storedBytesOf } from './pending.ts'
import type { DurableFrame, Pending } from './pending.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'

interface Group {
  ticket: number
  readonly items: readonly Pending[]
  readonly batch: readonly StorageOperation[]
  readonly logBytes: number
}

/** Takes own writes once they are durable. */
export interface FrameSink {
  offer(frames: readonly DurableFrame[]): void
}

export interface GroupCommitDeps {
  readonly frames: FrameSink
  readonly ids: ReplicaIds
  readonly outbox: Outbox
  /** False where the store does not outlive the program: then nothing is stored, and applied counts as durable. */
  readonly persistent: boolean
  readonly placement: Placement
}

export const LOG_PREFIX = 'log/'

/** Key of the log blob with this number; keys sort as their numbers do. */
export function logKey(number: number): string {
  return LOG_PREFIX + String(number).padStart(15, '0')
}

/**
 * The log, written in groups: while one group is on its way to disk the next one gathers, so that a lone write waits for
 * nothing and ten thousand share one sync. Everything stored passes here in order, which is what lets a checkpoint rely
 * on "the log before it is durable".
 */
export class GroupCommit {
  readonly #deps: GroupCommitDeps
  readonly #open: BlockWriter
  readonly #placement: Placement
  #openWrites = 0
  /** Who is to have the writes in `#open`. */
  #audience: Audience = EVERYONE
  /** Parts of the open frame for other audiences than that of `#open`: only what is written atomically has any. */
  #openFrames: DurableFrame[] = []
  /** Number of the replica id of all writes in `#open`; undefined where there are none, or several. */
  #openWriter: number | undefined
  /** Writes in `#open`. */
  #openRows = 0
  #atomic = false
  #openWriteIdMax = 0
  #openCallbacks: (() => void)[] = []
  /** Gives the operations that store the open writes which are no rows of this peer's copies. */
  readonly #openAside = new Set<() => readonly StorageOperation[]>()
  #queue: Pending[] = []
  #queuedBytes = 0
  /** What writes and blocks that wait cost besides their bytes. */
  #overheadBytes = 0
  #group: Group | undefined
  #inFlight = false
  #tickets = 0
  /** When rows of other peers that wait are stored at the latest. */
  #remoteAtMs = Infinity
  readonly #gathering = new Gathering()
  /** Something waits that is to be stored at once. */
  #urgent = false
  #retryAtMs: number | undefined
  #retryMs = STORE_RETRY_MS
  #error: unknown
  /** Own writes up to this one were reported as not durable. */
  #reportedWriteId = 0
  #nextLog = 1
  #logBytes = 0
  #cuts = 0
  #changes = 0

  constructor(deps: GroupCommitDeps) {
    this.#deps = deps
    this.#open = new BlockWriter(deps.ids)
    this.#placement = deps.placement
  }

  get persistent(): boolean {
    return this.#deps.persistent
  }

  /** Bytes applied but not yet durable. */
  get undurableBytes(): number {
    const cutBytes = this.#openFrames.reduce((sum, { block }) => sum + block.length, 0)
    return this.#queuedBytes + cutBytes + this.#open.length + (this.#group?.logBytes ?? 0)
  }

  /** What all that waits costs in memory: its bytes, and what each write takes besides. */
  get backlogBytes(): number {
    return this.undurableBytes + this.#overheadBytes
  }

  /** So much waits that no more is taken. */
  get full(): boolean {
    return this.backlogBytes > UNDURABLE_MAX_BYTES
  }

  /** Bytes logged since the log was last cut. */
  get logBytes(): number {
    return this.#logBytes
  }

  /** How often something was taken, writes of this peer and of others, since opening. */
  get changes(): number {
    return this.#changes
  }

  /** How often the log was cut since opening: once by every checkpoint. */
  get cuts(): number {
    return this.#cuts
  }

  /** Number of the last log blob, written or about to be. */
  get lastLog(): number {
    return this.#nextLog - 1
  }

  /** The store refuses; a retry is waiting. */
  get failing(): boolean {
    return this.#retryAtMs !== undefined
  }

  /** Monotonic milliseconds at which `flush` has something to do. */
  get wakeAtMs(): number {
    return this.#retryAtMs ?? (this.#group === undefined ? this.#remoteAtMs : Infinity)
  }

  /** What waits is stored with the next `flush`, own rows and others. */
  hurry(): void {
    this.#urgent = true
  }

  /** Goes on after the log blobs that opening found. */
  resume(lastLog: number, logBytes: number): void {
    this.#nextLog = lastLog + 1
    this.#logBytes = logBytes
  }

  /** The log was cut: blobs up to a checkpoint are gone. */
  cut(logBytes: number): void {
    this.#logBytes -= logBytes
    this.#cuts += 1
  }

  /** Takes a write of this peer. */
  local(partition: PartitionName, row: Readonly<Row>, writeId: number): void {
    this.#changes += 1
    const audience = this.#placement.audience(partition)
    if (audience !== this.#audience) this.#address(audience)
    const size = row.end - row.start
    const full = this.#openWrites >= FRAME_WRITES_MAX || this.#open.length + size > FRAME_MAX_BYTES
    if (full && this.#openWrites > 0 && !this.#atomic) this.#closeFrame()
    if (this.#openRows === 0) this.#openWriter = row.writer
    else if (this.#openWriter !== row.writer) this.#openWriter = undefined
    this.#open.row(partition, row)
    this.#urgent = true
    this.#openRows += 1
    this.#openWrites += 1
    this.#openWriteIdMax = writeId
    this.#overheadBytes += UNDURABLE_WRITE_COST_BYTES
  }

  /** The next write takes the place of this entry, whichever is later. They are logged in one piece. No peer may hear of them. */
  replaced(partition: PartitionName, entry: EntryDot): void {
    this.#open.drops(partition, [entry])
    this.#openWrites += 1
  }

  /**
   * Takes a write of this peer that is stored beside the log, in the order of all writes. `operations` is called once when the
   * frame is closed, for all such writes in it.
   */
  aside(operations: () => readonly StorageOperation[], writeId: number): void {
    if (this.#openWrites >= FRAME_WRITES_MAX && !this.#atomic) this.#closeFrame()
    this.#urgent = true
    this.#openAside.add(operations)
    this.#openWrites += 1
    this.#openWriteIdMax = writeId
    this.#overheadBytes += UNDURABLE_WRITE_COST_BYTES
  }

  /** The writes that `run` brings are logged in one piece, however many, and stay in one frame for each audience. */
  atomically(run: () => void): void {
    if (this.#atomic) {
      run()
      return
    }
    this.#closeFrame()
    this.#atomic = true
    try {
      run()
    } finally {
      this.#atomic = false
      this.#closeFrame()
    }
  }

  /** Takes what another peer sent and this one applied. */
  remote(block: Uint8Array): void {
    this.#changes += 1
    this.#closeFrame()
    this.#push({ block, operations: [], writes: 0, frames: [], writeIdMax: 0, whenDurable: [] })
    this.#overheadBytes += UNDURABLE_BLOCK_COST_BYTES
  }

  /** Takes other changes of the store; they become durable after everything taken before. */
  operations(operations: readonly StorageOperation[], whenDurable?: () => void): void {
    this.#urgent = true
    this.later(operations, whenDurable)
  }

  /** The same, where nothing waits for it: it may gather with what comes from other peers. */
  later(operations: readonly StorageOperation[], whenDurable?: () => void): void {
    this.#closeFrame()
    this.#push({
      block: undefined,
      operations,
      writes: 0,
      frames: [],
      writeIdMax: 0,
      whenDurable: whenDurable === undefined ? [] : [whenDurable],
    })
  }

  /** Calls back once everything taken so far is durable: at once when it is. */
  whenDurable(callback: () => void): void {
    const waiting = this.#openWrites + this.#queue.length + this.#openCallbacks.length
    // Callbacks keep their order, so that the chunks of a session do.
    if (waiting === 0 && this.#group === undefined) callback()
    else {
      this.#openCallbacks.push(callback)
      this.#urgent = true
    }
  }

  /** Starts the next group unless one is under way. */
  flush(now: Instant): void {
    if (this.#retryAtMs !== undefined && now.monotonicMs >= this.#retryAtMs) {
      this.#retryAtMs = undefined
      this.#submit(now)
    }
    if (this.failing) this.#reportNotDurable()
    while (this.#group === undefined) {
      this.#closeFrame()
      if (this.#queue.length === 0 || this.#mayWait(now)) return
      this.#remoteAtMs = Infinity
      this.#group = this.#gather()
      this.#urgent = this.#queue.length > 0
      if (this.persistent && this.#group.batch.length > 0) this.#submit(now)
      else this.#complete()
    }
  }

  /**
   * Only rows of other peers wait, and nothing depends on their being durable here: they gather for a while, or each write of
   * each peer would cost every other peer a sync.
   */
  #mayWait(now: Instant): boolean {
    if (this.#urgent || !this.persistent || this.#queuedBytes >= REMOTE_GATHERED_MAX_BYTES) return false
    if (this.#remoteAtMs === Infinity) this.#remoteAtMs = now.monotonicMs + this.#gathering.gatherMs
    return now.monotonicMs < this.#remoteAtMs
  }

  stored(ticket: number, now: Instant): void {
    if (this.#group?.ticket !== ticket || !this.#inFlight) return
    this.#inFlight = false
    this.#gathering.batchStored(now)
    this.#retryMs = STORE_RETRY_MS
    this.#complete()
  }

  failed(ticket: number, error: unknown, now: Instant): void {
    if (this.#group?.ticket !== ticket || !this.#inFlight) return
    this.#inFlight = false
    this.#retryAtMs = now.monotonicMs + this.#retryMs
    this.#retryMs = Math.min(this.#retryMs * 2, STORE_RETRY_MAX_MS)
    this.#error = error
    this.#reportNotDurable()
  }

  /** While the store refuses, no write is left waiting: neither those of the group that failed, nor those behind it. */
  #reportNotDurable(): void {
    if (this.#openWriteIdMax <= this.#reportedWriteId) return
    this.#reportedWriteId = this.#openWriteIdMax
    this.#deps.outbox.event({ type: 'not-durable', writeId: this.#openWriteIdMax, error: this.#error })
  }

  #submit(now: Instant): void {
    const group = this.#group!
    this.#gathering.batchStarted(now)
    group.ticket = ++this.#tickets
    this.#inFlight = true
    this.#deps.outbox.store(group.ticket, group.batch)
  }

  #complete(): void {
    const { items } = this.#group!
    this.#group = undefined
    const frames: DurableFrame[] = []
    let writeIdMax = 0
    for (const item of items) {
      this.#overheadBytes -= overheadOf(item)
      if (item.writes === 0) continue
      frames.push(...item.frames)
      writeIdMax = item.writeIdMax
    }
    if (writeIdMax > 0) {
      this.#deps.outbox.event({ type: 'durable', writeId: writeIdMax })
      this.#deps.frames.offer(frames)
    }
    for (const item of items) for (const callback of item.whenDurable) callback()
  }

  #closeFrame(): void {
    const whenDurable = this.#openCallbacks
    if (this.#openWrites === 0 && whenDurable.length === 0) return
    this.#openCallbacks = []
    const writes = this.#openWrites
    this.#cut()
    const frames = this.#openFrames
    this.#openFrames = []
    this.#openWrites = 0
    const operations = [...this.#openAside].flatMap((take) => take())
    this.#openAside.clear()
    const block = frames.length > 0 ? concatenate(frames.map((frame) => frame.block)) : undefined
    const writeIdMax = writes > 0 ? this.#openWriteIdMax : 0
    this.#push({ block, operations, writes, frames, writeIdMax, whenDurable })
  }

  /** The writes to come are for other peers than those before. */
  #address(audience: Audience): void {
    if (this.#openWrites > 0) {
      if (this.#atomic) this.#cut()
      else this.#closeFrame()
    }
    this.#audience = audience
  }

  /** What is open becomes a part of the frame. */
  #cut(): void {
    const writes = this.#openRows
    if (writes === 0) return
    this.#openRows = 0
    this.#openFrames.push({ block: this.#open.take(), writes, audience: this.#audience, writer: this.#openWriter })
  }

  #push(pending: Pending): void {
    this.#queue.push(pending)
    this.#queuedBytes += pending.block?.length ?? 0
  }

  /** Takes from the front of the queue as much as one batch may hold. */
  #gather(): Group {
    let batchBytes = 0
    let taken = 0
    for (const item of this.#queue) {
      const bytes = storedBytesOf(item)
      if (taken > 0 && batchBytes + bytes > STORE_BATCH_MAX_BYTES) break
      batchBytes += bytes
      taken += 1
    }
    const items = this.#queue.splice(0, taken)
    const { batch, logBytes, logs } = batchOf(items, (number) => logKey(this.#nextLog + number))
    this.#nextLog += logs
    this.#queuedBytes -= logBytes
    this.#logBytes += logBytes
    return { ticket: 0, items, batch, logBytes }
  }
}
