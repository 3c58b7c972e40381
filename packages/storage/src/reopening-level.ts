import { checkRoom } from './directory.ts'
import type { Level } from './level-open.ts'

/** A change as LevelDB takes it. */
export type LevelOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }

/**
 * A database that is opened again before the next write, once a write has failed. LevelDB needs that for two reasons:
 * after
 * a failed sync or compaction it refuses every further write; after a failed append it does *not* refuse, but writes
 * after the torn record, where the next opening may not find it.
 *
 * Reads continue meanwhile, since a full disk can still be read. Only one write may be under way at a time.
 */
export class ReopeningLevel {
  readonly #level: Level
  readonly #directory: string
  readonly #reads = new Set<Promise<unknown>>()
  #writeFailed = false
  #reopening: Promise<void> | undefined

  constructor(level: Level, directory: string) {
    this.#level = level
    this.#directory = directory
  }

  /** Runs `use` on the open database, which stays open until the promise settles. */
  async read<T>(use: (level: Level) => Promise<T>): Promise<T> {
    // Closed with nothing under way: an earlier attempt to open it again has failed.
    while (this.#reopening !== undefined || this.#level.status === 'closed') await this.#reopen()
    const reading = use(this.#level)
    this.#reads.add(reading)
    try {
      return await reading
    } finally {
      this.#reads.delete(reading)
    }
  }

  /**
   * Applies the operations as one synced batch. LevelDB answers a write with the failure of an earlier compaction, which
   * says nothing about the disk as it is now. So a write that fails is tried once more on the database opened again.
   */
  async write(operations: LevelOperation[], sizeBytes: number): Promise<void> {
    const isOpenedAgain = this.#writeFailed
    if (isOpenedAgain) await this.#openAgain(sizeBytes)
    try {
      await this.#batch(operations)
    } catch (error) {
      if (isOpenedAgain) throw error
      await this.#openAgain(sizeBytes)
      await this.#batch(operations)
    }
  }

  /** Waits for reads under way, then closes. */
  async close(): Promise<void> {
    await this.#reopening?.catch(() => undefined)
    await Promise.allSettled(this.#reads)
    await this.#level.close()
  }

  async #batch(operations: LevelOperation[]): Promise<void> {
    try {
      await this.#level.batch(operations, { sync: true })
    } catch (error) {
      this.#writeFailed = true
      throw error
    }
  }

  async #openAgain(sizeBytes: number): Promise<void> {
    // Checked before closing, so that reads keep working while the disk is still full.
    if (this.#level.status === 'open') await checkRoom(this.#directory, sizeBytes)
    await this.#reopen()
    this.#writeFailed = false
  }

  #reopen(): Promise<void> {
    this.#reopening ??= this.#closeAndOpen().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  async #closeAndOpen(): Promise<void> {
    await Promise.allSettled(this.#reads)
    await this.#level.close()
    // Without createIfMissing: a directory that was deleted meanwhile must not come back as an empty database.
    await this.#level.open({ createIfMissing: false })
  }
}
