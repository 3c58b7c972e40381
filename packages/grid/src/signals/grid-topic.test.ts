import { TOPIC_BACKLOG_MAX_BYTES, TOPIC_MESSAGE_MAX_BYTES } from '@gossipgrid/core'
import type { GridError } from '@gossipgrid/core'
import { afterEach, expect, test } from 'vitest'
import type { Grid } from '../grid.ts'
import { openGrid } from '../open-grid.ts'
import { TestGrids, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** Peers of which each has heard of all others. */
async function meet(...all: Grid[]): Promise<void> {
  await until(() => all.every((grid) => grid.members.length === all.length), 'all have met')
}

/** Collects what is said in a topic. */
function heard(grid: Grid, name = 'chat'): unknown[] {
  const list: unknown[] = []
  grid.topic(name).on('message', ({ from, value }) => list.push([from, value]))
  return list
}

test('a message reaches every peer that listens, the publisher among them, with whom it is from', async () => {
  const [a, b, c] = [await grids.open(), await grids.open(), await grids.open()]
  await meet(a, b, c)
  const lists = [a, b, c].map((grid) => heard(grid))
  await a.topic('chat').publish({ text: 'hi', at: new Date(0) })
  await until(() => lists.every((list) => list.length === 1), 'all have heard it')
  for (const list of lists) expect(list).toEqual([[a.peerId, { text: 'hi', at: new Date(0) }]])
  expect(b.status().collections).toEqual([])
})

test('topics are separate, and a peer that opens one later does not get earlier messages', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  await meet(a, b)
  const news = heard(b, 'news')
  await a.topic('chat').publish('early')
  await a.topic('news').publish('one')
  await until(() => news.length === 1, 'it has come')
  const chat = heard(b, 'chat')
  await a.topic('chat').publish('late')
  await until(() => chat.length === 1, 'it has come')
  expect(chat).toEqual([[a.peerId, 'late']])
  expect(news).toEqual([[a.peerId, 'one']])
  expect(a.topic('chat')).toBe(a.topic('chat'))
  expect(b.status().topics).toEqual({ published: 0, refused: 0, received: 3, dropped: 0 })
  expect(a.metrics().topics.published).toBe(3)
})

test('what a peer publishes itself can be left out', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  await meet(a, b)
  const chat = a.topic<string>('chat')
  const others: string[] = []
  chat.on('message', ({ value }) => others.push(value), { own: false })
  const loop = chat.messages({ own: false })
  const all = heard(a)
  await chat.publish('mine')
  await b.topic('chat').publish('yours')
  expect((await loop.next()).value).toMatchObject({ type: 'message', topic: 'chat', from: b.peerId, value: 'yours' })
  expect(others).toEqual(['yours'])
  await until(() => all.length === 2, 'both are heard by those who want both')
})

test('a loop ends with its signal, when it is left, and when the grid closes', async () => {
  const grid = await grids.open()
  const chat = grid.topic<number>('chat')
  const abort = new AbortController()
  const [aborted, left, ends] = [chat.messages({ signal: abort.signal }), chat.messages(), chat.messages()]
  await chat.publish(1)
  for await (const { value } of left) {
    expect(value).toBe(1)
    break
  }
  abort.abort()
  // At once: what waited is dropped.
  await expect(aborted.next()).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await aborted.next()).toEqual({ done: true, value: undefined })
  await grid.close()
  const rest: unknown[] = []
  for await (const { value } of ends) rest.push(value)
  expect(rest).toEqual([1])
})

