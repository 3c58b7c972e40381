import { afterEach, describe, expect, it, vi } from 'vitest'
import { PartDigests } from '../digests/part-digests.ts'
import { AWAY_AFTER_MS, COPIES_QUIET_MS } from '../limits.ts'
import { OwningPeers, SETTLED_AFTER_MS, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'

const USERS = usersOf(2)

afterEach(() => void vi.restoreAllMocks())

class Owners extends OwningPeers {
  end(name: string): TestDisk {
    this.names.splice(this.names.indexOf(name), 1)
    return this.crash(name)!
  }

  has(name: string, index: number): boolean {
    return this.placement(name).copies.has(users(index))
  }

  isWhole(name: string, index: number): boolean {
    const placement = this.placement(name)
    const origin = placement.registered(users(index))?.origin
    return origin !== undefined && placement.copies.isWhole(users(index), origin)
  }

  /** The peers with a whole copy. */
  whole(index: number): string[] {
    return this.names.filter((name) => this.isWhole(name, index)).toSorted()
  }
}

/** A partition that a peer owns. */
function ownedBy(peers: Owners, name: string): number {
  const index = Array.from({ length: 16 }, (_, i) => i).find((i) => peers.owners(i).includes(name))
  return index!
}

describe('a copy is whole', () => {
  it('at the peer that has registered the collection, of all its empty partitions', () => {
    const peers = new Owners()
    peers.join('a')
    peers.join('b')
    peers.advance(1000)
    peers.deliver = () => false
    peers.peer('a').open(USERS)
    peers.advance(2000)
    for (let index = 0; index < 16; index++) expect(peers.whole(index)).toEqual(['a'])
  })

  it('at every owner soon, with what was written before they had it; the peer that registered is then of the audience no more', () => {
    const peers = new Owners()
    for (const name of ['a', 'b', 'c', 'd']) peers.join(name)
    peers.advance(1000)
    peers.peer('a').open(USERS)
    peers.advance(1000)
    for (let index = 0; index < 16; index++) peers.put('a', index, index)
    peers.advance(SETTLED_AFTER_MS)
    for (let index = 0; index < 16; index++) {
      const owners = peers.owners(index)
      expect(owners.length).toBe(2)
      expect(peers.whole(index)).toEqual(owners)
      for (const owner of owners) expect(peers.get(owner, index)).toBe(index)
      for (const name of peers.names) {
        expect([...(peers.placement(name).audience(users(index)) as ReadonlySet<string>)].toSorted()).toEqual(owners)
      }
    }
  })

  it('after a restart, on what the disk has', () => {
    const peers = new Owners().settle(USERS, 'a', 'b', 'c')
    const index = ownedBy(peers, 'c')
    peers.join('c', peers.end('c'), [])
    expect(peers.isWhole('c', index)).toBe(true)
    expect(peers.has('c', index)).toBe(true)
  })

  it('no more after its disk was lost, although the registry that comes back says so', () => {
    const peers = new Owners().settle(USERS, 'a', 'b', 'c')
    const index = ownedBy(peers, 'c')
    peers.put(peers.owners(index)[0]!, index, 7)
    peers.advance(SETTLED_AFTER_MS)
    peers.end('c')
    peers.advance(1000)
    peers.deliver = ({ message }) => message.type !== 'chunk' || !Buffer.from(message.block).includes('users')
    peers.join('c')
    peers.advance(5000)
    expect(peers.placement('a').isPublishedBy(users(index), 'c')).toBe(true)
    for (let i = 0; i < 16; i++) expect(peers.isWhole('c', i)).toBe(false)
    peers.deliver = () => true
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.isWhole('c', index)).toBe(true)
    expect(peers.get('c', index)).toBe(7)
  })

  it('soon also where the registry has said the same of it since before its disk was damaged', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    peers.join('c')
    const owned = (): number[] => Array.from({ length: 16 }, (_, i) => i).filter((i) => peers.has('c', i))
    for (let tries = 0; tries < 6000 && owned().length === 0; tries++) peers.advance(10)
    const [index = -1] = owned()
    peers.deliver = ({ message }) => message.type === 'frame' || message.type === 'announce'
    peers.advance(5000)
    expect([peers.has('c', index), peers.isWhole('c', index)]).toEqual([true, false])
    const disk = peers.end('c')
    disk.blobs.set(disk.keys('log/')[0]!, Uint8Array.of(1, 2, 3))
    peers.deliver = () => true
    peers.join('c', disk)
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.isWhole('c', index)).toBe(true)
  })

  it('no more after its disk was damaged, until it has met another whole one', () => {
    const peers = new Owners().settle(USERS, 'a', 'b', 'c')
    const index = ownedBy(peers, 'c')
    peers.put('c', index, 7)
    peers.advance(SETTLED_AFTER_MS)
    const disk = peers.end('c')
    disk.blobs.set(disk.keys('log/').at(-1)!, Uint8Array.of(1, 2, 3))
    peers.join('c', disk, [])
    for (let i = 0; i < 16; i++) expect(peers.isWhole('c', i)).toBe(false)
    for (const other of ['a', 'b']) peers.link(other, 'c')
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.isWhole('c', index)).toBe(true)
    expect(peers.get('c', index)).toBe(7)
  })
})

