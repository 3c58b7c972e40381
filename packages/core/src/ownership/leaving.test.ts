import { describe, expect, it } from 'vitest'
import { OwningPeers, SETTLED_AFTER_MS, users, usersOf } from '../rig/owning-peers.ts'

const USERS = usersOf(2)
const EVERY_INDEX = Array.from({ length: 16 }, (_, index) => index)

/** Three owners of which each partition has two, with a value in each partition. */
function settled(...names: string[]): OwningPeers {
  const peers = new OwningPeers().settle(USERS, ...names)
  for (const index of EVERY_INDEX) peers.writeTo(names[0]!, index, index + 1)
  peers.advance(SETTLED_AFTER_MS)
  return peers
}

function leave(peers: OwningPeers, name: string): void {
  peers.peer(name).partitions.leave(peers.now)
  peers.give(name, { type: 'tick' })
}

describe('a peer that leaves', () => {
  it('has nothing left once the others have all of it, and owns nothing from then on', () => {
    const peers = settled('a', 'b', 'c')
    expect(peers.peer('c').partitions.remaining.length).toBeGreaterThan(0)
    leave(peers, 'c')
    peers.advance(1000)
    expect(peers.peer('c').partitions.report(peers.now)).toMatchObject({ owned: 0, leaving: true })
    peers.advance(3 * SETTLED_AFTER_MS)
    expect(peers.peer('c').partitions.remaining).toEqual([])
    for (const index of EVERY_INDEX) {
      expect(peers.owners(index, 'a')).toEqual(['a', 'b'])
      expect([peers.get('a', index), peers.get('b', index)]).toEqual([index + 1, index + 1])
    }
  })

  it('is registered no more after its goodbye, and is an owner again in its next life', () => {
    const peers = settled('a', 'b', 'c')
    leave(peers, 'c')
    peers.advance(3 * SETTLED_AFTER_MS)
    peers.perform('c', peers.peer('c').goodbye(true, peers.now))
    peers.advance(1000)
    const disk = peers.crash('c')!
    peers.advance(1000)
    const registered = (name: string): string[] =>
      peers
        .peer('a')
        .housekeeping.rows.of('owner/')
        .map(({ key }) => key)
        .filter((key) => key === `owner/${name}`)
    expect(registered('c')).toEqual([])
    peers.join('c', disk, ['a', 'b'])
    peers.advance(3 * SETTLED_AFTER_MS)
    expect(registered('c')).toEqual(['owner/c'])
    expect(EVERY_INDEX.some((index) => peers.owners(index, 'a').includes('c'))).toBe(true)
  })

  it('keeps what has no other owner in reach, and says that it is short', () => {
    const peers = settled('a', 'b', 'c')
    peers.cut('a', 'c')
    peers.cut('b', 'c')
    leave(peers, 'c')
    peers.advance(3 * SETTLED_AFTER_MS)
    const { remaining } = peers.peer('c').partitions
    expect(remaining.length).toBeGreaterThan(0)
    expect(remaining.some(({ isShort }) => isShort)).toBe(true)
  })

  it('keeps everything when it is the only one', () => {
    const peers = settled('a', 'b')
    peers.crash('b')
    peers.peer('a').forget('b', peers.now)
    leave(peers, 'a')
    peers.advance(3 * SETTLED_AFTER_MS)
    expect(peers.peer('a').partitions.remaining).toEqual(
      EVERY_INDEX.map((index) => ({ name: users(index), isShort: true, waitsFor: 'owner' })),
    )
  })

  it('brings what it wrote for others to them first', () => {
    const peers = settled('a', 'b', 'c')
    leave(peers, 'c')
    peers.advance(3 * SETTLED_AFTER_MS)
    for (const index of EVERY_INDEX) peers.writeTo('c', index, 20)
    expect(peers.hintCount('c')).toBe(16)
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.hintCount('c')).toBe(0)
    for (const index of EVERY_INDEX) expect(peers.get('a', index)).toBe(20)
  })
})

