import { describe, expect, it } from 'vitest'
import { GRACE_MS } from '../limits.ts'
import { OwningPeers, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { MARK_PREFIX } from '../storage/opening.ts'

const DAY_MS = 86_400_000
const GRACE_DAYS = GRACE_MS / DAY_MS
/** Until floors are proposed and acknowledged, or are due and at all copies. */
const A_WHILE_MS = 75_000
/** The partition that the tests look at. */
const INDEX = 5

/** Peers that meet for a while, and then not for days. */
class Days extends OwningPeers {
  readonly disks: Map<string, TestDisk> = new Map()

  override join(name: string, disk: TestDisk = new TestDisk(), others?: readonly string[]): void {
    this.disks.set(name, disk)
    super.join(name, disk, others)
  }

  /** So many days later, these peers meet again. */
  later(days: number, names: readonly string[] = this.names): void {
    for (const [a, b] of pairs(names)) this.cut(a, b)
    this.sleep(days * DAY_MS)
    for (const [a, b] of pairs(names)) this.link(a, b)
    this.advance(A_WHILE_MS)
  }

  /** Cuts a peer off from all others. */
  partFrom(name: string): void {
    for (const other of this.names) if (other !== name) this.cut(name, other)
  }

  /** It meets all others again. */
  meet(name: string): void {
    for (const other of this.names) if (other !== name) this.link(name, other)
    this.advance(A_WHILE_MS)
  }

  tombstones(name: string): number | undefined {
    return this.peer(name).collections.find(users(INDEX))?.replica.table.tombstoneCount
  }

  floorHash(name: string): string | undefined {
    return this.peer(name).collections.find(users(INDEX))?.replica.floor.hash
  }
}

function pairs(names: readonly string[]): (readonly [string, string])[] {
  return names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b] as const))
}

/** Three owners of everything, and a value at all of them. */
function owners(): Days {
  const peers = new Days().settle(usersOf(3), 'a', 'b', 'c')
  peers.writeTo('a', INDEX, 1)
  peers.writeTo('a', INDEX, 1, 1)
  // From then on owners look at their floors.
  peers.advance(300_000)
  return peers
}

/** The key is deleted, and after more than the grace period the delete is purged by these peers. */
function purge(peers: Days, names: readonly string[]): void {
  peers.writeTo('a', INDEX, undefined)
  peers.advance(A_WHILE_MS)
  peers.later(GRACE_DAYS + 6, names)
  for (const name of names) expect({ name, left: peers.tombstones(name) }).toEqual({ name, left: 0 })
}

describe('tombstones of a partition', () => {
  it('are purged a grace period after all copies have them, and all copies stand on one floor', () => {
    const peers = owners()
    peers.writeTo('b', INDEX, undefined)
    peers.advance(A_WHILE_MS)
    peers.later(GRACE_DAYS - 1)
    expect(peers.tombstones('c')).toBe(1)
    peers.later(1)
    for (const name of peers.names) {
      expect({ name, left: peers.tombstones(name), floor: peers.floorHash(name) }).toEqual({
        name,
        left: 0,
        floor: peers.floorHash('a'),
      })
      expect(peers.get(name, INDEX, 1)).toBe(1)
    }
    expect(peers.readNow('a', INDEX)).toEqual(['nothing'])
    for (const disk of peers.disks.values()) expect(disk.keys(MARK_PREFIX)).toEqual([])
  })

  it('are purged in time although all owners have started again meanwhile', () => {
    const peers = owners()
    peers.writeTo('b', INDEX, undefined)
    peers.advance(A_WHILE_MS)
    for (const name of ['a', 'b', 'c']) {
      const disk = peers.crash(name)!
      peers.join(
        name,
        disk,
        ['a', 'b', 'c'].filter((other) => other !== name),
      )
      peers.advance(5000)
    }
    peers.later(GRACE_DAYS)
    for (const name of peers.names) expect({ name, left: peers.tombstones(name) }).toEqual({ name, left: 0 })
  })

  it('wait for an owner that is away, so that its older write loses, whenever it comes back', () => {
    const peers = owners()
    peers.partFrom('c')
    peers.writeTo('c', INDEX, 7)
    peers.advance(1000)
    peers.writeTo('a', INDEX, undefined)
    peers.advance(A_WHILE_MS)
    peers.later(GRACE_DAYS + 20, ['a', 'b'])
    expect(peers.tombstones('a')).toBe(1)
    peers.meet('c')
    for (const name of peers.names) expect(peers.readNow(name, INDEX)).toEqual(['nothing'])
  })
})

