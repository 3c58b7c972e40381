import { describe, expect, test } from 'vitest'
import { CONFIRMATIONS_MAX } from '../limits.ts'
import { partitionOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

/** `a` and storage peers linked to it. */
function grid(...others: string[]): { peers: WiredPeers; disks: Map<string, TestDisk> } {
  const peers = new WiredPeers()
  const disks = new Map(['a', ...others].map((name) => [name, new TestDisk()]))
  for (const [name, disk] of disks) peers.open(name, disk)
  for (const other of others) peers.link('a', other)
  peers.advance(1000)
  return { peers, disks }
}

function ask(peers: WiredPeers, copies: number, key = 'k'): number {
  const { replicaId, sequence } = peers.write('a', key, 1)
  return peers.peer('a').confirmations.request({ collection: 'users', partition: 0, replicaId, sequence }, copies)
}

test('two copies are reported when a second peer has the write on its disk, and not before', () => {
  const { peers, disks } = grid('b')
  disks.get('b')!.paused = true
  const request = ask(peers, 2)
  peers.advance(100)
  expect(peers.value('b', 'k')).toBe(1)
  expect(peers.events('a', 'copies')).toEqual([])
  peers.answer('b')
  peers.run()
  expect(peers.events('a', 'copies')).toMatchObject([{ type: 'copies', request, copies: 2, isEnough: true }])
})

test('an answer that was meant for an earlier life of the writer is no copy', () => {
  const { peers, disks } = grid('b')
  disks.get('b')!.paused = true
  ask(peers, 2)
  peers.advance(100)
  peers.open('a', peers.crash('a'))
  // The write of this life is lost on its way, while the other peer stores that of the life before.
  peers.deliver = ({ message }, to) => to !== 'b' || message.type !== 'frame'
  peers.link('a', 'b')
  peers.advance(50)
  ask(peers, 2, 'other')
  peers.answer('b')
  peers.run()
  expect(peers.sent('confirmed', 'b')).not.toEqual([])
  expect(peers.value('b', 'other')).toBeUndefined()
  expect(peers.events('a', 'copies')).toEqual([])
})

test('a memory-only peer is no copy', () => {
  const peers = new WiredPeers()
  peers.open('a', new TestDisk())
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(1000)
  ask(peers, 2)
  peers.advance(10_000)
  expect(peers.sent('confirm')).toEqual([])
  expect(peers.events('a', 'copies')).toEqual([])
})

test('only as many peers are asked as copies are wanted', () => {
  const { peers } = grid('b', 'c', 'd')
  ask(peers, 3)
  peers.advance(1000)
  expect(peers.sent('confirm').length).toBe(2)
  expect(peers.events('a', 'copies').map((event) => event.copies)).toEqual([2, 3])
})

test('when a peer that was asked goes away, another is asked', () => {
  const { peers, disks } = grid('b', 'c')
  for (const name of ['b', 'c']) disks.get(name)!.paused = true
  ask(peers, 2)
  peers.advance(100)
  const asked = peers.passed.find(({ message }) => message.type === 'confirm')!.to!
  const other = asked === 'b' ? 'c' : 'b'
  peers.crash(asked)
  peers.advance(100)
  disks.get(other)!.paused = false
  peers.answer(other)
  peers.advance(100)
  expect(peers.events('a', 'copies').at(-1)?.copies).toBe(2)
})

test('a peer that connects later is asked for what is still wanted', () => {
  const { peers } = grid()
  ask(peers, 2)
  peers.open('b', new TestDisk())
  peers.link('a', 'b')
  peers.advance(1000)
  expect(peers.events('a', 'copies').at(-1)?.copies).toBe(2)
})

test('a question that overtakes the write, into a collection not known yet, is answered once the write is there', () => {
  const { peers } = grid('b')
  peers.deliver = ({ message }) => message.type !== 'frame'
  ask(peers, 2)
  peers.run()
  peers.deliver = () => true
  peers.advance(5000)
  expect(peers.events('a', 'copies').at(-1)?.copies).toBe(2)
})

test('a request that was cancelled tells nothing more', () => {
  const { peers } = grid('b')
  peers.peer('a').confirmations.cancel(ask(peers, 2))
  peers.advance(1000)
  expect(peers.events('a', 'copies')).toEqual([])
})

test('a confirmation that was not requested from this peer does not count', () => {
  const { peers, disks } = grid('b')
  disks.get('b')!.paused = true
  const request = ask(peers, 2)
  peers.peer('a').confirmations.confirmed('stranger', request)
  peers.peer('a').confirmations.confirmed('b', request + 1)
  peers.run()
  expect(peers.events('a', 'copies')).toEqual([])
})

test('requests are bounded on both sides', () => {
  const { peers } = grid('b')
  const [a, b] = [peers.peer('a'), peers.peer('b')]
  const dot = { collection: 'users', partition: 0, replicaId: 'f'.repeat(16), sequence: 1 }
  for (let i = 0; i < CONFIRMATIONS_MAX; i++) a.confirmations.request(dot, 2)
  expect(() => a.confirmations.request(dot, 2)).toThrow(expect.objectContaining({ code: 'BACKLOG_FULL' }))
  for (let request = 0; request < 3 * CONFIRMATIONS_MAX; request++) {
    b.confirmations.asked('a', { type: 'confirm', request, ...dot }, peers.now)
  }
  const { vector } = partitionOf(b).replica
  vector.add(b.collections.ids.intern(dot.replicaId), 1)
  expect(b.step({ type: 'tick' }, peers.now).filter((effect) => effect.type === 'send').length).toBeLessThanOrEqual(
    CONFIRMATIONS_MAX + 1,
  )
})

test('a peer that was asked and stays silent is not waited for alone', () => {
  const { peers, disks } = grid('b', 'c')
  disks.get('b')!.paused = true
  const request = ask(peers, 2)
  peers.advance(500)
  expect(peers.events('a', 'copies')).toEqual([])
  peers.advance(10_000)
  expect(peers.events('a', 'copies')).toMatchObject([{ type: 'copies', request, copies: 2, isEnough: true }])
})

describe('copies on any peers', () => {
  /** `a` with a disk, and others in memory, linked to it. */
  function inMemory(...others: string[]): WiredPeers {
    const peers = new WiredPeers()
    peers.open('a', new TestDisk())
    for (const other of others) {
      peers.open(other)
      peers.link('a', other)
    }
    peers.advance(1000)
    return peers
  }

  function askFor(peers: WiredPeers, copies: number, by: 'peers' | 'all'): number {
    const { replicaId, sequence } = peers.write('a', 'k', 1)
    return peers.peer('a').confirmations.request({ collection: 'users', partition: 0, replicaId, sequence }, copies, by)
  }

  const counts = (peers: WiredPeers): unknown[] =>
    peers.events('a', 'copies').map(({ copies, peers: count, isEnough }) => [copies, count, isEnough])

  test('a peer in memory counts as one that has the write, and as no durable copy', () => {
    const peers = inMemory('b', 'c')
    askFor(peers, 2, 'peers')
    peers.advance(100)
    expect(counts(peers)).toEqual([[1, 2, true]])
  })

  test('all are those that are alive: one that is gone is not waited for, and one that is alive is', () => {
    const peers = inMemory('b', 'c')
    peers.cut('a', 'c')
    askFor(peers, Infinity, 'all')
    peers.advance(5000)
    expect(counts(peers).at(-1)).toEqual([1, 2, false])
    peers.advance(60_000)
    expect(counts(peers).at(-1)).toEqual([1, 2, true])
  })

  test('a member that is no neighbour counts once it announces the write', () => {
    const peers = new WiredPeers()
    for (const name of ['a', 'b', 'c']) peers.open(name)
    peers.link('a', 'b')
    peers.link('b', 'c')
    peers.advance(5000)
    expect(peers.peer('a').membership.size).toBe(2)
    askFor(peers, Infinity, 'all')
    peers.advance(10_000)
    expect(counts(peers).at(-1)).toEqual([1, 2, true])
    expect(counts(peers)[0]).toEqual([1, 1, false])
  })

  test('alone, all have it at once', () => {
    const peers = inMemory()
    askFor(peers, Infinity, 'all')
    peers.run()
    expect(counts(peers)).toEqual([[1, 1, true]])
  })
})
