import { expect, test } from 'vitest'
import { GRACE_MS, MEMBER_SILENT_MAX_MS } from '../limits.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const DAY_MS = 86_400_000
/** Long enough for the registry to be seen to, and for a session or two. */
const A_WHILE_MS = 75_000

/** Durable peers `names`, linked in a ring of pairs, that have met. */
function durable(...names: string[]): WiredPeers {
  const peers = new WiredPeers()
  for (const name of names) peers.open(name, new TestDisk())
  linkAll(peers, names)
  peers.advance(A_WHILE_MS)
  return peers
}

function linkAll(peers: WiredPeers, names: readonly string[]): void {
  for (const [i, a] of names.entries()) for (const b of names.slice(i + 1)) peers.link(a, b)
}

/** Days on which the peers sleep but for a minute: what `except` names are not linked to the others. */
function days(peers: WiredPeers, names: readonly string[], count: number): void {
  for (let day = 0; day < count; day++) {
    for (const [i, a] of names.entries()) for (const b of names.slice(i + 1)) peers.cut(a, b)
    peers.sleep(DAY_MS - A_WHILE_MS)
    linkAll(peers, names)
    peers.advance(A_WHILE_MS)
  }
}

function tombstones(peers: WiredPeers, name: string): number {
  return partitionOf(peers.peer(name)).replica.table.tombstoneCount
}

const GRACE_DAYS = GRACE_MS / DAY_MS

test('a tombstone is purged a grace period after every durable member has acknowledged it, the same everywhere', () => {
  const peers = durable('a', 'b', 'c')
  for (let i = 0; i < 10; i++) peers.write('a', `key ${i}`, i)
  peers.advance(1000)
  for (let i = 0; i < 9; i++) peers.write('b', `key ${i}`, undefined)
  peers.advance(A_WHILE_MS)
  expect(tombstones(peers, 'c')).toBe(9)
  days(peers, ['a', 'b', 'c'], GRACE_DAYS - 1)
  expect(tombstones(peers, 'c')).toBe(9)
  days(peers, ['a', 'b', 'c'], 3)
  for (const name of ['a', 'b', 'c']) {
    expect(tombstones(peers, name)).toBe(0)
    expect(peers.value(name, 'key 9')).toBe(9)
    expect(stateOf(peers.peer(name))).toEqual(stateOf(peers.peer('a')))
  }
})

test('rule 1: a durable member that is away delays purging, so that its older write loses to the delete', () => {
  const peers = durable('a', 'b')
  peers.write('a', 'k', 'first')
  peers.advance(1000)
  peers.cut('a', 'b')
  peers.write('b', 'k', 'unseen and older')
  peers.advance(1000)
  peers.write('a', 'k', undefined)
  days(peers, ['a'], GRACE_DAYS + 10)
  expect(tombstones(peers, 'a')).toBe(1)
  peers.link('a', 'b')
  peers.advance(A_WHILE_MS)
  expect(peers.value('a', 'k')).toBeUndefined()
  expect(peers.value('b', 'k')).toBeUndefined()
})

test('rule 2: the grace period counts from the arrival of a delete, not from its date', () => {
  const peers = durable('a', 'b')
  peers.write('a', 'k', 'first')
  const light = peers.open('light')
  peers.link('a', 'light')
  peers.advance(A_WHILE_MS)
  peers.cut('a', 'light')
  // A light peer deletes while it is alone, and another one writes before that, alone as well.
  peers.open('other')
  peers.link('a', 'other')
  peers.advance(1000)
  peers.cut('a', 'other')
  peers.write('other', 'k', 'unseen and older')
  peers.advance(1000)
  peers.write('light', 'k', undefined)
  days(peers, ['a', 'b'], GRACE_DAYS + 5)
  peers.link('a', 'light')
  peers.advance(A_WHILE_MS)
  expect(peers.value('b', 'k')).toBeUndefined()
  peers.cut('a', 'light')
  days(peers, ['a', 'b'], 3)
  // By its date the delete was due long ago; it came three days ago.
  expect(tombstones(peers, 'b')).toBeGreaterThan(0)
  peers.link('a', 'other')
  peers.advance(A_WHILE_MS)
  for (const name of ['a', 'b', 'other']) expect(peers.value(name, 'k')).toBeUndefined()
  expect(light.peerId).toBe('light')
})