describe('F3: a key that was deleted and purged stays deleted', () => {
  it.each([false, true])(
    'when its writer returns with a hint that one owner never confirmed; forgotten: %s',
    (forgotten) => {
      const peers = owners()
      peers.joinWeightless('w', new TestDisk(), ['a', 'b'])
      peers.advance(5000)
      peers.partFrom('c')
      peers.writeTo('w', INDEX, 9)
      peers.advance(2000)
      expect([peers.get('a', INDEX), peers.get('b', INDEX), peers.hintCount('w')]).toEqual([9, 9, 1])
      for (const name of ['a', 'b']) peers.cut('w', name)
      peers.meet('c')
      if (forgotten) peers.peer('a').forget('w', peers.now)
      purge(peers, ['a', 'b', 'c'])
      for (const name of ['a', 'b', 'c']) peers.link('w', name)
      peers.advance(A_WHILE_MS)
      expect(peers.hintCount('w')).toBe(0)
      for (const name of ['a', 'b', 'c', 'w']) expect(peers.readNow(name, INDEX)).toEqual(['nothing'])
    },
  )

  it('when a forgotten owner returns with its old copy, which then goes, and with it what the registry says of it', () => {
    const peers = owners()
    peers.partFrom('c')
    peers.peer('a').forget('c', peers.now)
    purge(peers, ['a', 'b'])
    expect(peers.get('c', INDEX)).toBe(1)
    peers.meet('c')
    peers.advance(A_WHILE_MS)
    for (const name of peers.names) expect(peers.readNow(name, INDEX)).toEqual(['nothing'])
    expect(peers.placement('c').copies.has(users(INDEX))).toBe(false)
    expect(peers.placement('a').publishers(users(INDEX))).toEqual(['a', 'b'])
    const disk = peers.crash('c')!
    peers.join('c', disk, ['a', 'b'])
    peers.advance(A_WHILE_MS)
    expect(peers.placement('c').isWhole(users(INDEX))).toBe(false)
    expect(peers.readNow('a', INDEX, 1)).toEqual([1])
  })

  it('when the directory of an owner is a restored backup', () => {
    const peers = owners()
    const backup = peers.disks.get('c')!.copy()
    purge(peers, ['a', 'b', 'c'])
    peers.crash('c')
    peers.join('c', backup, ['a', 'b'])
    peers.advance(2 * A_WHILE_MS)
    for (const name of peers.names) expect(peers.readNow(name, INDEX)).toEqual(['nothing'])
    for (const name of peers.names) expect(peers.readNow(name, INDEX, 1)).toEqual([1])
  })

  it('but a write that no owner has ever seen counts as new', () => {
    const peers = owners()
    peers.joinWeightless('w', new TestDisk(), ['a'])
    peers.advance(5000)
    peers.cut('w', 'a')
    peers.writeTo('w', INDEX, 9)
    peers.advance(1000)
    purge(peers, ['a', 'b', 'c'])
    for (const name of ['a', 'b', 'c']) peers.link('w', name)
    peers.advance(A_WHILE_MS)
    for (const name of ['a', 'b', 'c', 'w']) expect(peers.readNow(name, INDEX)).toEqual([9])
  })
})

describe('F18: a floor', () => {
  it('never reaches the disk of a peer ahead of the rows that it vouches for', () => {
    const peers = owners()
    peers.partFrom('c')
    peers.peer('a').forget('c', peers.now)
    for (let number = 2; number < 6; number++) peers.writeTo('a', INDEX, 3, number)
    purge(peers, ['a', 'b'])
    const disk = peers.disks.get('c')!
    const before = disk.history.length
    for (const name of ['a', 'b']) peers.link('c', name)
    // Until its floor is on the disk, and before it drops the copy.
    for (let i = 0; i < 40 && peers.floorHash('c') !== peers.floorHash('a'); i++) peers.advance(50)
    expect(peers.floorHash('c')).toBe(peers.floorHash('a'))
    let withFloor = 0
    for (const blobs of disk.history.slice(before)) {
      const stored = new OwningPeers()
      stored.join('c', disk.copy(blobs))
      const replica = stored.peer('c').collections.find(users(INDEX))?.replica
      if (replica === undefined || replica.floor.isEmpty) continue
      withFloor += 1
      expect([stored.get('c', INDEX), stored.get('c', INDEX, 1)]).toEqual([undefined, 1])
      for (let number = 2; number < 6; number++) expect(stored.get('c', INDEX, number)).toBe(3)
    }
    expect(withFloor).toBeGreaterThan(0)
  })
})
