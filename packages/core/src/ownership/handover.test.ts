import { describe, expect, it } from 'vitest'
import { COVERED_KEPT_MS, COVERED_MAX_AGE_MS } from '../limits.ts'
import { PartDigests } from '../digests/part-digests.ts'
import { OwningPeers, SETTLED_AFTER_MS, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { Floor } from '../versions/floor.ts'
import { encodeMessage } from '../wire/messages.ts'

const USERS = usersOf(1)
const INDEXES = Array.from({ length: 16 }, (_, index) => index)

/** Each partition has one owner. */
class Owners extends OwningPeers {
  owner(index: number, seenBy = this.names[0]!): string {
    return this.owners(index, seenBy).join()
  }

  holders(index: number): string[] {
    return this.names.filter((name) => this.placement(name).copies.has(users(index)))
  }

  /** Asks `owner` whether it covers the copy of another peer, and returns what it answers. */
  ask(from: string, owner: string, index: number, change: object = {}): readonly number[] | undefined {
    const { collections } = this.peer(from)
    const parts = new PartDigests(collections, collections.ids).parts(({ partition }) => partition === 16 + index)
    const message = { type: 'covers' as const, request: 99, parts: parts.map((part) => ({ ...part, ...change })) }
    this.passed.length = 0
    this.give(owner, { type: 'message', from, bytes: encodeMessage(message) })
    this.run()
    const bits = this.sent('covered', owner).find(({ request }) => request === 99)?.covered
    return bits === undefined ? undefined : places(bits)
  }
}

describe('a former owner', () => {
  it('drops its copies once the owners are whole, and what it had is at them', () => {
    const peers = new Owners().settle(USERS, 'a', 'b', 'c')
    for (const index of INDEXES) {
      expect(peers.holders(index)).toEqual([peers.owner(index)])
      peers.put(peers.owner(index), index, index)
    }
    peers.advance(1000)
    peers.join('d')
    peers.advance(2 * SETTLED_AFTER_MS + COVERED_KEPT_MS)
    expect(INDEXES.filter((index) => peers.owner(index) === 'd').length).toBeGreaterThan(0)
    for (const index of INDEXES) {
      expect(peers.holders(index)).toEqual([peers.owner(index)])
      expect(peers.get(peers.owner(index), index)).toBe(index)
    }
  })

  it('keeps its copy while the owner does not say that it covers it, or is out of reach', () => {
    const peers = new Owners()
    for (const name of ['a', 'b']) peers.join(name)
    peers.advance(1000)
    peers.deliver = ({ message }) => message.type !== 'covered'
    peers.peer('a').open(USERS)
    peers.advance(SETTLED_AFTER_MS)
    const moved = INDEXES.find((index) => peers.owner(index) === 'b')!
    expect(peers.holders(moved)).toEqual(['a', 'b'])
    peers.deliver = () => true
    peers.cut('a', 'b')
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.holders(moved)).toEqual(['a', 'b'])
    peers.link('a', 'b')
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.holders(moved)).toEqual(['b'])
  })

  it('does not drop what came after its question, nor on an answer that is old', () => {
    const peers = new Owners()
    for (const name of ['a', 'b']) peers.join(name)
    peers.advance(1000)
    peers.peer('a').open(USERS)
    // A session that never ends: meanwhile nothing is dropped.
    let busy = true
    Object.defineProperty(peers.peer('a').antiEntropy, 'sessionCount', { get: () => (busy ? 1 : 0) })
    peers.advance(SETTLED_AFTER_MS)
    const moved = INDEXES.find((index) => peers.owner(index) === 'b')!
    expect(peers.sent('covered', 'b').some(({ covered }) => places(covered).length > 0)).toBe(true)
    expect(peers.holders(moved)).toEqual(['a', 'b'])
    peers.deliver = ({ message }) => message.type !== 'frame' && message.type !== 'covered' && message.type !== 'digest'
    peers.put('a', moved, 7)
    busy = false
    peers.advance(5000)
    expect(peers.holders(moved)).toEqual(['a', 'b'])
    expect(peers.get('b', moved)).toBeUndefined()
    peers.deliver = () => true
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.holders(moved)).toEqual(['b'])
    expect(peers.get('b', moved)).toBe(7)
  })

  it('that owns a partition again goes on under its replica id, and gives out no dot twice', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    const disk = new TestDisk()
    const index = INDEXES.find((i) => peers.owner(i) === 'a')!
    peers.put('a', index, 1)
    const { replicaId } = peers.peer('a')
    peers.advance(1000)
    // Peers join until another one owns it.
    const joined: string[] = []
    for (const name of ['c', 'd', 'e', 'f', 'g', 'h']) {
      if (peers.owner(index) !== 'a') break
      peers.join(name, disk.copy())
      joined.push(name)
      peers.advance(5000)
    }
    peers.advance(2 * SETTLED_AFTER_MS + COVERED_KEPT_MS)
    expect(peers.holders(index)).toEqual([peers.owner(index)])
    expect(peers.owner(index)).not.toBe('a')
    // It drains by being forgotten, and `a` owns the partition again.
    const forgotten = peers.owner(index)
    peers.peer('b').forget(forgotten, peers.now)
    peers.advance(2 * SETTLED_AFTER_MS + COVERED_KEPT_MS)
    if (peers.owner(index) !== 'a') return
    expect(peers.placement('a').isWhole(users(index))).toBe(true)
    expect(peers.get('a', index)).toBe(1)
    peers.put('a', index, 2)
    peers.advance(1000)
    expect(peers.peer('a').replicaId).toBe(replicaId)
    expect(peers.events('a', 'replica-id').length).toBeLessThanOrEqual(1)
    expect(peers.get('a', index)).toBe(2)
  })
})