/** `light` has seen entries, is away while they are deleted and purged, and comes back. */
function returned(unseen: (peers: WiredPeers) => void = () => {}, straySkewMs = 0): WiredPeers {
  const peers = durable('a', 'b')
  peers.skewMs.set('stray', straySkewMs - A_WHILE_MS)
  peers.open('light')
  peers.link('a', 'light')
  for (let i = 0; i < 5; i++) peers.write('a', `key ${i}`, i)
  peers.advance(A_WHILE_MS)
  peers.cut('a', 'light')
  for (let i = 0; i < 4; i++) peers.write('b', `key ${i}`, undefined)
  unseen(peers)
  days(peers, ['a', 'b'], GRACE_DAYS + 4)
  expect(tombstones(peers, 'a')).toBe(0)
  return peers
}

test('rules 3 and 4: a peer that was away while deletes were purged does a full resync, and brings none of them back', () => {
  const peers = returned()
  expect(peers.value('light', 'key 0')).toBe(0)
  peers.link('light', 'b')
  peers.advance(A_WHILE_MS)
  for (const name of ['a', 'b', 'light']) {
    for (let i = 0; i < 4; i++) expect(peers.value(name, `key ${i}`)).toBeUndefined()
    expect({ name, value: peers.value(name, 'key 4') }).toEqual({ name, value: 4 })
    expect(stateOf(peers.peer(name))).toEqual(stateOf(peers.peer('a')))
  }
})

test('rule 4: also if its clock is wrong', () => {
  const peers = returned()
  peers.skewMs.set('light', -30 * DAY_MS)
  peers.advance(1000)
  peers.link('light', 'b')
  peers.advance(A_WHILE_MS)
  for (const name of ['b', 'light']) expect(peers.value(name, 'key 0')).toBeUndefined()
})

test('rule 5: writes of a resyncing peer that no other peer has seen are kept, by their date if the key is there, else as new', () => {
  const peers = returned((wired) => {
    wired.write('light', 'key 4', 'older than the others')
    wired.write('light', 'key 0', 'written offline on a deleted key')
    wired.write('light', 'new', 'written offline')
    wired.advance(1000)
    wired.write('a', 'key 4', 'newer')
  })
  peers.link('light', 'b')
  peers.advance(A_WHILE_MS)
  for (const name of ['a', 'b', 'light']) {
    expect(peers.value(name, 'new')).toBe('written offline')
    expect(peers.value(name, 'key 0')).toBe('written offline on a deleted key')
    expect(peers.value(name, 'key 4')).toBe('newer')
    expect(peers.value(name, 'key 1')).toBeUndefined()
  }
})

test('rule 6: a tombstone from below the floor that comes once more was applied, and is not stored', () => {
  const peers = durable('a', 'b')
  peers.write('a', 'k', 'first')
  peers.advance(1000)
  peers.write('a', 'k', undefined)
  peers.advance(A_WHILE_MS)
  const { replica } = partitionOf(peers.peer('b'))
  const late = replica.row(replica.table.slotOf('k')!)
  days(peers, ['a', 'b'], GRACE_DAYS + 3)
  expect(replica.table.slotOf('k')).toBeUndefined()
  const size = replica.table.size
  replica.merge(late)
  expect(replica.table.size).toBe(size)
  // An older version that no other peer has seen counts as new. The delete, which is known, does not remove it again.
  const older = { ...late, hlc: late.hlc - 1000, sequence: 77, bytes: Uint8Array.of(1), start: 0, end: 1 }
  replica.merge(older)
  replica.merge(late)
  expect(replica.table.value(replica.table.slotOf('k')!)).toEqual(Uint8Array.of(1))
})

test('an entry that was purged does not come back through an older write that came after', () => {
  const peers = returned((wired) => {
    wired.open('stray')
    wired.write('stray', 'key 0', 'an older write')
    wired.write('stray', 'key 0', undefined)
    const { table } = partitionOf(wired.peer('stray')).replica
    expect(table.hlc(table.slotOf('key 0')!)).toBeGreaterThan(0)
  }, -60_000)
  // First the stray one, which everybody takes for new, then the peer that was away.
  peers.link('stray', 'a')
  peers.advance(A_WHILE_MS)
  peers.link('light', 'b')
  peers.advance(A_WHILE_MS)
  for (const name of ['a', 'b', 'stray', 'light']) {
    expect(peers.value(name, 'key 0')).toBeUndefined()
    expect(stateOf(peers.peer(name))).toEqual(stateOf(peers.peer('a')))
  }
})

