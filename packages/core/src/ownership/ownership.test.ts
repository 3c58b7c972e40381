import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import { GridError } from '../errors.ts'
import { REGISTRY } from '../kinds/kinds.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { AWAY_AFTER_MS, BACK_AFTER_MS, GONE_AFTER_MS, VALUE_MAX_BYTES } from '../limits.ts'
import type { PeerOptions } from '../peer/open-peer.ts'
import { partitioning } from './partitioning.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'
import { LocalWrites } from '../writes/local-writes.ts'

const USERS: CollectionDescriptor = { name: 'users', kind: 'map', mode: 'partitioned', partitions: 16, owners: 2 }
const OWNING: Partial<PeerOptions> = { partitioning: partitioning({ joins: true }) }
const A_WHILE_MS = 20_000

/** Durable peers that may own, each linked with each. */
function grid(...names: string[]): WiredPeers {
  const peers = new WiredPeers()
  for (const name of names) join(peers, name, names.slice(0, names.indexOf(name)))
  peers.advance(1000)
  return peers
}

function join(peers: WiredPeers, name: string, others: readonly string[], options = OWNING): void {
  peers.open(name, new TestDisk(), options)
  for (const other of others) peers.link(other, name)
}

function placementOf(peers: WiredPeers, name: string): Rendezvous {
  return peers.peer(name).collections.placement as Rendezvous
}

/** The owners of all partitions of the users, as a peer sees them. */
function ownersSeenBy(peers: WiredPeers, name: string): string[] {
  const placement = placementOf(peers, name)
  return Array.from({ length: 16 }, (_, index) => {
    const owners = placement.owners({ collection: 'users', kind: 1, partition: 16 + index })
    return [...(owners as ReadonlySet<string>)].join()
  })
}

function isOwner(peers: WiredPeers, name: string, seenBy: string): boolean {
  return ownersSeenBy(peers, seenBy).some((owners) => owners.split(',').includes(name))
}

describe('owners register', () => {
  it('once a partitioned collection is there, and everyone then agrees on who owns what', () => {
    const peers = grid('a', 'b', 'c')
    peers.advance(A_WHILE_MS)
    expect(ownerKeys(peers, 'a')).toEqual([])
    peers.peer('b').open(USERS)
    peers.advance(A_WHILE_MS)
    expect(ownerKeys(peers, 'a')).toEqual(['owner/a', 'owner/b', 'owner/c'])
    expect(new Set(ownersSeenBy(peers, 'a').flatMap((owners) => owners.split(',')))).toEqual(new Set(['a', 'b', 'c']))
    expect(ownersSeenBy(peers, 'b')).toEqual(ownersSeenBy(peers, 'a'))
    expect(ownersSeenBy(peers, 'c')).toEqual(ownersSeenBy(peers, 'a'))
  })

  it('with their weight and zone; light peers, and those of weight 0, own nothing', () => {
    const peers = grid('a', 'b')
    join(peers, 'light', ['a'], { ...OWNING, role: 'light' })
    join(peers, 'none', ['a'], { ...OWNING, weight: 0 })
    join(peers, 'heavy', ['a'], { ...OWNING, weight: 2.6, zone: 'north' })
    peers.peer('a').open(USERS)
    peers.advance(A_WHILE_MS)
    expect(ownerKeys(peers, 'b')).toEqual(['owner/a', 'owner/b', 'owner/heavy', 'owner/none'])
    for (const name of ['light', 'none']) expect(isOwner(peers, name, 'a')).toBe(false)
    // The only member of its zone owns every partition.
    expect(ownersSeenBy(peers, 'light').filter((owners) => owners.split(',').includes('heavy')).length).toBe(16)
  })

  it('not if they were forgotten: they own nothing on any side, however long they run', () => {
    const peers = grid('a', 'b', 'c')
    peers.peer('a').open(USERS)
    peers.advance(A_WHILE_MS)
    peers.cut('a', 'c')
    peers.cut('b', 'c')
    peers.peer('a').forget('c', peers.now)
    peers.advance(A_WHILE_MS)
    expect(isOwner(peers, 'c', 'a')).toBe(false)
    expect(isOwner(peers, 'c', 'c')).toBe(true)
    peers.link('a', 'c')
    peers.advance(3_600_000)
    for (const name of ['a', 'b', 'c']) expect(isOwner(peers, 'c', name)).toBe(false)
  })
})

describe('a peer that is gone', () => {
  it('owns on until it is marked as away, and again once it was back for a while; nothing of it depends on clocks of members', () => {
    const peers = grid('a', 'b', 'c')
    peers.peer('a').open(USERS)
    peers.advance(A_WHILE_MS)
    const before = ownersSeenBy(peers, 'a')
    const disk = peers.crash('c')!
    peers.advance(AWAY_AFTER_MS)
    expect(ownersSeenBy(peers, 'a')).toEqual(before)
    peers.advance(GONE_AFTER_MS + 5000)
    expect(isOwner(peers, 'c', 'a')).toBe(false)
    expect(ownersSeenBy(peers, 'b')).toEqual(ownersSeenBy(peers, 'a'))
    peers.open('c', disk, OWNING)
    peers.link('a', 'c')
    peers.advance(BACK_AFTER_MS - 5000)
    expect(isOwner(peers, 'c', 'a')).toBe(false)
    peers.advance(10_000)
    for (const name of ['a', 'b', 'c']) expect(ownersSeenBy(peers, name)).toEqual(before)
  })

  it('restarts within the grace without any change of owners, on its own view too', () => {
    const peers = grid('a', 'b', 'c')
    peers.peer('a').open(USERS)
    peers.advance(A_WHILE_MS)
    const before = ownersSeenBy(peers, 'a')
    for (const name of ['a', 'b', 'c']) {
      const disk = peers.crash(name)!
      peers.advance(60_000)
      peers.open(name, disk, OWNING)
      // Before it has met anybody.
      peers.advance(0)
      expect(ownersSeenBy(peers, name)).toEqual(before)
      for (const other of ['a', 'b', 'c']) if (other !== name) peers.link(other, name)
      peers.advance(A_WHILE_MS)
      expect(ownersSeenBy(peers, 'a')).toEqual(before)
    }
  })
})

