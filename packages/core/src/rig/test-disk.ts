import type { StorageOperation } from '../ports.ts'

/** A store in memory that can refuse, keep its answer back, and remember how it looked after every batch. */
export class TestDisk {
  readonly blobs: Map<string, Uint8Array> = new Map()
  /** Batches fail while it is set. */
  failing = false
  /** Answers are kept back while it is set. */
  paused = false
  /** The blobs after each batch, oldest first. */
  readonly history: Map<string, Uint8Array>[] = []
  readonly batches: (readonly StorageOperation[])[] = []

  write(batch: readonly StorageOperation[]): void {
    this.batches.push(batch)
    for (const operation of batch) {
      if (operation.type === 'put') this.blobs.set(operation.key, operation.bytes.slice())
      else this.blobs.delete(operation.key)
    }
    this.history.push(new Map(this.blobs))
  }

  /** A store with the same contents. */
  copy(blobs: ReadonlyMap<string, Uint8Array> = this.blobs): TestDisk {
    const disk = new TestDisk()
    for (const [key, bytes] of blobs) disk.blobs.set(key, bytes.slice())
    return disk
  }

  keys(prefix: string): string[] {
    return [...this.blobs.keys()].filter((key) => key.startsWith(prefix)).toSorted()
  }
}
