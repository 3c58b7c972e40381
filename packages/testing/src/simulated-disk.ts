import { OPENING_PREFIXES } from '@gossipgrid/core'
import type { StorageOperation } from '@gossipgrid/core'
import type { EventQueue } from './event-queue.ts'
import type { Random } from './random.ts'

/**
 * What a crash does to the batch under way: all of it is written, nothing of it, or all but its last blob, which is
 * unreadable then. A sound store never tears a batch; peers must survive one that does.
 */
export type CrashOutcome = 'whole' | 'nothing' | 'torn'

interface Writing {
  readonly batch: readonly StorageOperation[]
}

/** A blob is `undefined` when the store knows that it cannot read it. */
type Blob = Uint8Array | undefined

/** The store of one machine: it outlives the peer, takes time, and fails on demand. */
export class SimulatedDisk {
  /** Every write fails. */
  full = false
  /** How long a durable write takes. */
  delayMinMs = 1
  delayMaxMs = 5
  readonly #queue: EventQueue
  readonly #random: Random
  #blobs = new Map<string, Blob>()
  #writing: Writing | undefined
  #writes = 0
  #revision = 0
  #losses = 0

  constructor(queue: EventQueue, random: Random) {
    this.#queue = queue
    this.#random = random
  }

  /** A batch is being written. */
  get busy(): boolean {
    return this.#writing !== undefined
  }

  /** Batches that reached the disk. */
  get writes(): number {
    return this.#writes
  }

  /** Changes whenever something on the disk has changed. */
  get revision(): number {
    return this.#revision
  }

  /** How often existing content was damaged, lost or set back. */
  get losses(): number {
    return this.#losses
  }

  /** Starts to write a batch. `done` is called when it is durable or has failed; after a crash it never is. */
  write(batch: readonly StorageOperation[], done: (error: Error | undefined) => void): void {
    if (this.#writing !== undefined) throw new Error('two batches under way at once')
    const writing = { batch }
    this.#writing = writing
    this.#queue.after(this.#random.mostlySmall(this.delayMinMs, this.delayMaxMs), () => {
      if (this.#writing !== writing) return
      this.#writing = undefined
      if (this.full) {
        done(new Error('no space left on the device'))
        return
      }
      this.#apply(batch)
      done(undefined)
    })
  }

  /** The power goes: the batch under way ends as `outcome` says. */
  crash(outcome: CrashOutcome): void {
    const writing = this.#writing
    this.#writing = undefined
    if (writing === undefined || outcome === 'nothing' || this.full) return
    this.#apply(writing.batch)
    const last = writing.batch.findLast((operation) => operation.type === 'put')
    if (outcome === 'torn' && last !== undefined) this.damage(last.key)
  }

  /** Makes a blob unreadable: the store knows it, or returns garbage. */
  damage(key: string): void {
    this.#revision += 1
    this.#losses += 1
    this.#blobs.set(key, this.#random.chance(0.5) ? undefined : new Uint8Array(40).fill(0xff))
  }

  /** The present content, for `restore`. */
  snapshot(): ReadonlyMap<string, Blob> {
    return new Map(this.#blobs)
  }

  /** Sets the content back to a snapshot, as when a backup or a snapshot of a virtual machine is restored. */
  restore(snapshot: ReadonlyMap<string, Blob>): void {
    this.#revision += 1
    this.#losses += 1
    this.#blobs = new Map(snapshot)
  }

  /** Loses everything. */
  lose(): void {
    this.#revision += 1
    this.#losses += 1
    this.#blobs.clear()
  }

  /** All blobs in the order in which a peer opens them. */
  blobs(): [key: string, bytes: Blob][] {
    const blobs: [string, Blob][] = []
    const keys = [...this.#blobs.keys()].sort()
    for (const prefix of OPENING_PREFIXES) {
      for (const key of keys) if (key.startsWith(prefix)) blobs.push([key, this.#blobs.get(key)])
    }
    return blobs
  }

  /** Bytes of the blobs whose keys start with `prefix`. */
  sizeBytes(prefix: string): number {
    let sizeBytes = 0
    for (const [key, bytes] of this.#blobs) if (key.startsWith(prefix)) sizeBytes += bytes?.length ?? 0
    return sizeBytes
  }

  #apply(batch: readonly StorageOperation[]): void {
    this.#writes += 1
    this.#revision += 1
    for (const operation of batch) {
      if (operation.type === 'put') this.#blobs.set(operation.key, operation.bytes)
      else this.#blobs.delete(operation.key)
    }
  }
}
