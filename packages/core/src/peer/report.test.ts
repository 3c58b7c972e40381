import { expect, test } from 'vitest'
import { partitionOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'
import type { PeerReport } from './report.ts'

function reportOf(peers: WiredPeers, name: string): PeerReport {
  return peers.peer(name).report(peers.nowOf(name))
}

test('a report names this peer first, and says of every other one whether it is connected and registered', () => {
  const peers = new WiredPeers()
  peers.open('a', new TestDisk())
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(60_000)
  peers.cut('a', 'b')
  const { members, neighbours } = reportOf(peers, 'b')
  expect(members.map(({ record, self }) => [record.peerId, self])).toEqual([
    ['b', true],
    ['a', false],
  ])
  expect(members[1]).toMatchObject({ connected: false, registered: true })
  expect(neighbours.size).toBe(0)
  expect(reportOf(peers, 'b').purging.members).toMatchObject([{ peerId: 'a', alive: true }])
})

test('a report counts the entries of each collection and how far each other peer is, and leaves the registry out', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  peers.write('a', 'gone', 1)
  peers.write('a', 'stays', 2)
  peers.advance(5000)
  peers.cut('a', 'b')
  peers.write('a', 'late', 3)
  peers.write('a', 'gone', undefined)
  const { collections, lags, frames } = reportOf(peers, 'a')
  expect(collections).toMatchObject([{ name: 'users', kind: 'map', rows: 2, tombstones: 1 }])
  expect(collections[0]!.lags).toMatchObject([{ peerId: 'b', ahead: 2, behind: 0 }])
  expect(lags).toMatchObject([{ peerId: 'b', ahead: 2, behind: 0 }])
  expect(frames.writesSent).toBe(2)
})

test('a report says what waits for the store, and forgets it once it is stored', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  disk.paused = true
  peers.write('a', 'k', 1)
  peers.run()
  expect(a.report(peers.now).backlog.undurableBytes).toBeGreaterThan(0)
  disk.paused = false
  peers.answer('a')
  peers.run()
  expect(a.report(peers.now).backlog.undurableBytes).toBe(0)
  expect(a.report(peers.now).log.bytes).toBeGreaterThan(0)
  expect(partitionOf(a).replica.table.liveCount).toBe(1)
})
