import { describe, expect, it } from 'vitest'
import { READ_TIMEOUT_MS } from '../limits.ts'
import { OwningPeers, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import { encodeMessage } from '../wire/messages.ts'
import { firstKeys } from './key-ranges.ts'
import type { KeyRange } from './key-ranges.ts'

interface SeenPage {
  readonly keys: readonly string[]
  readonly end: string | undefined
}

/** A peer that owns nothing beside owners of every partition, which have compared with each other. */
function outsider(owners: number, ...names: string[]): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(owners), ...names)
  peers.joinWeightless('w')
  peers.advance(2000)
  return peers
}

/** Keys of the partition in order. */
function keysIn(index: number, count: number): string[] {
  return Array.from({ length: count }, (_, number) => keyIn(index, number)).sort()
}

function readPage(
  peers: OwningPeers,
  name: string,
  index: number,
  range: Partial<KeyRange> & { keysMax?: number } = {},
) {
  const pages: (SeenPage | 'unreachable')[] = []
  const query = { name: users(index), after: '', prefix: '', keysMax: 100, ...range }
  peers.peer(name).partitions.readPage(query, peers.nowOf(name), (page) => {
    const isThere = ({ rows }: { rows: readonly { readonly bytes: unknown }[] }): boolean =>
      rows.some(({ bytes }) => bytes !== undefined)
    if (page === undefined) pages.push('unreachable')
    else pages.push({ keys: page.keys.filter(isThere).map(({ key }) => key), end: page.end })
  })
  peers.give(name, { type: 'tick' })
  return pages
}

function readPageNow(...args: Parameters<typeof readPage>): (SeenPage | 'unreachable')[] {
  const pages = readPage(...args)
  args[0].run()
  return pages
}

function countNow(peers: OwningPeers, name: string, indexes: readonly number[]): (number | undefined)[] {
  let found: readonly (number | undefined)[] = ['none'] as never
  peers.peer(name).partitions.count(indexes.map(users), peers.nowOf(name), (counts) => (found = counts))
  peers.give(name, { type: 'tick' })
  peers.run()
  return [...found]
}

describe('a partition read page by page', () => {
  it('gives its keys in order, at an owner and at a peer without a copy, and ends', () => {
    const peers = outsider(2, 'a', 'b', 'c')
    for (let number = 0; number < 5; number++) peers.writeTo('w', 3, number, number)
    peers.advance(3000)
    const keys = keysIn(3, 5)
    for (const name of ['a', 'b', 'c', 'w']) {
      expect(readPageNow(peers, name, 3)).toEqual([{ keys, end: undefined }])
      expect(readPageNow(peers, name, 3, { keysMax: 2 })).toEqual([{ keys: keys.slice(0, 2), end: keys[1] }])
      expect(readPageNow(peers, name, 3, { keysMax: 2, after: keys[1]! })).toEqual([
        { keys: keys.slice(2, 4), end: keys[3] },
      ])
      expect(readPageNow(peers, name, 3, { keysMax: 2, after: keys[3]! })).toEqual([
        { keys: keys.slice(4), end: undefined },
      ])
      expect(readPageNow(peers, name, 3, { prefix: keys[2]! })).toEqual([{ keys: [keys[2]], end: undefined }])
    }
  })

  it('shows what this peer wrote and no owner has, and not what it deleted', () => {
    const peers = outsider(1, 'a')
    const [first, second] = [0, 1].map((number) => keyIn(3, number))
    peers.writeTo('a', 3, 1, 0)
    peers.advance(1000)
    peers.deliver = ({ message }) => message.type !== 'write'
    peers.writeTo('w', 3, undefined, 0)
    peers.writeTo('w', 3, 2, 1)
    expect(readPageNow(peers, 'w', 3)).toEqual([{ keys: [second], end: undefined }])
    expect(readPageNow(peers, 'a', 3)).toEqual([{ keys: [first], end: undefined }])
  })

  it('never goes back in time: what was read once is there, though the next owner does not have it yet', () => {
    const peers = outsider(2, 'a', 'b')
    peers.deliver = ({ message }) => message.type !== 'frame'
    peers.writeTo('a', 3, 7)
    peers.cut('w', 'b')
    expect(readPageNow(peers, 'w', 3)).toEqual([{ keys: [keyIn(3)], end: undefined }])
    peers.cut('a', 'b')
    peers.cut('w', 'a')
    peers.link('w', 'b')
    expect(peers.get('b', 3)).toBeUndefined()
    const pages = readPage(peers, 'w', 3)
    peers.advance(8000)
    expect(pages).toEqual([{ keys: [keyIn(3)], end: undefined }])
  })

  it('that no owner answers is unreachable in the end, and never empty', () => {
    const peers = outsider(2, 'a', 'b')
    for (const name of ['a', 'b']) peers.cut('w', name)
    const pages = readPage(peers, 'w', 3)
    peers.advance(READ_TIMEOUT_MS - 1000)
    expect(pages).toEqual([])
    peers.advance(2000)
    expect(pages).toEqual(['unreachable'])
  })

  it('comes through a member that is in reach of an owner', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 7)
    peers.joinMemory('t', ['w'])
    peers.advance(2000)
    expect(readPageNow(peers, 't', 3)).toEqual([{ keys: [keyIn(3)], end: undefined }])
    expect(countNow(peers, 't', [3, 4])).toEqual([1, 0])
  })

  it('that does not go on is refused, and asked of another owner', () => {
    const peers = outsider(2, 'a', 'b')
    const keys = keysIn(3, 3)
    for (let number = 0; number < 3; number++) peers.writeTo('a', 3, number, number)
    peers.advance(3000)
    let lied = ''
    peers.deliver = ({ message, from }, to) => {
      if (message.type !== 'page' || lied !== '') return true
      lied = from
      peers.give(to, { type: 'message', from, bytes: encodeMessage({ ...message, end: keys[0]! }) })
      return false
    }
    const pages = readPage(peers, 'w', 3, { after: keys[0]! })
    peers.advance(3000)
    expect(lied).not.toBe('')
    expect(pages).toEqual([{ keys: keys.slice(1), end: undefined }])
  })

  it('is asked for only where partitions are', () => {
    const peers = outsider(1, 'a')
    const name = { collection: 'users', kind: 1, partition: 0 }
    for (const message of [
      { type: 'scan', request: 1, ...name, after: '', prefix: '', keysMax: 5 },
      { type: 'scan', request: 2, ...name, partition: 19, after: '', prefix: '', keysMax: 0 },
      { type: 'count', request: 3, collection: 'users', kind: 1, partitions: [19, 0] },
      { type: 'count', request: 4, collection: 'users', kind: 1, partitions: [19, 20, 19] },
    ] as const) {
      peers.passed.length = 0
      peers.give('a', { type: 'message', from: 'w', bytes: encodeMessage(message) })
      peers.run()
      expect(peers.sent('page')).toEqual([])
      expect(peers.sent('counted')).toEqual([])
    }
    expect(peers.peer('a').offences.latest(5)).toMatchObject([{ peerId: 'w', offences: 4 }])
  })
})

