import { expect, test } from 'vitest'
import { EventQueue } from './event-queue.ts'
import { Random } from './random.ts'
import { SimulatedDisk } from './simulated-disk.ts'

const BATCH = [
  { type: 'put', key: 'part/1', bytes: Uint8Array.of(1) },
  { type: 'put', key: 'log/1', bytes: Uint8Array.of(2) },
] as const

function newDisk(): { queue: EventQueue; disk: SimulatedDisk; done: (Error | undefined)[] } {
  const queue = new EventQueue()
  const disk = new SimulatedDisk(queue, new Random(1))
  const done: (Error | undefined)[] = []
  disk.write(BATCH, (error) => done.push(error))
  return { queue, disk, done }
}

test('a batch is readable when it is done, and the store opens its blobs in order', () => {
  const { queue, disk, done } = newDisk()
  expect(disk.blobs()).toEqual([])
  while (queue.step(100));
  expect(done).toEqual([undefined])
  expect(disk.blobs().map(([key]) => key)).toEqual(['part/1', 'log/1'])
})

test.each([
  ['whole', ['part/1', 'log/1'], 2],
  ['nothing', [], 0],
  ['torn', ['part/1', 'log/1'], 1],
] as const)('the batch under way after a crash: %s', (outcome, keys, sound) => {
  const { queue, disk, done } = newDisk()
  disk.crash(outcome)
  while (queue.step(100));
  expect(done).toEqual([])
  expect(disk.blobs().map(([key]) => key)).toEqual(keys)
  expect(disk.blobs().filter(([, bytes]) => bytes?.length === 1)).toHaveLength(sound)
})

test('a full disk refuses writes, a lost one is empty, a restored one has the contents of its snapshot', () => {
  const { queue, disk, done } = newDisk()
  disk.full = true
  while (queue.step(100));
  expect(done[0]).toBeInstanceOf(Error)
  disk.full = false
  disk.write(BATCH, () => {})
  while (queue.step(200));
  const snapshot = disk.snapshot()
  disk.lose()
  expect(disk.blobs()).toEqual([])
  disk.restore(snapshot)
  expect(disk.blobs()).toHaveLength(2)
})

test('it counts damage, loss and restores, and neither writes nor failures', () => {
  const { queue, disk } = newDisk()
  queue.step(10)
  const snapshot = disk.snapshot()
  disk.full = true
  disk.write(BATCH, () => undefined)
  disk.crash('torn')
  expect(disk.losses).toBe(0)
  disk.full = false
  disk.write(BATCH, () => undefined)
  disk.crash('torn')
  expect(disk.losses).toBe(1)
  disk.restore(snapshot)
  disk.lose()
  expect(disk.losses).toBe(3)
})
