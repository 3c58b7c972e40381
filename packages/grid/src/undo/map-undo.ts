import { GridError, checkKnown, isSwept, withoutSubject } from '@gossipgrid/core'
import type { Known, Partition } from '@gossipgrid/core'
import { WRITE_OPTIONS, checkCount, checkKind, checkWriteOptions } from '../batches/checks.ts'
import { Emitter } from '../changes/emitter.ts'
import type { Logger } from '../logger.ts'
import type { Receipt, WriteOptions, WriteReceipt } from '../receipts/receipt.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { UndoStacks } from './undo-stacks.ts'
import type { Step, UndoneRow } from './undo-stacks.ts'

const CAPTURE_TIMEOUT_MS = 500
const CAPTURE_TIMEOUT_MAX_MS = 3_600_000
/** Versions of rows that are kept before those are forgotten that no step has. */
const VERSIONS_MIN = 10_000
/** Rows that are written in one piece. */
const PIECE_ROWS_MAX = 500

/** Options of `map.undoManager`. */
export interface UndoOptions {
  /** Only keys that start with this text. */
  readonly prefix?: string
  /** Own writes within so many milliseconds of each other are one step. Default 500; 0: each write is one. */
  readonly captureTimeoutMs?: number
}

const UNDO_OPTIONS: Known<UndoOptions> = { prefix: true, captureTimeoutMs: true }

/** Throws `INVALID_OPTION`. */
export function checkUndoOptions(options: UndoOptions): void {
  checkKnown(options, UNDO_OPTIONS)
  checkKind('prefix', options.prefix, 'text')
  checkCount('captureTimeoutMs', options.captureTimeoutMs, 0, CAPTURE_TIMEOUT_MAX_MS)
}

export interface MapUndoDeps {
  readonly writes: WritePath
  readonly partition: Partition
  /** The key of the entry that a row belongs to. */
  keyOf(rowKey: string): string
  readonly logger: Logger
}

interface UndoEvents {
  /** What can be undone or redone has changed. */
  change: { readonly canUndo: boolean; readonly canRedo: boolean }
}

/**
 * Undoes and redoes the writes that this peer makes to a map, since it was made. An undo is a new write. It leaves alone what
 * another peer has written since, field by field in a map with fields. From `map.undoManager()`.
 */
export class MapUndo {
  readonly #deps: MapUndoDeps
  readonly #prefix: string
  readonly #captureTimeoutMs: number
  readonly #stacks = new UndoStacks()
  readonly #events: Emitter<UndoEvents>
  /** The version of each row that was written since. */
  readonly #versions = new Map<string, string>()
  readonly #unobserve: () => void
  #versionsMax = VERSIONS_MIN
  #replaying = false
  #inCall = false
  #lastWriteMs = -Infinity
  #isClosed = false

  /** @internal */
  constructor(deps: MapUndoDeps, { prefix = '', captureTimeoutMs = CAPTURE_TIMEOUT_MS }: UndoOptions) {
    this.#deps = deps
    this.#prefix = prefix
    this.#captureTimeoutMs = captureTimeoutMs
    this.#events = new Emitter(deps.logger, { change: true })
    this.#unobserve = deps.partition.replica.observe({ changed: (slot, previous) => this.#changed(slot, previous) })
  }

  /** There is a step to undo. */
  get canUndo(): boolean {
    return this.#stacks.undoCount > 0
  }

  /** There is a step to redo. */
  get canRedo(): boolean {
    return this.#stacks.redoCount > 0
  }

  /**
   * Undoes the last step that has something to undo. It shows at once. Resolves as `set` of a map does, or to undefined if there
   * is no such step. Rejects as `set` does: then nothing was undone, or a part of a very large step.
   */
  async undo(options?: WriteOptions): Promise<Receipt | undefined> {
    return this.#replay('undo', options)
  }

  /** Redoes the last step that was undone, unless this peer has written since. Resolves and rejects as `undo` does. */
  async redo(options?: WriteOptions): Promise<Receipt | undefined> {
    return this.#replay('redo', options)
  }

  /** The next write begins a step of its own, however soon it comes. */
  stopCapturing(): void {
    this.#stacks.seal()
  }

  /** Forgets all steps. */
  clear(): void {
    this.#stacks.clear()
    this.#versions.clear()
    this.#report()
  }

  /** Calls `listener` when what can be undone or redone has changed. The returned function ends that. */
  on(
    type: 'change',
    listener: (event: UndoEvents['change']) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#events.on(type, listener, options)
  }