describe('a copy is not whole', () => {
  it('while there is none that is in reach: a peer alone on its side of a split begins nothing, though it owns all', () => {
    const peers = new Owners().settle(USERS, 'a', 'b', 'c')
    const missing = Array.from({ length: 16 }, (_, i) => i).filter((i) => !peers.has('c', i))
    expect(missing.length).toBeGreaterThan(0)
    for (const name of ['a', 'b']) peers.cut(name, 'c')
    peers.advance(AWAY_AFTER_MS + 60_000)
    for (const index of missing) {
      expect(peers.owners(index, 'c')).toEqual(['c'])
      expect(peers.has('c', index)).toBe(false)
    }
    for (const name of ['a', 'b']) peers.link(name, 'c')
    peers.advance(120_000)
    for (const index of missing) expect(peers.owners(index, 'c')).toEqual(peers.owners(index, 'a'))
  })

  it('by a session with a copy that is not whole either, equal or not', () => {
    const peers = new Owners()
    for (const name of ['a', 'b', 'c']) peers.join(name)
    peers.advance(1000)
    // The others begin copies, and no session with `a` tells them anything.
    peers.deliver = ({ from, message }) =>
      from !== 'a' || !('copies' in message) || message.copies === undefined || message.type === 'digest'
    peers.peer('a').open(USERS)
    peers.advance(10_000)
    const index = Array.from({ length: 16 }, (_, i) => i).find((i) => peers.has('b', i) && peers.has('c', i))!
    expect(peers.owners(index, 'b')).toEqual(['b', 'c'])
    peers.end('a')
    peers.deliver = () => true
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.sent('equal').length).toBeGreaterThan(0)
    expect(peers.whole(index)).toEqual([])
    peers.writeTo('b', index, 7)
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.get('c', index)).toBe(7)
    expect(peers.whole(index)).toEqual([])
  })

  it('before every whole one in reach was met: each may have writes that the other lacks', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    const index = 3
    expect(peers.whole(index)).toEqual(['a', 'b'])
    peers.cut('a', 'b')
    peers.put('a', index, 1, 0)
    peers.put('b', index, 2, 1)
    // The newcomer does not hear from `b` what it has.
    peers.deliver = ({ from, message }, to) =>
      !(from === 'b' && to === 'c' && (message.type === 'chunk' || message.type === 'equal'))
    peers.join('c')
    for (let tries = 0; tries < 60 && !peers.has('c', index); tries++) peers.advance(1000)
    const owned = Array.from({ length: 16 }, (_, i) => i).filter((i) => peers.has('c', i))
    expect(owned.length).toBeGreaterThan(0)
    peers.advance(SETTLED_AFTER_MS)
    for (const i of owned) expect(peers.isWhole('c', i)).toBe(false)
    peers.deliver = () => true
    peers.advance(SETTLED_AFTER_MS)
    for (const i of owned) expect(peers.isWhole('c', i)).toBe(true)
    if (owned.includes(index)) expect([peers.get('c', index, 0), peers.get('c', index, 1)]).toEqual([1, 2])
  })

  it('by a session that began before this peer had published its copy', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    const disk = new TestDisk()
    // It never gets to store that it publishes anything.
    peers.join('c', disk)
    for (let tries = 0; tries < 60 && !peers.has('c', ownedBy(peers, 'c')); tries++) {
      disk.paused = true
      peers.advance(200)
      disk.paused = false
      if (!peers.has('c', ownedBy(peers, 'c'))) peers.answer('c')
    }
    disk.paused = true
    peers.advance(SETTLED_AFTER_MS)
    for (let i = 0; i < 16; i++) expect(peers.isWhole('c', i)).toBe(false)
    disk.paused = false
    peers.answer('c')
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.isWhole('c', ownedBy(peers, 'c'))).toBe(true)
  })

  it('by the history of a later registration, once an earlier one turns up', () => {
    const peers = new Owners()
    for (const name of ['a', 'b', 'c', 'd']) peers.join(name)
    peers.advance(1000)
    for (const one of ['a', 'b']) for (const other of ['c', 'd']) peers.cut(one, other)
    peers.peer('a').open(USERS)
    peers.advance(SETTLED_AFTER_MS)
    peers.put('a', 3, 1, 0)
    peers.peer('c').open(USERS)
    peers.advance(SETTLED_AFTER_MS)
    peers.put('c', 3, 2, 1)
    peers.advance(1000)
    expect(peers.whole(3)).toEqual(['a', 'b', 'c', 'd'])
    for (const one of ['a', 'b']) for (const other of ['c', 'd']) peers.link(one, other)
    const steps: string[] = []
    for (let passedMs = 0; passedMs < SETTLED_AFTER_MS; passedMs += 20) {
      peers.advance(20)
      steps.push(peers.whole(3).join())
    }
    // As soon as the registry has come, the later history counts for nothing.
    expect(steps).toContain('a,b')
    for (const name of peers.owners(3)) {
      expect(peers.isWhole(name, 3)).toBe(true)
      expect([peers.get(name, 3, 0), peers.get(name, 3, 1)]).toEqual([1, 2])
    }
  })
})

