import { describe, expect, it } from 'vitest'
import { OwningPeers, SETTLED_AFTER_MS, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'

const EVERY_INDEX = Array.from({ length: 16 }, (_, index) => index)

/** The peers, each of which owns every partition, with a value in each. */
function settled(...names: string[]): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(names.length), ...names)
  for (const index of EVERY_INDEX) peers.writeTo(names[0]!, index, index + 1)
  peers.advance(SETTLED_AFTER_MS)
  return peers
}

/** A peer whose disk is lost comes back with another one. */
function loseDisk(peers: OwningPeers, name: string): void {
  peers.crash(name)
  peers.names.splice(peers.names.indexOf(name), 1)
  peers.join(name, new TestDisk())
}

/** The owners a and b, whose disks are both lost, and c, which owns nothing. */
function withoutDisks(): OwningPeers {
  const peers = settled('a', 'b')
  peers.joinWeightless('c')
  peers.advance(SETTLED_AFTER_MS)
  peers.crash('a')
  peers.crash('b')
  peers.names.length = 0
  peers.join('a', new TestDisk(), ['c'])
  peers.join('b', new TestDisk(), ['a', 'c'])
  peers.advance(3 * SETTLED_AFTER_MS)
  return peers
}

function lostAt(peers: OwningPeers, name: string): number[] {
  return peers
    .peer(name)
    .partitions.report(peers.now)!
    .lost.flatMap(({ indexes }) => indexes)
}

function reported(peers: OwningPeers, name: string): number[] {
  return peers.events(name, 'partition-lost').flatMap(({ partitions }) => partitions)
}

describe('partitions of which every disk is lost', () => {
  it('are reported by every peer, once, and nothing answers for them', () => {
    const peers = withoutDisks()
    const names = ['a', 'b', 'c']
    const found = names.map((name) => peers.read(name, 3))
    peers.advance(SETTLED_AFTER_MS)
    for (const name of names) {
      expect(lostAt(peers, name)).toEqual(EVERY_INDEX)
      expect(reported(peers, name)).toEqual(EVERY_INDEX)
    }
    expect(found).toEqual(names.map(() => ['unreachable']))
  })

  it('are none while one disk is left, and none at a peer that has just joined', () => {
    const peers = settled('a', 'b')
    loseDisk(peers, 'a')
    peers.advance(3 * SETTLED_AFTER_MS)
    peers.join('c')
    peers.advance(3 * SETTLED_AFTER_MS)
    for (const name of ['a', 'b', 'c']) expect([...lostAt(peers, name), ...reported(peers, name)]).toEqual([])
    for (const index of EVERY_INDEX) expect(peers.readNow('c', index)).toEqual([index + 1])
  })

  it('begin again at their first owners when an operator says so, with what is left, and are whole at all of them', () => {
    const peers = withoutDisks()
    // A write for a lost partition waits.
    peers.writeTo('c', 5, 21)
    peers.advance(3 * SETTLED_AFTER_MS)
    const found = peers.read('a', 5)
    peers.advance(SETTLED_AFTER_MS)
    expect(found).toEqual(['unreachable'])
    expect(peers.peer('c').partitions.beginAgain('users')).toBe(16)
    peers.give('c', { type: 'tick' })
    peers.advance(3 * SETTLED_AFTER_MS)
    for (const name of ['a', 'b', 'c']) {
      expect(lostAt(peers, name)).toEqual([])
      expect(peers.readNow(name, 5)).toEqual([21])
      expect(peers.readNow(name, 6)).toEqual(['nothing'])
    }
    // The instruction does not stay: it would have the next loss begin again unasked.
    peers.advance(120_000)
    expect(peers.peer('a').housekeeping.rows.of('again/')).toEqual([])
  })

  it('do not begin again without a loss, nor for a collection that is not there', () => {
    const peers = settled('a', 'b')
    expect(peers.peer('a').partitions.beginAgain('users')).toBe(0)
    expect(peers.peer('a').partitions.beginAgain('others')).toBe(0)
  })

  it('are there again when a peer comes back with its disk', () => {
    const peers = settled('a', 'b')
    const disk = peers.crash('b')!
    peers.names.splice(1, 1)
    loseDisk(peers, 'a')
    peers.peer('a').forget('b', peers.now)
    peers.advance(3 * SETTLED_AFTER_MS)
    peers.join('b', disk)
    peers.advance(3 * SETTLED_AFTER_MS)
    for (const index of EVERY_INDEX) expect(peers.readNow('a', index)).toEqual([index + 1])
    expect(lostAt(peers, 'a')).toEqual([])
  })
})

describe('owners without a directory', () => {
  it('own while too few with one are there, and keep what is written', () => {
    const peers = new OwningPeers()
    for (const name of ['a', 'b', 'c']) peers.joinMemoryOwner(name)
    peers.advance(1000)
    peers.peer('a').open(usersOf(2))
    peers.advance(SETTLED_AFTER_MS)
    for (const index of EVERY_INDEX) peers.writeTo('b', index, index + 1)
    peers.advance(SETTLED_AFTER_MS)
    const isOwner = (name: string): boolean => EVERY_INDEX.some((index) => peers.owners(index, 'a').includes(name))
    expect(['a', 'b', 'c'].map(isOwner)).toEqual([true, true, true])
    for (const index of EVERY_INDEX) {
      expect(peers.readNow('c', index)).toEqual([index + 1])
      for (const owner of peers.owners(index, 'a')) expect(peers.get(owner, index)).toBe(index + 1)
    }
  })

  it('give way to owners with one: those come first, and memory fills up what they are too few for', () => {
    const peers = new OwningPeers()
    for (const name of ['a', 'b', 'c']) peers.joinMemoryOwner(name)
    peers.advance(1000)
    peers.peer('a').open(usersOf(2))
    peers.advance(SETTLED_AFTER_MS)
    for (const index of EVERY_INDEX) peers.writeTo('b', index, index + 1)
    peers.join('d')
    peers.advance(3 * SETTLED_AFTER_MS)
    for (const index of EVERY_INDEX) {
      expect(peers.owners(index, 'a')).toContain('d')
      expect(peers.owners(index, 'a')).toHaveLength(2)
    }
    peers.join('e')
    peers.advance(3 * SETTLED_AFTER_MS)
    for (const index of EVERY_INDEX) {
      expect(peers.owners(index, 'a')).toEqual(['d', 'e'])
      expect([peers.get('d', index), peers.get('e', index)]).toEqual([index + 1, index + 1])
    }
    for (const name of ['a', 'b', 'c']) expect([...peers.placement(name).copies.names()]).toEqual([])
  })

  it('count as copies only where peers in memory are asked for', () => {
    const peers = new OwningPeers()
    for (const name of ['a', 'b', 'c']) peers.joinMemoryOwner(name)
    peers.advance(1000)
    peers.peer('a').open(usersOf(2))
    peers.advance(SETTLED_AFTER_MS)
    const index = peers.partition(['a', 'b'])
    const enough = (by: 'durable' | 'peers', writer: string): boolean => {
      const written = peers.writeTo(writer, index, 9)
      const request = peers.peer(writer).partitions.countCopies(users(index), keyIn(index), written, 2, by)
      peers.give(writer, { type: 'tick' })
      peers.advance(5000)
      return peers.events(writer, 'copies').some((event) => event.request === request && event.isEnough)
    }
    expect(enough('peers', 'a')).toBe(true)
    expect(enough('durable', 'a')).toBe(false)
  })
})