test('a peer that is cut off before the end of a full resync starts it again, also after a crash', () => {
  const peers = durable('a', 'b')
  peers.open('c', new TestDisk())
  peers.link('a', 'c')
  for (let i = 0; i < 300; i++) peers.write('a', `key ${i}`, 'x'.repeat(2000))
  peers.advance(A_WHILE_MS)
  peers.peer('a').forget('c', peers.now)
  const disk = peers.crash('c')!
  for (let i = 0; i < 150; i++) peers.write('b', `key ${i}`, undefined)
  days(peers, ['a', 'b'], GRACE_DAYS + 4)
  expect(tombstones(peers, 'a')).toBe(0)
  peers.open('c', disk)
  let chunks = 0
  peers.deliver = ({ message }) => message.type !== 'chunk' || (chunks += 1) < 2
  peers.link('a', 'c')
  peers.advance(500)
  peers.cut('a', 'c')
  const again = peers.crash('c')!
  peers.deliver = () => true
  peers.open('c', again)
  peers.link('b', 'c')
  peers.advance(A_WHILE_MS)
  peers.open('c', peers.crash('c')!)
  peers.link('a', 'c')
  peers.advance(A_WHILE_MS)
  for (const name of ['a', 'b', 'c']) {
    expect([name, partitionOf(peers.peer(name)).replica.table.liveCount]).toEqual([name, 150])
    expect(stateOf(peers.peer(name))).toEqual(stateOf(peers.peer('a')))
  }
})

test('a durable member that is silent for 90 days is removed from the set, and may come back by a full resync', () => {
  const peers = durable('a', 'b')
  peers.write('a', 'k', 1)
  peers.advance(A_WHILE_MS)
  const disk = peers.crash('b')!
  peers.write('a', 'k', undefined)
  days(peers, ['a'], MEMBER_SILENT_MAX_MS / DAY_MS - 20)
  expect(tombstones(peers, 'a')).toBe(1)
  days(peers, ['a'], 20 + GRACE_DAYS + 3)
  expect(tombstones(peers, 'a')).toBe(0)
  peers.open('b', disk)
  expect(peers.value('b', 'k')).toBe(1)
  peers.link('a', 'b')
  peers.advance(A_WHILE_MS)
  for (const name of ['a', 'b']) expect(peers.value(name, 'k')).toBeUndefined()
})

test.each([
  ['a', 'b'],
  ['b', 'a'],
])('a floor of %s that grows in the middle of a session costs %s no row that is not sent again', (one, other) => {
  const peers = new WiredPeers()
  for (const name of [one, other]) peers.open(name, new TestDisk())
  peers.link(one, other)
  peers.write(one, 'old', 'value')
  peers.advance(A_WHILE_MS)
  /** Puts a peer on a floor of all that one of them has written and it has seen. */
  const grow = (name: string): void => {
    const { replica } = partitionOf(peers.peer(name))
    const { replicaId } = peers.peer(one)
    const head = replica.vector.head(peers.peer(name).collections.ids.indexOf(replicaId)!)
    replica.raiseFloor(replica.floor.with([{ replicaId, head, ranges: [] }], 1))
  }
  for (const name of [one, other]) grow(name)
  peers.cut(one, other)
  peers.write(one, 'new', 'value')
  peers.advance(1000)
  let grown = 0
  peers.deliver = ({ message }, to) => {
    expect(peers.value(other, 'old'), 'what was there before stays').toBe('value')
    // Both have said that they stand on the same floor.
    if (message.type === 'vectors' && to === one && grown++ === 0) grow(one)
    return true
  }
  peers.link(one, other)
  peers.advance(A_WHILE_MS)
  expect(grown).toBeGreaterThan(0)
  expect([peers.value(other, 'old'), peers.value(other, 'new')]).toEqual(['value', 'value'])
  expect(stateOf(peers.peer(one))).toEqual(stateOf(peers.peer(other)))
})
