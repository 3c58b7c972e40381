import { GridError, documentHeader, documentValue, writeYjsUpdate } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { Receipt, WriteOptions } from '../../receipts/receipt.ts'
import type { DocumentPump, SavedRows } from './document-pump.ts'
import type { DocumentLease } from './document-lease.ts'
import type { DocumentTable, Generation } from '../rows/document-table.ts'
import { OwnRows } from '../rows/own-rows.ts'
import type { OwnContent, OwnRow } from '../rows/own-rows.ts'

/** A write that was refused because of a full backlog is retried after this time. */
const RETRY_MS = 250

export interface DocumentWriterDeps {
  readonly pump: DocumentPump
  readonly table: DocumentTable
  readonly name: string
  readonly generation: Generation
  readonly lease: DocumentLease
  readonly content: OwnContent
  /** Edits may not be written, now or later. */
  forbidden(error: GridError): void
}

/**
 * Writes edits of a document into this peer's rows. Edits of one turn of the event loop become one row, and so do edits that
 * are made while the previous row is being stored.
 */
export class DocumentWriter {
  readonly #deps: DocumentWriterDeps
  #rows: OwnRows
  #deletes: number[] = []
  #settled: boolean
  #scheduled = false
  #stopped = false
  #finishing = false
  #retrying = false
  #saving = false
  /** Callbacks that wait for the next row, and for the row that is being stored. */
  #waiting: (() => void)[] = []
  #settling: (() => void)[] = []
  #last: SavedRows | undefined
  /** Number of writes, so that only the last one is waited for. */
  #turn = 0

  constructor(deps: DocumentWriterDeps) {
    this.#deps = deps
    this.#settled = deps.generation.settled
    this.#rows = this.#noRows()
  }

  get unsaved(): boolean {
    return this.#saving || this.unwritten
  }

  /** True if there are edits in no row, because the backlog is full. */
  get unwritten(): boolean {
    return !this.#stopped && this.#isEdited
  }

  /** True if it writes nothing any more. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Reads the rows that were written under this lease before. */
  restore(): void {
    const { table, lease, name, generation } = this.#deps
    const own = table.liveRowsOf(name, generation.number).filter(({ parts }) => parts.client === lease.client)
    const updates = new Map(own.map((row) => [row, table.read(row.key)!.update]))
    const clock = [...updates.values()].reduce((latest, { to }) => Math.max(latest, to), 0)
    this.#rows = this.#noRows()
    this.#rows.restore(own, clock, (row) => updates.get(row)!)
  }

  /** Stops writing. */
  stop(): void {
    this.#stopped = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Writes all edits so far, as soon as there is room, and then stops. */
  finish(): void {
    this.#finishing = true
    this.#trySave(true)
    if (!this.#isEdited) this.stop()
  }

  /** Writes the edits at once. Resolves when all edits so far are durable, or have failed for good. */
  saved(): Promise<void> {
    this.#trySave(true)
    const queue = this.unwritten ? this.#waiting : this.#settling
    return this.unsaved ? new Promise((resolve) => queue.push(resolve)) : Promise.resolve()
  }

  /** The document was edited. `deletes` has three numbers for each range. */
  note(deletes: readonly number[]): void {
    for (const number of deletes) this.#deletes.push(number)
    this.#schedule()
  }

  /** See `DocumentEngine.flush`. */
  flush(options?: WriteOptions): Promise<Receipt | undefined> {
    try {
      if (this.#isEdited) this.#save(options)
    } catch (error) {
      this.#notSaved(error)
      return Promise.reject(error as Error)
    }
    if (this.#last === undefined) return Promise.resolve(undefined)
    return this.#last.follow(options)
  }

  /** Merges the rows, if they are many. */
  fold(): void {
    if (this.#isEdited) return
    const rows = this.#rows.fold(this.#deps.content)
    if (rows.length > 0) this.#write(rows)
  }

  /** Removes the edits that are not written, and returns them as an update. Undefined if there are none. */
  takeUnwritten(): Uint8Array | undefined {
    if (!this.#isEdited) return undefined
    const { content, lease } = this.#deps
    const runs = content.structsFrom(this.#rows.clock)
    const structs = runs.map(({ bytes }) => bytes)
    const count = runs.reduce((sum, run) => sum + run.count, 0)
    const section = { client: lease.client, clock: this.#rows.clock, count, pieces: structs }
    const update = writeYjsUpdate(count === 0 ? [] : [section], this.#deletes)
    this.#deletes = []
    this.#rows.skipTo(content.clock)
    return update
  }

  get #isEdited(): boolean {
    return this.#deletes.length > 0 || this.#deps.content.clock > this.#rows.clock
  }

  #noRows(): OwnRows {
    const { generation, lease, name, pump, table } = this.#deps
    const waits = (key: string): boolean => pump.waits(table.partition, key)
    return new OwnRows({ document: name, generation: generation.number, ...lease, waits })
  }

  #schedule(): void {
    if (this.#scheduled || this.#saving || this.#stopped) return
    this.#scheduled = true
    this.#deps.pump.soon(() => {
      this.#scheduled = false
      this.#trySave()
    })
  }

  /** With `force`, writes even while another row is being stored. */
  #trySave(force = false): void {
    if (!this.#isEdited || (this.#saving && !force) || this.#stopped || this.#deps.pump.closed) return
    try {
      this.#save()
      if (this.#finishing) this.stop()
    } catch (error) {
      this.#notSaved(error)
    }
  }

  /** Nothing is lost: the edits stay in the Y.Doc. */
  #notSaved(error: unknown): void {
    if (error instanceof GridError && error.code === 'FORBIDDEN') this.#deps.forbidden(error)
    else this.#retry()
  }

  #retry(): void {
    if (this.#retrying) return
    this.#retrying = true
    this.#deps.pump.later(RETRY_MS, () => {
      this.#retrying = false
      this.#trySave()
    })
  }

  #save(options?: WriteOptions): void {
    const deletes = this.#deletes
    this.#deletes = []
    try {
      this.#write(this.#rows.append(this.#deps.content, deletes), options)
    } catch (error) {
      // Nothing was applied, so all of it must still be written.
      this.#deletes = [...deletes, ...this.#deletes]
      this.restore()
      throw error
    }
  }

  #write(rows: readonly OwnRow[], options?: WriteOptions): void {
    const { pump, table, lease, name, generation } = this.#deps
    const { partition } = table
    const writes: RowWrite[] = rows.map(({ key, update }) => {
      const bytes = update === undefined ? undefined : documentValue(update, lease.author, pump.peer.replicaId)
      return { partition, key, bytes }
    })
    if (!this.#settled) {
      writes.unshift({ partition, key: name, bytes: documentHeader({ generation: generation.number }) })
    }
    const turn = (this.#turn += 1)
    const settling = this.#waiting
    this.#last = pump.write(writes, options, () => {
      if (this.#turn === turn) {
        this.#saving = false
        if (this.#isEdited) this.#trySave()
      }
      for (const resolve of settling.splice(0)) resolve()
    })
    this.#settling = settling
    this.#waiting = []
    this.#settled = true
    this.#saving = true
  }
}
