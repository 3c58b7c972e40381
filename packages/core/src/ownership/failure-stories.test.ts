import { describe, expect, it } from 'vitest'
import {
  AWAY_AFTER_MS,
  COVERED_KEPT_MS,
  MEMORY_AWAY_AFTER_MS,
  MEMORY_OWNER_SILENT_MAX_MS,
  READ_TIMEOUT_MS,
} from '../limits.ts'
import type { StorageOperation } from '../ports.ts'
import { OwningPeers, SETTLED_AFTER_MS, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { readLog } from '../wire/block.ts'

const INDEXES = Array.from({ length: 16 }, (_, index) => index)

/** After so many batches, nothing more reaches the disk. */
class CutDisk extends TestDisk {
  #left: number

  constructor(batches: number) {
    super()
    this.#left = batches
  }

  override write(batch: readonly StorageOperation[]): void {
    super.write(batch)
    this.#left -= 1
    if (this.#left === 0) this.paused = true
  }
}

/** Writes a value to each partition, by any peer. */
function fill(peers: OwningPeers, name: string): void {
  for (const index of INDEXES) peers.writeTo(name, index, index + 1)
}

function expectFilled(peers: OwningPeers): void {
  for (const index of INDEXES) {
    for (const owner of peers.owners(index)) {
      expect({ index, owner, value: peers.get(owner, index) }).toEqual({ index, owner, value: index + 1 })
    }
  }
}

/** The keys of the rows that sessions have moved since the last `sleep`. */
function movedKeys(peers: OwningPeers): string[] {
  return peers.sent('chunk').flatMap(({ block }) => {
    const records = readLog(block, new ReplicaIds())
    return records.flatMap((record) => {
      return record.type === 'rows' && record.partition.collection === 'users' ? record.rows.map(({ key }) => key) : []
    })
  })
}

/** Starts a peer again with what its disk has. */
function restart(peers: OwningPeers, name: string, disk: TestDisk = peers.crash(name)!.copy()): void {
  peers.join(
    name,
    disk,
    peers.names.filter((other) => other !== name),
  )
}

describe('two owners in memory that are closed one after the other', () => {
  function inMemory(): OwningPeers {
    const peers = new OwningPeers()
    for (const name of ['a', 'b']) peers.joinMemoryOwner(name)
    peers.advance(1000)
    peers.peer('a').open(usersOf(2))
    peers.advance(SETTLED_AFTER_MS)
    fill(peers, 'a')
    peers.advance(1000)
    peers.crash('b')
    peers.names.length = 1
    // Each life of a peer without a directory is another one.
    peers.joinMemoryOwner('b2')
    peers.advance(200)
    return peers
  }

  it('lose nothing if the second one hands over first', () => {
    const peers = inMemory()
    peers.peer('a').partitions.leave(peers.now)
    peers.give('a', { type: 'tick' })
    expect(peers.peer('a').partitions.remaining.length).toBe(16)
    for (let waits = 0; waits < 20 && peers.peer('a').partitions.remaining.length > 0; waits++) peers.advance(10_000)
    expect(peers.peer('a').partitions.remaining).toEqual([])
    peers.perform('a', peers.peer('a').goodbye(true, peers.now))
    peers.crash('a')
    for (const index of INDEXES) expect(peers.get('b2', index)).toBe(index + 1)
  })

  it('do not pretend that nothing was there if it does not', () => {
    const peers = inMemory()
    peers.joinMemory('tab', ['b2'])
    peers.crash('a')
    peers.names.splice(0, 1)
    const found = peers.read('b2', 3)
    peers.advance(READ_TIMEOUT_MS + 1000)
    expect(found).toEqual(['unreachable'])
    // Until the rows of both are gone from the registry, one of them may come back.
    peers.advance(2 * MEMORY_AWAY_AFTER_MS + MEMORY_OWNER_SILENT_MAX_MS)
    expect(peers.events('b2', 'partition-lost')).toMatchObject([{ name: 'users', partitions: INDEXES }])
  })
})

it('a peer alone on its side of a split answers what it has, keeps what it is given, and the end of the split moves only that', () => {
  const peers = new OwningPeers().settle(usersOf(2), 'a', 'b', 'c', 'd')
  fill(peers, 'a')
  peers.advance(SETTLED_AFTER_MS)
  const [own, foreign] = [peers.partition(['d']), peers.partition([], ['d'])]
  for (const other of ['a', 'b', 'c']) peers.cut(other, 'd')
  peers.advance(2 * AWAY_AFTER_MS)
  expect(peers.readNow('d', own)).toEqual([own + 1])
  const found = peers.read('d', foreign)
  peers.writeTo('d', foreign, 20, 1)
  peers.advance(READ_TIMEOUT_MS + 1000)
  expect(found).toEqual(['unreachable'])
  peers.sleep(0)
  for (const other of ['a', 'b', 'c']) peers.link(other, 'd')
  peers.advance(10_000)
  for (const owner of peers.owners(foreign, 'a')) expect(peers.get(owner, foreign, 1)).toBe(20)
  expect(peers.hintCount('d')).toBe(0)
  expect(movedKeys(peers).filter((key) => key !== keyIn(foreign, 1))).toEqual([])
})

it('a reader that does not know of a new owner finds what was written to that owner, or no answer, and never an older value', () => {
  const peers = new OwningPeers().settle(usersOf(2), 'a', 'b', 'c')
  fill(peers, 'a')
  peers.advance(SETTLED_AFTER_MS)
  // The registry does not reach b: it goes by the owners of before.
  const known = new Set(['write', 'written', 'read', 'found', 'covers', 'covered', 'hello'])
  peers.deliver = ({ message }, to) => to !== 'b' || known.has(message.type)
  peers.join('d')
  peers.advance(SETTLED_AFTER_MS)
  const moved = INDEXES.filter((index) => peers.owners(index, 'a').includes('d'))
  let enough = 0
  for (const index of moved) {
    expect(peers.owners(index, 'b')).not.toContain('d')
    const writer = peers.names.find((name) => name !== 'b' && peers.owners(index, 'a').includes(name) === false) ?? 'a'
    const written = peers.writeTo(writer, index, 20)
    const request = peers.peer(writer).partitions.countCopies(users(index), keyIn(index), written, 2, 'durable')
    peers.advance(2000)
    const isEnough = peers.events(writer, 'copies').some((event) => event.request === request && event.isEnough)
    const found = peers.read('b', index)
    peers.advance(READ_TIMEOUT_MS + 1000)
    if (!isEnough) continue
    enough += 1
    expect([[20], ['unreachable']]).toContainEqual(found)
  }
  expect(enough).toBeGreaterThan(0)
})

it('an owner that goes and comes back every 20 s moves nothing, and neither does a restart of all, one after the other', () => {
  const names = 'abcdefghij'.split('')
  const peers = new OwningPeers().settle(usersOf(2), ...names)
  fill(peers, 'a')
  peers.advance(SETTLED_AFTER_MS + COVERED_KEPT_MS)
  const before = INDEXES.map((index) => peers.owners(index))
  peers.sleep(0)
  for (const name of [...Array<string>(30).fill('j'), ...names]) {
    const disk = peers.crash(name)!
    peers.advance(10_000)
    restart(peers, name, disk)
    peers.advance(10_000)
    expect(INDEXES.map((index) => peers.owners(index))).toEqual(before)
  }
  expectFilled(peers)
  expect(movedKeys(peers)).toEqual([])
})

it('what a peer wrote that was forgotten meanwhile arrives, and it owns nothing from then on', () => {
  const peers = new OwningPeers().settle(usersOf(2), 'a', 'b', 'c')
  fill(peers, 'a')
  peers.advance(SETTLED_AFTER_MS)
  const own = peers.partition(['c'])
  for (const other of ['a', 'b']) peers.cut(other, 'c')
  peers.advance(1000)
  peers.peer('a').forget('c', peers.now)
  peers.give('a', { type: 'tick' })
  peers.writeTo('c', own, 20, 1)
  peers.advance(60_000)
  for (const other of ['a', 'b']) peers.link(other, 'c')
  peers.advance(2000)
  for (let minute = 0; minute < 10; minute++) {
    for (const name of ['a', 'b', 'c']) expect(INDEXES.flatMap((index) => peers.owners(index, name))).not.toContain('c')
    peers.advance(60_000)
  }
  for (const owner of peers.owners(own, 'a')) expect(peers.get(owner, own, 1)).toBe(20)
  expect(peers.placement('c').copies.groups()).toEqual([])
})

it('a former owner with an unreadable blob hands over the rest, and what was in it comes from another owner', () => {
  const peers = new OwningPeers().settle(usersOf(2), 'a', 'b')
  fill(peers, 'a')
  peers.advance(SETTLED_AFTER_MS)
  const disk = peers.crash('a')!
  disk.blobs.set(disk.keys('log/').at(-1)!, Uint8Array.of(1, 2, 3))
  restart(peers, 'a', disk)
  peers.join('c')
  peers.advance(2 * SETTLED_AFTER_MS + COVERED_KEPT_MS)
  expect(INDEXES.some((index) => peers.owners(index).includes('c'))).toBe(true)
  expectFilled(peers)
  const reports = peers.names.map((name) => peers.peer(name).partitions.report(peers.now)!)
  for (const { former, owned, underReplicated, whole } of reports) {
    expect([former, underReplicated, whole]).toEqual([0, 0, owned])
  }
})

/** So many batches reach a disk before the power goes. */
const CUTS = [1, 2, 3, 4, 5, 6, 8, 10, 14]

describe('a power cut', () => {
  it.each(CUTS)('of the only owner after %i batches of hinted writes loses none that is acknowledged', (batches) => {
    const peers = new OwningPeers().settle(usersOf(1), 'b')
    peers.joinWeightless('w')
    peers.advance(SETTLED_AFTER_MS)
    const disk = new CutDisk(batches)
    for (const [key, bytes] of peers.crash('b')!.blobs) disk.blobs.set(key, bytes)
    peers.join('b', disk, ['w'])
    for (const index of INDEXES) {
      peers.writeTo('w', index, index + 1)
      peers.advance(20)
    }
    peers.advance(3000)
    restart(peers, 'b')
    peers.link('b', 'w')
    peers.advance(SETTLED_AFTER_MS)
    expectFilled(peers)
    expect(peers.hintCount('w')).toBe(0)
  })

  it.each(CUTS.flatMap((batches) => [[batches, 'c'] as const, [batches, 'a'] as const]))(
    'after %i batches while partitions move, at %s, loses nothing',
    (batches, name) => {
      const peers = new OwningPeers().settle(usersOf(1), 'a', 'b')
      fill(peers, 'a')
      peers.advance(SETTLED_AFTER_MS + COVERED_KEPT_MS)
      const disk = new CutDisk(batches)
      if (name === 'a') {
        for (const [key, bytes] of peers.crash('a')!.blobs) disk.blobs.set(key, bytes)
        restart(peers, 'a', disk)
      }
      peers.join('c', name === 'c' ? disk : new TestDisk())
      peers.advance(SETTLED_AFTER_MS)
      restart(peers, name)
      peers.advance(2 * SETTLED_AFTER_MS + COVERED_KEPT_MS)
      expect(INDEXES.some((index) => peers.owners(index).includes('c'))).toBe(true)
      expectFilled(peers)
    },
  )
})
