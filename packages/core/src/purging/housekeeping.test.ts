import { expect, onTestFinished, test, vi } from 'vitest'
import { rare } from '#rare'
import { DROPS } from '../kinds/kinds.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { encodeValue } from '../bytes/cbor.ts'
import { HOUSEKEEPING_AFTER_MS, HOUSEKEEPING_GAP_MS } from '../limits.ts'
import { compositeKey } from '../bytes/composite-key.ts'
import type { Partition } from '../replica/collections.ts'
import { PRESENT } from '../kinds/row-forms.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const SEEN_TO_MS = HOUSEKEEPING_AFTER_MS + 2 * HOUSEKEEPING_GAP_MS

function open(peers: WiredPeers, name: string, kind: CollectionKind): Partition {
  return peers.peer(name).open({ name: 'things', kind, mode: 'replicated', partitions: 1 }).partitions[0]!
}

/** `a` has had a map, and then `b` a set of one name, while they could not reach each other. */
function apart(): { peers: WiredPeers; map: Partition; set: Partition } {
  const peers = new WiredPeers()
  const a = peers.open('a', new TestDisk())
  const b = peers.open('b', new TestDisk())
  const map = open(peers, 'a', 'map')
  a.write(map, 'k', encodeValue(1, 100), peers.now)
  peers.advance(SEEN_TO_MS)
  const set = open(peers, 'b', 'set')
  b.write(set, compositeKey('k', b.slotId), PRESENT, peers.now)
  peers.advance(SEEN_TO_MS)
  return { peers, map, set }
}

test('a name that two peers used for two kinds keeps the first one, and the other peer gets an event and can no longer write', () => {
  const { peers, map, set } = apart()
  const [a, b] = [peers.peer('a'), peers.peer('b')]
  peers.link('a', 'b')
  peers.advance(SEEN_TO_MS)
  expect(peers.events('a', 'mismatch')).toEqual([])
  const [reported, ...others] = peers.events('b', 'mismatch')
  expect(others).toEqual([])
  expect(reported!.name).toBe('things')
  expect(reported!.reason).toMatch(
    /^'things' is a .*map.*, and cannot be a .*set.* as well: open it as what it is, or take another name$/,
  )
  const write = (): unknown => b.write(set, compositeKey('l', b.slotId), PRESENT, peers.now)
  expect(write).toThrow(expect.objectContaining({ code: 'COLLECTION_MISMATCH', message: reported!.reason }) as Error)
  // The first peer goes on, and no peer loses what the other had written.
  a.write(map, 'l', encodeValue(2, 100), peers.now)
  peers.advance(1000)
  expect(a.collections.root()).toBe(b.collections.root())
  expect(set.replica.table.liveCount).toBe(1)
})

test('code that cannot be loaded is asked for once a round', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  const { code } = rare
  const load = vi.spyOn(rare, 'load').mockImplementation(() => Promise.reject(new Error('no network')))
  rare.code = undefined
  onTestFinished(() => {
    rare.code = code
    load.mockRestore()
  })
  a.write(a.collections.internal(DROPS), compositeKey('things', '0'), encodeValue({ parts: [] }, 64), peers.now)
  for (let i = 0; i < 10; i++) peers.advance(HOUSEKEEPING_GAP_MS / 20)
  expect(load).toHaveBeenCalledTimes(1)
  peers.advance(HOUSEKEEPING_GAP_MS)
  expect(load).toHaveBeenCalledTimes(2)
})

test('a peer that comes later can open the name as its first kind only, also after a restart', () => {
  const { peers } = apart()
  peers.link('a', 'b')
  peers.open('c')
  peers.link('a', 'c')
  peers.advance(SEEN_TO_MS)
  expect(() => open(peers, 'c', 'set')).toThrow(/cannot be/)
  expect(open(peers, 'c', 'map').replica.table.liveCount).toBe(1)
  peers.open('b', peers.crash('b')!)
  peers.advance(SEEN_TO_MS)
  expect(() => open(peers, 'b', 'set')).toThrow(/cannot be/)
})

test('durable peers register and go on the registry’s list until they leave; a forgotten one that runs comes back', () => {
  const peers = new WiredPeers()
  const a = peers.open('a', new TestDisk())
  peers.open('b', new TestDisk())
  peers.open('light')
  peers.link('a', 'b')
  peers.link('a', 'light')
  const registered = (): string[] => a.housekeeping.registry.members(peers.wallMs).map(({ peerId }) => peerId)
  expect(registered()).toEqual([])
  peers.advance(SEEN_TO_MS)
  expect(registered().toSorted()).toEqual(['a', 'b'])
  expect(a.forget('stranger', peers.now)).toBeUndefined()
  expect(a.forget('b', peers.now)).toBeDefined()
  expect(registered()).toEqual(['a'])
  peers.advance(SEEN_TO_MS)
  expect(registered().toSorted()).toEqual(['a', 'b'])
  peers.perform('b', peers.peer('b').goodbye(true, peers.nowOf('b')))
  peers.advance(SEEN_TO_MS)
  expect(registered()).toEqual(['a'])
})
