import { expect, it } from 'vitest'
import { CommitQueue } from './commit-queue.ts'

/** A disk whose commits end when the test says so. */
class SlowDisk {
  readonly groups: string[] = []
  readonly #syncs: PromiseWithResolvers<void>[] = []

  readonly commit = (operations: string[]): Promise<void> => {
    this.groups.push(operations.join(''))
    const sync = Promise.withResolvers<void>()
    this.#syncs.push(sync)
    return sync.promise
  }

  async endSync(failure?: Error): Promise<void> {
    const sync = this.#syncs.shift()
    if (failure === undefined) sync?.resolve()
    else sync?.reject(failure)
    await settled()
  }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

it('merges what is added while a commit is under way, in order', async () => {
  const disk = new SlowDisk()
  const commits = new CommitQueue<string>(disk.commit, 100)
  const first = commits.add(['a'], 1)
  await settled()
  const others = [commits.add(['b', 'c'], 2), commits.add(['d'], 1)]
  await settled()
  expect(disk.groups).toEqual(['a'])
  expect(commits.pendingBytes).toBe(4)
  await disk.endSync()
  await first
  expect(disk.groups).toEqual(['a', 'bcd'])
  await disk.endSync()
  await Promise.all(others)
  expect(commits.pendingBytes).toBe(0)
})

it('lets a synchronous burst share one group', async () => {
  const disk = new SlowDisk()
  const commits = new CommitQueue<string>(disk.commit, 100)
  void commits.add(['a'], 1)
  void commits.add(['b'], 1)
  await settled()
  expect(disk.groups).toEqual(['ab'])
})

it('bounds a group in bytes, and a batch above the bound is a group of its own', async () => {
  const disk = new SlowDisk()
  const commits = new CommitQueue<string>(disk.commit, 10)
  for (const [name, sizeBytes] of [
    ['a', 6],
    ['b', 4],
    ['c', 1],
    ['d', 50],
    ['e', 1],
  ] as const) {
    void commits.add([name], sizeBytes)
  }
  for (let n = 0; n < 4; n++) {
    await settled()
    await disk.endSync()
  }
  expect(disk.groups).toEqual(['ab', 'c', 'd', 'e'])
})

it('a failed group fails the batches behind it, and later ones are committed', async () => {
  const disk = new SlowDisk()
  const commits = new CommitQueue<string>(disk.commit, 100)
  const first = commits.add(['a'], 1)
  await settled()
  const behind = commits.add(['b'], 1)
  const outcomes = Promise.allSettled([first, behind])
  const full = new Error('full')
  await disk.endSync(full)
  expect(await outcomes).toEqual([
    { status: 'rejected', reason: full },
    { status: 'rejected', reason: full },
  ])
  expect(commits.pendingBytes).toBe(0)
  const later = commits.add(['c'], 1)
  await settled()
  await disk.endSync()
  await later
  expect(disk.groups).toEqual(['a', 'c'])
})

it('is idle only when nothing is waiting or under way', async () => {
  const disk = new SlowDisk()
  const commits = new CommitQueue<string>(disk.commit, 100)
  await commits.idle()
  void commits.add(['a'], 1)
  await settled()
  void commits.add(['b'], 1)
  let idle = false
  const waited = commits.idle().then(() => (idle = true))
  await disk.endSync()
  expect(idle).toBe(false)
  await disk.endSync()
  await waited
})

it('resolves an empty batch behind the batches before it', async () => {
  const disk = new SlowDisk()
  const commits = new CommitQueue<string>(disk.commit, 1)
  const order: string[] = []
  void commits.add(['a'], 5).then(() => order.push('a'))
  const empty = commits.add([], 0).then(() => order.push('empty'))
  await settled()
  expect(order).toEqual([])
  await disk.endSync()
  await empty
  expect(order).toEqual(['a', 'empty'])
})