describe('an owner says that it covers a copy', () => {
  it('if it owns the partition in its own view, is whole, and has all of it on the same floor', () => {
    const peers = new Owners().settle(USERS, 'a', 'b', 'c')
    const [mine, other] = [INDEXES.find((i) => peers.owner(i) === 'a')!, INDEXES.find((i) => peers.owner(i) === 'b')!]
    peers.put('a', mine, 1)
    peers.put('b', other, 1)
    expect(peers.ask('a', 'a', mine)).toEqual([0])
    expect(peers.ask('b', 'a', other)).toEqual([])
    const floor = { floorHash: '0123456789abcdef' }
    expect(peers.ask('a', 'a', mine, floor)).toEqual([])
  })

  it('not if the other copy has a write that it lacks', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    const index = INDEXES.find((i) => peers.owner(i) === 'a')!
    const { collections } = peers.peer('a')
    const vector = Uint8Array.of(...strange())
    peers.put('a', index, 1)
    expect(peers.ask('a', 'a', index, { vector })).toEqual([])
    expect(collections.find(users(index))).toBeDefined()
  })

  it('not if all that the other copy has lies below a floor that it does not have', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    const index = INDEXES.find((i) => peers.owner(i) === 'a')!
    const former = peers.peer('b').collections
    peers.put('a', index, 1)
    peers.advance(1000)
    // The copy at `b`: one row, whose replica id has retired below its floor.
    const { ids } = former
    const part = { ...users(index), fingerprint: '0'.repeat(16), vector: Uint8Array.of(0) }
    const floor = Floor.empty(ids).with([{ replicaId: '00000000000000cc', head: 1000, ranges: [] }], 5)
    expect(peers.ask('a', 'a', index, { ...part, floorHash: floor.hash })).toEqual([])
  })

  it('and keeps its own copy for longer than its word counts', () => {
    const peers = new Owners().settle(USERS, 'a', 'b')
    const index = INDEXES.find((i) => peers.owner(i) === 'a')!
    peers.put('a', index, 1)
    expect(COVERED_KEPT_MS).toBeGreaterThan(COVERED_MAX_AGE_MS)
    expect(peers.ask('a', 'a', index)).toEqual([0])
    const askedAtMs = peers.monotonicMs
    peers.peer('b').forget('a', peers.now)
    while (peers.holders(index).includes('a') && peers.monotonicMs < askedAtMs + 300_000) peers.advance(1000)
    expect(peers.holders(index)).toEqual(['b'])
    expect(peers.monotonicMs - askedAtMs).toBeGreaterThanOrEqual(COVERED_KEPT_MS)
    expect(peers.get('b', index)).toBe(1)
  })

  it('only when what it has is durable', () => {
    const peers = new Owners()
    const disk = new TestDisk()
    peers.join('a', disk)
    peers.join('b')
    peers.advance(1000)
    peers.peer('a').open(USERS)
    peers.advance(SETTLED_AFTER_MS)
    const index = INDEXES.find((i) => peers.owner(i) === 'a')!
    disk.paused = true
    peers.put('a', index, 1)
    expect(peers.ask('a', 'a', index)).toBeUndefined()
    disk.paused = false
    peers.answer('a')
    peers.run()
    expect(peers.sent('covered', 'a').map(({ covered }) => places(covered))).toEqual([[0]])
  })
})

/** The places of the bits that are set. */
function places(bits: Uint8Array): number[] {
  return [...bits].flatMap((byte, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte & (1 << bit)).map((bit) => 8 * i + bit),
  )
}

/** The vector of a copy that has one write of a replica id that is known nowhere else. */
function strange(): number[] {
  return [1, ...Array.from({ length: 8 }, (_, i) => i + 1), 1, 0]
}