describe('what status says of partitions', () => {
  it('is all whole and nothing short once the owners have settled', () => {
    const peers = settled('a', 'b', 'c')
    const reports = peers.names.map((name) => peers.peer(name).partitions.report(peers.now)!)
    expect(reports.reduce((sum, { owned }) => sum + owned, 0)).toBe(32)
    for (const report of reports) {
      expect(report).toMatchObject({ collections: 1, partitions: 16, former: 0, formerBytes: 0, hints: 0, lost: [] })
      expect(report).toMatchObject({ whole: report.owned, underReplicated: 0, unreachable: 0, leaving: false })
    }
  })

  it('counts the copies whose other owner is out of reach, and the partitions that no peer in reach has', () => {
    const peers = settled('a', 'b', 'c')
    const shared = EVERY_INDEX.filter((index) => peers.owners(index).includes('c'))
    peers.crash('c')
    peers.names.splice(2, 1)
    peers.advance(1000)
    const sums = peers.names.map((name) => peers.peer(name).partitions.report(peers.now)!.underReplicated)
    expect(sums[0]! + sums[1]!).toBe(shared.length)
    peers.cut('a', 'b')
    peers.advance(1000)
    const unreachable = EVERY_INDEX.filter((index) => !peers.owners(index).includes('a')).length
    expect(peers.peer('a').partitions.report(peers.now)).toMatchObject({ unreachable })
  })

  it('counts copies that their new owners do not have yet, whatever a session said that lost its rows', () => {
    const peers = settled('a', 'c')
    peers.crash('c')
    peers.names.length = 1
    peers.peer('a').forget('c', peers.now)
    // Once b is registered, no rows of sessions reach it.
    peers.deliver = ({ message }, to) => !(message.type === 'chunk' && to === 'b' && peers.owners(0, 'a').includes('b'))
    peers.join('b')
    peers.advance(2 * SETTLED_AFTER_MS)
    expect(peers.peer('a').partitions.report(peers.now)).toMatchObject({ underReplicated: 16 })
    peers.deliver = () => true
    peers.advance(2 * SETTLED_AFTER_MS)
    expect(peers.peer('a').partitions.report(peers.now)).toMatchObject({ underReplicated: 0 })
    for (const index of EVERY_INDEX) expect(peers.get('b', index)).toBe(index + 1)
  })
})

describe('what peers have of a collection', () => {
  it('is counted for each of them, also while one hands over what it had', () => {
    const peers = settled('a', 'b', 'c')
    const before = peers.peer('a').partitions.shares('users')
    expect(before.map(({ peerId, state }) => `${peerId} ${state}`)).toEqual(['a owner', 'b owner', 'c owner'])
    expect(before.reduce((sum, { owned }) => sum + owned, 0)).toBe(32)
    for (const { handingOver, owned, whole } of before) expect([handingOver, whole]).toEqual([0, owned])
    leave(peers, 'c')
    peers.advance(1000)
    const after = peers.peer('a').partitions.shares('users')
    expect(after.at(-1)).toMatchObject({ peerId: 'c', state: 'leaving', owned: 0, handingOver: before.at(-1)!.owned })
    expect(peers.peer('a').partitions.shares('none')).toEqual([])
  })

  it('is not known to be whole before a peer has registered, nor while a copy is on its way', () => {
    const peers = settled('a', 'b')
    peers.join('c')
    const isWholeAt = (): boolean => peers.peer('c').partitions.hasOwnWhole
    let [known, early] = [false, 0]
    for (let waits = 0; waits < 300 && !known; waits++) {
      peers.advance(100)
      const { owned = 0, whole = 0 } = peers.peer('c').partitions.report(peers.now) ?? {}
      if (isWholeAt() && (owned === 0 || whole < owned) && peers.peer('c').partitions.registered('users') !== undefined)
        early += 1
      known = owned > 0 && isWholeAt()
    }
    expect([known, early]).toEqual([true, 0])
  })
})