describe('the number of keys', () => {
  it('comes from the owners of each partition, without what was deleted', () => {
    const peers = outsider(1, 'a', 'b', 'c')
    const indexes = Array.from({ length: 16 }, (_, index) => index)
    for (const index of indexes) for (let number = 0; number < index; number++) peers.writeTo('w', index, 1, number)
    peers.writeTo('w', 3, undefined, 0)
    peers.advance(3000)
    const expected = indexes.map((index) => (index === 3 ? 2 : index))
    for (const name of ['a', 'b', 'c', 'w']) expect(countNow(peers, name, indexes)).toEqual(expected)
    peers.passed.length = 0
    countNow(peers, 'w', indexes)
    expect(peers.sent('count').length).toBeLessThanOrEqual(3)
  })

  it('of two collections that are counted at the same time comes for each', () => {
    const peers = outsider(1, 'a')
    peers.peer('a').open({ ...usersOf(1), name: 'orders' })
    peers.advance(3000)
    peers.writeTo('a', 3, 1)
    const counts: unknown[] = []
    const orders = { ...users(3), collection: 'orders' }
    for (const name of [users(3), orders])
      peers.peer('w').partitions.count([name], peers.nowOf('w'), (found) => counts.push(...found))
    peers.give('w', { type: 'tick' })
    peers.run()
    expect(counts).toEqual([1, 0])
  })

  it('is not known where no owner is in reach', () => {
    const peers = outsider(1, 'a', 'b')
    const [ofA, ofB] = [peers.partition(['a']), peers.partition(['b'])]
    peers.cut('w', 'b')
    peers.cut('a', 'b')
    const counts: unknown[] = []
    peers.peer('w').partitions.count([ofA, ofB].map(users), peers.nowOf('w'), (found) => counts.push(found), {
      timeoutMs: 3000,
    })
    peers.advance(4000)
    expect(counts).toEqual([[0, undefined]])
  })
})

describe('the first keys of a range', () => {
  it('are found whatever the order and how often each comes', () => {
    const disk = Array.from({ length: 2000 }, (_, i) => `k${(i * 7919) % 997}`)
    const all = [...new Set(disk)].sort()
    for (const max of [1, 2, 10, 996, 5000]) {
      expect(firstKeys(disk, { after: '', prefix: '' }, max)).toEqual(all.slice(0, max))
      const inRange = all.filter((key) => key > 'k5' && key.startsWith('k5'))
      expect(firstKeys(disk, { after: 'k5', prefix: 'k5' }, max)).toEqual(inRange.slice(0, max))
    }
  })
})
