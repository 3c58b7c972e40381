import { documentHeader, documentValue, writeYjsUpdate } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { Receipt, WriteOptions } from '../../runtime/receipt.ts'
import type { DocumentHost, SavedRows } from './document-host.ts'
import type { DocumentLease } from './document-lease.ts'
import type { DocumentTable, Generation } from '../rows/document-table.ts'
import { OwnRows } from '../rows/own-rows.ts'
import type { OwnContent, OwnRow } from '../rows/own-rows.ts'

/** A write that was refused for want of room is tried again after so long. */
const RETRY_MS = 250

export interface DocumentWriterParts {
  readonly host: DocumentHost
  readonly table: DocumentTable
  readonly name: string
  readonly generation: Generation
  readonly lease: DocumentLease
  readonly content: OwnContent
}

/**
 * Writes what is edited in a document into this peer's rows. What is edited in one turn of the event loop goes together,
 * and so does what comes while the row before is on its way to disk.
 */
export class DocumentWriter {
  readonly #parts: DocumentWriterParts
  #rows: OwnRows
  #deletes: number[] = []
  #settled: boolean
  #scheduled = false
  #stopped = false
  #finishing = false
  #retrying = false
  #saving = false
  /** Wait for the next row, and for the one that is on its way. */
  #waiting: (() => void)[] = []
  #settling: (() => void)[] = []
  #last: SavedRows | undefined
  /** Counts what was written, so that only the last of it is waited for. */
  #turn = 0

  constructor(parts: DocumentWriterParts) {
    const { name, generation, lease } = parts
    this.#parts = parts
    this.#settled = generation.settled
    this.#rows = new OwnRows({ document: name, generation: generation.number, ...lease })
  }

  get unsaved(): boolean {
    return this.#saving || this.unwritten
  }

  /** Edits that no row has yet, for want of room. */
  get unwritten(): boolean {
    return !this.#stopped && this.#isEdited
  }

  /** Writes nothing any more. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Takes up the rows that this lease has written before. */
  restore(): void {
    const { table, lease, name, generation } = this.#parts
    const own = table.liveRowsOf(name, generation.number).filter(({ parts }) => parts.client === lease.client)
    const updates = new Map(own.map((row) => [row, table.read(row.key)!.update]))
    const clock = [...updates.values()].reduce((latest, { to }) => Math.max(latest, to), 0)
    this.#rows = new OwnRows({ document: name, generation: generation.number, ...lease })
    this.#rows.restore(own, clock, (row) => updates.get(row)!)
  }

  /** Writes nothing any more. */
  stop(): void {
    this.#stopped = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Writes all that was edited so far, as soon as there is room for it, and then nothing any more. */
  finish(): void {
    this.#finishing = true
    this.#trySave(true)
    if (!this.#isEdited) this.stop()
  }

  /** Begins to write what was edited at once. Resolves when all that was edited by now is durable, or has failed for good. */
  saved(): Promise<void> {
    this.#trySave(true)
    const queue = this.unwritten ? this.#waiting : this.#settling
    return this.unsaved ? new Promise((resolve) => queue.push(resolve)) : Promise.resolve()
  }

  /** The document was edited: `deletes` are three numbers for each range. */
  note(deletes: readonly number[]): void {
    for (const number of deletes) this.#deletes.push(number)
    this.#schedule()
  }

  /** See `DocumentEngine.flush`. */
  flush(options?: WriteOptions): Promise<Receipt | undefined> {
    try {
      if (this.#isEdited) this.#save(options)
    } catch (error) {
      this.#retry()
      return Promise.reject(error as Error)
    }
    if (this.#last === undefined) return Promise.resolve(undefined)
    return this.#last.follow(options)
  }

  /** Merges rows where they are many. */
  fold(): void {
    if (this.#isEdited) return
    const rows = this.#rows.fold(this.#parts.content)
    if (rows.length > 0) this.#write(rows)
  }

  /** What is edited and not written, as an update, and forgets it; undefined when there is nothing. */
  takeUnwritten(): Uint8Array | undefined {
    if (!this.#isEdited) return undefined
    const { content, lease } = this.#parts
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
    return this.#deletes.length > 0 || this.#parts.content.clock > this.#rows.clock
  }

  #schedule(): void {
    if (this.#scheduled || this.#saving || this.#stopped) return
    this.#scheduled = true
    this.#parts.host.soon(() => {
      this.#scheduled = false
      this.#trySave()
    })
  }

  /** `force`: beside the row that is on its way to disk. */
  #trySave(force = false): void {
    if (!this.#isEdited || (this.#saving && !force) || this.#stopped || this.#parts.host.closed) return
    try {
      this.#save()
      if (this.#finishing) this.stop()
    } catch {
      // Nothing is lost: it stays in the Y.Doc.
      this.#retry()
    }
  }

  #retry(): void {
    if (this.#retrying) return
    this.#retrying = true
    this.#parts.host.later(RETRY_MS, () => {
      this.#retrying = false
      this.#trySave()
    })
  }

  #save(options?: WriteOptions): void {
    const deletes = this.#deletes
    this.#deletes = []
    try {
      this.#write(this.#rows.append(this.#parts.content, deletes), options)
    } catch (error) {
      // Nothing was applied: all of it is still to be written.
      this.#deletes = [...deletes, ...this.#deletes]
      this.restore()
      throw error
    }
  }

  #write(rows: readonly OwnRow[], options?: WriteOptions): void {
    const { host, table, lease, name, generation } = this.#parts
    const { partition } = table
    const writes: RowWrite[] = rows.map(({ key, update }) => {
      const bytes = update === undefined ? undefined : documentValue(update, lease.author, host.peer.replicaId)
      return { partition, key, bytes }
    })
    if (!this.#settled) {
      writes.unshift({ partition, key: name, bytes: documentHeader({ generation: generation.number }) })
    }
    const turn = (this.#turn += 1)
    const settling = this.#waiting
    this.#last = host.write(writes, options, () => {
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
