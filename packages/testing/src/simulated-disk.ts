import { OPENING_PREFIXES } from '@gossipgrid/core'
import type { StorageOperation } from '@gossipgrid/core'
import type { EventQueue } from './event-queue.ts'
import type { Random } from './random.ts'

/**
 * What a crash makes of the batch under way: all of it is there, nothing of it, or all of it but for its last blob,
 * which is unreadable. A sound store keeps batches whole; peers must survive one that does not.
 */
export type CrashOutcome = 'whole' | 'nothing' | 'torn'

interface Writing {
  readonly batch: readonly StorageOperation[]
}

/** A blob is `undefined` where the store knows that it cannot be read. */
type Blob = Uint8Array | undefined

/** The store of one machine: outlives the peer, takes time, and fails on demand. */
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

  /** A batch is on its way to disk. */
  get busy(): boolean {
    return this.#writing !== undefined
  }

  /** Batches that reached the disk. */
  get writes(): number {
    return this.#writes
  }

  /** Another number whenever something on it has changed. */
  get revision(): number {
    return this.#revision
  }

  /** How often something that was on it was damaged, lost or set back. */
  get losses(): number {
    return this.#losses
  }

  /** Starts a batch; `done` is told when it is durable or has failed, and never after a crash. */
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

  /** The power goes: the batch under way ends as told. */
  crash(outcome: CrashOutcome): void {
    const writing = this.#writing
    this.#writing = undefined
    if (writing === undefined || outcome === 'nothing' || this.full) return
    this.#apply(writing.batch)
    const last = writing.batch.findLast((operation) => operation.type === 'put')
    if (outcome === 'torn' && last !== undefined) this.damage(last.key)
  }

  /** Makes a blob unreadable: the store knows, or hands out rubbish. */
  damage(key: string): void {
    this.#revision += 1
    this.#losses += 1
    this.#blobs.set(key, this.#random.chance(0.5) ? undefined : new Uint8Array(40).fill(0xff))
  }

  /** What is there now, to restore it later. */
  snapshot(): ReadonlyMap<string, Blob> {
    return new Map(this.#blobs)
  }

  /** Everything is as it was at a snapshot: a backup was played back, or a virtual machine set back. */
  restore(snapshot: ReadonlyMap<string, Blob>): void {
    this.#revision += 1
    this.#losses += 1
    this.#blobs = new Map(snapshot)
  }

  /** Everything is gone. */
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