test('a reader that is too slow learns how many messages it missed', async () => {
  const grid = await grids.open()
  const chat = grid.topic<number>('chat')
  const slow = chat.messages({ bufferMax: 3 })
  const large = grid.topic<Uint8Array>('large').messages()
  await Promise.all(Array.from({ length: 10 }, (_, i) => chat.publish(i)))
  expect((await slow.next()).value).toMatchObject({ type: 'message', value: 0 })
  for (let i = 0; i < 2; i++) await slow.next()
  expect((await slow.next()).value).toEqual({ type: 'lagged', topic: 'chat', value: undefined, from: '', missed: 7 })
  // Also by their size, whatever their number.
  for (let i = 0; i < 300; i++) await grid.topic('large').publish(new Uint8Array(64_000))
  let read = 0
  for await (const { type, missed } of large) {
    if (type === 'message') read += 1
    else {
      expect(read + missed).toBe(300)
      break
    }
  }
  expect(read).toBeLessThan(270)
})

test('what no message can be is refused, with nothing sent', async () => {
  const grid = await grids.open()
  const chat = grid.topic('chat')
  const list = heard(grid)
  await expect(chat.publish(undefined)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  await expect(chat.publish(() => 1)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  await expect(chat.publish('x'.repeat(TOPIC_MESSAGE_MAX_BYTES))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  for (const name of ['', 'bell\u0007', 'x'.repeat(129)]) {
    expect(() => grid.topic(name)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
  }
  expect(() => chat.messages({ bufferMax: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  await chat.publish('sound')
  expect(list).toEqual([[grid.peerId, 'sound']])
  await grid.close()
  await expect(chat.publish(1)).rejects.toMatchObject({ code: 'CLOSED' })
  expect(() => grid.topic('chat')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

test('a caller that publishes without waiting is refused past 1 MiB, and one that waits never is', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  await meet(a, b)
  const chat = a.topic<string>('chat')
  let received = 0
  b.topic('chat').on('message', () => (received += 1))
  const value = 'x'.repeat(10_000)
  const count = Math.ceil((1.5 * TOPIC_BACKLOG_MAX_BYTES) / value.length)
  const outcomes = await Promise.allSettled(Array.from({ length: count }, () => chat.publish(value)))
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
  expect(refused.length).toBeGreaterThan(count / 4)
  expect(refused.every(({ reason }) => (reason as GridError).code === 'BACKLOG_FULL')).toBe(true)
  expect(a.status().topics.refused).toBe(refused.length)
  for (let i = 0; i < 50; i++) await chat.publish(value)
  await until(() => received === count - refused.length + 50, 'all that was taken has come')
  expect(a.status().backlog.topicBytes).toBe(0)
})

test('messages do not cross a split, and flow again once it has healed', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  await meet(a, b)
  const list = heard(b)
  grids.split([0], [1])
  await a.topic('chat').publish('lost')
  grids.heal()
  await until(() => a.status().convergence.neighbours === 1 && b.status().convergence.neighbours === 1, 'healed')
  await until(async () => {
    await a.topic('chat').publish('back')
    return list.length > 0
  }, 'it has come')
  expect(list[0]).toEqual([a.peerId, 'back'])
})

test('publishing and closing without waiting for either ends nothing but the grid', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  await meet(a, b)
  const list = heard(b)
  for (let i = 0; i < 20; i++) void a.topic('chat').publish(i)
  await a.close()
  await until(() => list.length === 20, 'what was said before closing has come')
})

test('two peers on the real network talk to each other', async () => {
  const options = { name: 'topics', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent }
  await using a = await openGrid(options)
  await using b = await openGrid({ ...options, join: a.addresses })
  const answers = heard(a, 'echo')
  b.topic<string>('chat').on('message', ({ value }) => void b.topic('echo').publish(value))
  await b.ready()
  // The mesh of gossip takes a moment to form, and what is said before is lost.
  await until(async () => {
    await a.topic('chat').publish('are you there?')
    return answers.length > 0
  }, 'the first has come back')
  const largest = 'x'.repeat(TOPIC_MESSAGE_MAX_BYTES - 8)
  await a.topic('chat').publish(largest)
  await until(() => answers.some((answer) => (answer as unknown[])[1] === largest), 'the largest message has come back')
  expect(new Set(answers.map((answer) => (answer as unknown[])[0]))).toEqual(new Set([b.peerId]))
})

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