describe('a session is about what both have a copy of', () => {
  it('and sends nothing of what the other has not begun', () => {
    const peers = new Owners().settle(USERS, 'a', 'b', 'c', 'd')
    const index = Array.from({ length: 16 }, (_, i) => i).find((i) => !peers.has('d', i))!
    const [owner] = peers.owners(index)
    peers.put(owner!, index, 7)
    peers.advance(SETTLED_AFTER_MS)
    peers.passed.length = 0
    peers.cut(owner!, 'd')
    peers.link(owner!, 'd')
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.get('d', index)).toBeUndefined()
    expect(peers.events('d', 'refused')).toEqual([])
    expect(peers.peer('d').collections.find(users(index))).toBeUndefined()
  })

  it('comes soon after the last change, and is followed by silence', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    // Rows of the registry go to everyone, and arrive.
    peers.deliver = ({ to, message }) => message.type !== 'frame' || to === undefined
    // Every time: the rounds that every grid has are far more seldom.
    for (let value = 1; value <= 8; value++) {
      peers.put('a', 3, value)
      peers.advance(COPIES_QUIET_MS + 2000)
      expect(peers.get('b', 3)).toBe(value)
    }
    peers.advance(SETTLED_AFTER_MS)
    peers.passed.length = 0
    peers.advance(10 * SETTLED_AFTER_MS)
    // Only the rounds that every grid has.
    expect(peers.sent('digest').length).toBeLessThan(40)
    expect(peers.sent('vectors')).toEqual([])
  })

  it.each(['partsMaxBytes', 'partsMax'] as const)(
    'takes turns where the vectors of all partitions do not fit: each comes, none whole, and a copy is whole only by its turn (%s)',
    (limit) => {
      vi.spyOn(PartDigests.prototype, limit, 'get').mockReturnValue(limit === 'partsMax' ? 9 : 2500)
      const peers = new Owners().settle(USERS, 'a', 'b')
      for (let index = 0; index < 16; index++) for (let n = 0; n < 5; n++) peers.put('a', index, n, n)
      peers.advance(SETTLED_AFTER_MS)
      for (let index = 0; index < 16; index++) expect(peers.get('b', index, 4)).toBe(4)
      peers.cut('a', 'b')
      for (let index = 0; index < 16; index++) peers.put('a', index, 9, 5)
      peers.passed.length = 0
      const { repeated } = peers.peer('b').inbound.rows.session
      peers.link('a', 'b')
      peers.advance(10 * SETTLED_AFTER_MS)
      for (let index = 0; index < 16; index++) expect(peers.get('b', index, 5)).toBe(9)
      expect(peers.sent('vectors').some(({ more }) => more === true)).toBe(true)
      // Sent whole for not being named, they would be seven times as many.
      expect(peers.peer('b').inbound.rows.session.repeated - repeated).toBeLessThanOrEqual(16)
      peers.join('c')
      peers.advance(20 * SETTLED_AFTER_MS)
      for (let index = 0; index < 16; index++) {
        if (!peers.owners(index).includes('c')) continue
        expect(peers.isWhole('c', index)).toBe(true)
        expect(peers.get('c', index, 5)).toBe(9)
      }
    },
  )
})
