interface WaitingBatch<Operation> {
  readonly operations: readonly Operation[]
  readonly sizeBytes: number
  resolve(): void
  reject(reason: unknown): void
}

/**
 * Merges batches that are added while a commit is under way, so that many callers share one sync of the disk. There is
 * no timer: the next group starts when the last one is on disk. So a single caller never waits for others, and on a slow
 * disk the groups grow by themselves.
 *
 * Batches keep the order in which they were added. When a commit fails, the batches behind it fail with the same reason:
 * committing them would leave a hole in front of them.
 */
export class CommitQueue<Operation> {
  readonly #commit: (operations: Operation[], sizeBytes: number) => Promise<void>
  readonly #groupSizeMaxBytes: number
  #waiting: WaitingBatch<Operation>[] = []
  #running: Promise<void> | undefined
  #pendingBytes = 0

  /** A batch larger than `groupSizeMaxBytes` is a group of its own. */
  constructor(commit: (operations: Operation[], sizeBytes: number) => Promise<void>, groupSizeMaxBytes: number) {
    this.#commit = commit
    this.#groupSizeMaxBytes = groupSizeMaxBytes
  }

  /** Bytes that were added and are not yet committed. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Resolves when the batch and every batch added before it is committed. */
  add(operations: readonly Operation[], sizeBytes: number): Promise<void> {
    const committed = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ operations, sizeBytes, resolve, reject })
    })
    this.#pendingBytes += sizeBytes
    this.#running ??= this.#run()
    return committed
  }

  /** Resolves when nothing is waiting or under way; never rejects. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    // Batches that are added in one turn of the event loop share a group.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#commitGroup(this.#takeGroup())
    this.#running = undefined
  }

  #takeGroup(): WaitingBatch<Operation>[] {
    let sizeBytes = 0
    let count = 0
    for (const batch of this.#waiting) {
      sizeBytes += batch.sizeBytes
      if (count > 0 && sizeBytes > this.#groupSizeMaxBytes) break
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  async #commitGroup(group: WaitingBatch<Operation>[]): Promise<void> {
    const operations = group.flatMap((batch) => batch.operations)
    const sizeBytes = group.reduce((sum, batch) => sum + batch.sizeBytes, 0)
    try {
      if (operations.length > 0) await this.#commit(operations, sizeBytes)
    } catch (reason) {
      const failed = [...group, ...this.#waiting]
      this.#waiting = []
      for (const batch of failed) this.#settle(batch).reject(reason)
      return
    }
    for (const batch of group) this.#settle(batch).resolve()
  }

  #settle(batch: WaitingBatch<Operation>): WaitingBatch<Operation> {
    this.#pendingBytes -= batch.sizeBytes
    return batch
  }
}