  /** Ends following the map, and forgets all steps. */
  close(): void {
    this.#isClosed = true
    this.#unobserve()
    this.clear()
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { partition, writes, keyOf } = this.#deps
    const { table } = partition.replica
    const rowKey = table.key(slot)
    const before = this.#versions.get(rowKey)
    const isOwn = writes.underWay && !this.#replaying && keyOf(rowKey).startsWith(this.#prefix)
    if (!isOwn && before === undefined) return
    const version = this.#versionAt(slot)
    this.#versions.set(rowKey, version)
    if (!isOwn) return
    this.#begin()
    const isGone = previous === undefined || isSwept(previous, 0, previous.length)
    const stored = isGone ? undefined : withoutSubject(previous).slice()
    this.#stacks.wrote(rowKey, stored, version, before)
    this.#forgetVersions()
  }

  /** Forgets the versions of rows that no step has any more. */
  #forgetVersions(): void {
    if (this.#versions.size <= this.#versionsMax) return
    for (const key of this.#versions.keys()) if (!this.#stacks.has(key)) this.#versions.delete(key)
    this.#versionsMax = 2 * this.#versions.size + VERSIONS_MIN
  }

  /** Begins a step, unless this row belongs to the last one: it is written in one piece with it, or soon after. */
  #begin(): void {
    if (this.#inCall) return
    this.#inCall = true
    const nowMs = performance.now()
    if (nowMs - this.#lastWriteMs >= this.#captureTimeoutMs) this.#stacks.seal()
    this.#lastWriteMs = nowMs
    this.#deps.writes.pump.afterStep(() => {
      this.#inCall = false
      this.#report()
    })
  }

  async #replay(direction: 'undo' | 'redo', options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    if (this.#isClosed) throw new GridError('CLOSED', 'this undo manager is closed')
    this.#deps.writes.pump.checkOpen()
    this.#lastWriteMs = -Infinity
    let written: Promise<WriteReceipt> | undefined
    try {
      while (written === undefined) {
        const step = this.#stacks.take(direction)
        if (step === undefined) break
        written = this.#apply(direction, step, options)
      }
    } finally {
      this.#report()
    }
    return written
  }

  /** Writes what was there before a step. Undefined if other peers have written all of it since. */
  #apply(direction: 'undo' | 'redo', step: Step, options?: WriteOptions): Promise<WriteReceipt> | undefined {
    const possible = [...step].filter(([key, { version }]) => this.#versionOf(key) === version)
    const back: Step = new Map()
    let last: Promise<WriteReceipt> | undefined
    let done = 0
    try {
      for (; done < possible.length; done += PIECE_ROWS_MAX) {
        last = this.#write(possible.slice(done, done + PIECE_ROWS_MAX), back, options)
      }
      return last
    } catch (error) {
      this.#stacks.putBack(direction, new Map(possible.slice(done)))
      throw error
    } finally {
      this.#stacks.applied(direction, step, back)
    }
  }

  #write(piece: readonly [string, UndoneRow][], back: Step, options?: WriteOptions): Promise<WriteReceipt> {
    const { partition, writes } = this.#deps
    const { table } = partition.replica
    const current = piece.map(([key]) => table.value(table.slotOf(key)!)?.slice())
    const rows: RowWrite[] = piece.map(([key, { before }]) => ({ partition, key, bytes: before }))
    this.#replaying = true
    try {
      const { durable, parts } = writes.beginAll(rows, options)
      for (const [i, [key, { follows }]] of piece.entries())
        back.set(key, { before: current[i], version: this.#versionOf(key)!, follows })
      return writes.copies.followAll(parts, durable, options)
    } finally {
      this.#replaying = false
    }
  }

  /** Undefined for a row that is gone, also because it has expired. */
  #versionOf(rowKey: string): string | undefined {
    const { table } = this.#deps.partition.replica
    const slot = table.slotOf(rowKey)
    return slot === undefined || (table.deleted(slot) && !table.isTombstone(slot)) ? undefined : this.#versionAt(slot)
  }

  #versionAt(slot: number): string {
    const { table } = this.#deps.partition.replica
    return `${table.hlc(slot)} ${table.writer(slot)} ${table.sequence(slot)}`
  }

  #report(): void {
    this.#events.emit('change', { canUndo: this.canUndo, canRedo: this.canRedo })
  }
}
