import { expect, test } from 'vitest'
import type { Input } from '@gossipgrid/core'
import { Inbox } from './inbox.ts'

const message = (number: number, sizeBytes: number = 4): Input => {
  const bytes = new Uint8Array(sizeBytes)
  new DataView(bytes.buffer).setUint32(0, number)
  return { type: 'message', from: 'a', bytes }
}

const numberOf = (input: Input): number =>
  'bytes' in input ? new DataView(input.bytes.buffer).getUint32(0) : Number.NaN

function busyFor(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('a lone input is taken at once', () => {
  const taken: number[] = []
  const inbox = new Inbox((input) => taken.push(numberOf(input)))
  inbox.offer(message(1))
  expect(taken).toEqual([1])
})

test('what arrives at once is taken in order, and a timer gets its turn in between', async () => {
  const taken: number[] = []
  const inbox = new Inbox((input) => {
    taken.push(numberOf(input))
    busyFor(5)
  })
  let takenAtTimer = Infinity
  setTimeout(() => (takenAtTimer = taken.length), 0)
  for (let i = 0; i < 20; i++) inbox.offer(message(i))
  expect(taken.length).toBeLessThan(5)
  await until(() => taken.length === 20)
  expect(taken).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(takenAtTimer).toBeLessThan(20)
})

test('too many bytes waiting are taken at once, so that sockets are not read meanwhile', () => {
  const taken: number[] = []
  const inbox = new Inbox((input) => {
    taken.push(numberOf(input))
    busyFor(10)
  })
  for (let i = 0; i < 12; i++) inbox.offer(message(i, 1024 * 1024 - 512))
  expect(taken).toEqual([0, 1, 2, 3])
})