describe('a collection is registered', () => {
  it('by a peer that has met the grid, and by no other that is to join one', () => {
    const peers = new WiredPeers()
    join(peers, 'a', [])
    peers.peer('a').open(USERS)
    peers.advance(A_WHILE_MS)
    expect(peers.peer('a').housekeeping.names.all()).toEqual([])
    join(peers, 'b', ['a'])
    peers.advance(A_WHILE_MS)
    expect(
      peers
        .peer('b')
        .housekeeping.names.all()
        .map(({ name }) => name),
    ).toEqual(['users'])
  })

  it('by a peer that begins a grid of its own', () => {
    const peers = new WiredPeers()
    join(peers, 'a', [], { partitioning: partitioning({ joins: false }) })
    peers.peer('a').open(USERS)
    peers.advance(2000)
    expect(ownersSeenBy(peers, 'a')).toEqual(Array(16).fill('a'))
  })

  it('once, by its earliest registration: of two that were made apart, everyone goes by one, and it stays', () => {
    const peers = grid('a', 'b', 'c', 'd')
    for (const [one, other] of ['ac', 'ad', 'bc', 'bd']) peers.cut(one!, other!)
    peers.peer('c').open(USERS)
    peers.advance(A_WHILE_MS)
    peers.peer('a').open(USERS)
    peers.advance(A_WHILE_MS)
    expect(originSeenBy(peers, 'a')).toBe(peers.peer('a').replicaId)
    peers.link('a', 'c')
    peers.advance(A_WHILE_MS)
    for (const name of ['a', 'b', 'c', 'd']) expect(originSeenBy(peers, name)).toBe(peers.peer('c').replicaId)
    expect(peers.peer('a').housekeeping.names.all().length).toBe(2)
  })

  it('with other partitions elsewhere first: the later one takes no writes, and what it has stays', () => {
    const peers = grid('a', 'b')
    peers.cut('a', 'b')
    peers.peer('a').open(USERS)
    peers.advance(A_WHILE_MS)
    const mine = peers.peer('b').open({ ...USERS, partitions: 32 })
    peers.advance(A_WHILE_MS)
    peers.link('a', 'b')
    peers.advance(A_WHILE_MS)
    expect(peers.events('b', 'mismatch')).toMatchObject([{ name: 'users' }])
    expect(peers.events('a', 'mismatch')).toEqual([])
    expect(peers.peer('b').collections.get('users', 1, 32)).toBe(mine)
    expect(() => peers.peer('b').open({ ...USERS, partitions: 32 })).not.toThrow()
    expect(() => peers.peer('b').open({ ...USERS, name: 'others' })).not.toThrow()
  })
})

it('a peer for whose rows there is no room waits until there is, and is not woken for it before', () => {
  const peers = grid('a', 'b')
  let isFull = true
  Object.defineProperty(peers.peer('a').commit, 'full', { get: () => isFull })
  peers.peer('a').open(USERS)
  peers.advance(A_WHILE_MS)
  expect(peers.peer('a').wakeAtMs).toBeGreaterThan(peers.now.monotonicMs)
  expect(ownerKeys(peers, 'b')).toEqual([])
  isFull = false
  peers.advance(A_WHILE_MS)
  expect(ownerKeys(peers, 'b')).toEqual(['owner/a', 'owner/b'])
})

it('a peer goes on where the room for rows ends in the middle of its work, and writes them later', () => {
  const peers = grid('a', 'b')
  const write = vi.spyOn(LocalWrites.prototype, 'write').mockImplementation(() => {
    throw new GridError('BACKLOG_FULL', 'too much waits to be stored')
  })
  onTestFinished(() => write.mockRestore())
  peers.peer('a').open(USERS)
  peers.advance(A_WHILE_MS)
  expect(write).toHaveBeenCalled()
  expect(ownerKeys(peers, 'b')).toEqual([])
  write.mockRestore()
  peers.advance(A_WHILE_MS)
  expect(ownerKeys(peers, 'b')).toEqual(['owner/a', 'owner/b'])
})

it('rows about owners that make no sense are passed over', () => {
  const peers = grid('a', 'b')
  peers.peer('a').open(USERS)
  peers.advance(A_WHILE_MS)
  const before = ownersSeenBy(peers, 'a')
  const { collections } = peers.peer('a')
  const good = { weight: 1, zone: '', durable: true, draining: false, copies: [] }
  const wrong = [
    { ...good, weight: 17 },
    { ...good, weight: 0.5 },
    { ...good, zone: 7 },
    { ...good, copies: [1] },
    5,
    {},
  ]
  for (const [i, value] of wrong.entries()) {
    const bytes = encodeValue(value, VALUE_MAX_BYTES)
    peers.peer('a').write(collections.internal(REGISTRY), `owner/x${i}`, bytes, peers.now)
  }
  peers.advance(A_WHILE_MS)
  expect(ownersSeenBy(peers, 'b')).toEqual(before)
})

function ownerKeys(peers: WiredPeers, name: string): string[] {
  return peers
    .peer(name)
    .housekeeping.rows.of('owner/')
    .map(({ key }) => key)
    .toSorted()
}

function originSeenBy(peers: WiredPeers, name: string): string | undefined {
  return placementOf(peers, name).registered({ collection: 'users', kind: 1, partition: 16 })?.origin
}
