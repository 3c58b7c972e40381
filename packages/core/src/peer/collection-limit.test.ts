import { describe, expect, it } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import { DOCUMENTS, REGISTRY, isReserved } from '../kinds/kinds.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import { CANDIDATE_PARTS_MAX, COLLECTIONS_MAX, NAME_MAX_BYTES, VALUE_MAX_BYTES } from '../limits.ts'
import { decodeMessage, encodeMessage } from '../wire/messages.ts'
import type { Peer } from './peer.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const DAY_MS = 86_400_000
/** Long enough for the registry to be seen to, and for a session or two. */
const A_WHILE_MS = 75_000
const SLOT = '0123456789abcdef'
const COUNT: Uint8Array = encodeValue([1, 0], 32)

function open(peer: Peer, name: string, kind: CollectionKind): void {
  peer.open({ name, kind, mode: 'replicated', partitions: 1 })
}

/** Counts once in each of so many counters, as a loop over visitors does. */
function count(peers: WiredPeers, peerName: string, prefix: string, counters = COLLECTIONS_MAX): void {
  const peer = peers.peer(peerName)
  for (let i = 0; i < counters; i++) {
    const counter = peer.open({ name: `${prefix}${i}`, kind: 'counter', mode: 'replicated', partitions: 1 })
    peer.write(counter.partitions[0]!, SLOT, COUNT, peers.nowOf(peerName))
  }
  peers.give(peerName, { type: 'tick' })
}

function durableMembers(peer: Peer, peers: WiredPeers): string[] {
  return peer.housekeeping.registry
    .members(peers.wallMs)
    .map(({ peerId }) => peerId)
    .toSorted()
}

describe('as many collections as there may be', () => {
  it('leave room for the grid’s own, whatever the application opens right after opening', () => {
    const peers = new WiredPeers()
    const peer = peers.open('a', new TestDisk())
    count(peers, 'a', 'visits-')
    expect(() => open(peer, 'one more', 'map')).toThrow(
      expect.objectContaining({
        code: 'COLLECTION_LIMIT',
        message: expect.stringContaining('use keys of one') as string,
      }),
    )
    peers.advance(A_WHILE_MS)
    expect(durableMembers(peer, peers)).toEqual(['a'])
    expect(peer.housekeeping.names.all()).toHaveLength(COLLECTIONS_MAX)
    expect(peer.collections.internal(DOCUMENTS).replica.table.slotCount).toBe(0)
    expect(peer.collections.size).toBe(COLLECTIONS_MAX + 2)
    expect(peer.forget('stranger', peers.now)).toBeUndefined()
  })

  it('go to other peers, beside what is the grid’s own there, and come back from the disk', () => {
    const peers = new WiredPeers()
    const disk = new TestDisk()
    // In memory, so that it is not in the registry: it may be a stranger who makes names up.
    peers.open('a')
    count(peers, 'a', 'made-up-')
    peers.open('b', disk)
    peers.link('a', 'b')
    peers.advance(45_000)
    const b = peers.peer('b')
    expect(peers.events('b', 'refused')).toEqual([])
    expect(b.collections.limitedCount).toBe(COLLECTIONS_MAX)
    expect(durableMembers(b, peers)).toEqual(['b'])
    expect(peers.peer('a').collections.root()).toBe(b.collections.root())
    peers.crash('a')
    peers.crash('b')
    const again = peers.open('b', disk)
    expect(again.collections.root()).toBe(b.collections.root())
    expect(durableMembers(again, peers)).toEqual(['b'])
  })

  it('that were there before the grid’s own ones were, as in a store of an earlier version, open and work again', () => {
    const peers = new WiredPeers()
    const disk = new TestDisk()
    peers.open('a', disk)
    count(peers, 'a', 'visits-')
    // Before the registry has its first row.
    peers.crash('a')
    const again = peers.open('a', disk)
    expect(again.collections.get(REGISTRY.name, 5)).toBeUndefined()
    peers.advance(A_WHILE_MS)
    expect(durableMembers(again, peers)).toEqual(['a'])
    peers.crash('a')
    expect(durableMembers(peers.open('a', disk), peers)).toEqual(['a'])
  })
})

describe('rows of a collection that there is no room for', () => {
  /** Two peers with more collections than a heartbeat can tell of, one of which has no room for 'too many'. */
  function fullAndOther(): WiredPeers {
    const peers = new WiredPeers()
    const { collections } = peers.open('full', new TestDisk())
    const locate = collections.locate.bind(collections)
    collections.locate = (name) =>
      name.collection === 'too many' ? { code: 'COLLECTION_LIMIT', reason: 'one too many' } : locate(name)
    count(peers, 'full', 'full-', 300)
    peers.open('other', new TestDisk())
    peers.write('other', 'k', 'v', 'too many')
    peers.link('full', 'other')
    return peers
  }

  it('are refused with the reason, and never confirmed', () => {
    const peers = fullAndOther()
    peers.advance(A_WHILE_MS)
    const { replicaId, confirmations } = peers.peer('other')
    const { sequence } = peers.write('other', 'k2', 'v', 'too many')
    peers.run()
    confirmations.request({ collection: 'too many', partition: 0, replicaId, sequence }, 2)
    peers.advance(A_WHILE_MS)
    expect(peers.peer('full').collections.get('too many')).toBeUndefined()
    expect(peers.events('full', 'refused').map(({ error }) => error.code)).toContain('COLLECTION_LIMIT')
    expect(peers.sent('confirm', 'other')).toHaveLength(1)
    expect(peers.sent('confirmed', 'full')).toEqual([])
    // What there is room for on both has come.
    expect(durableMembers(peers.peer('full'), peers)).toEqual(['full', 'other'])
  })

  it('cause no session after another for ever', () => {
    const peers = fullAndOther()
    peers.advance(10 * 60_000)
    const before = peers.sent('digest').length
    peers.advance(10 * 60_000)
    // Each of the two looks every 30 to 60 s anyway, and as often at most for what the other claims: not every heartbeat.
    const sessions = peers.sent('digest').length - before
    expect(sessions).toBeGreaterThan(10)
    expect(sessions).toBeLessThan(100)
  })
})

describe('what is said of all of them', () => {
  it('fits into a message that every version reads, though none is a map', () => {
    const fingerprint = SLOT
    const parts = Array.from({ length: COLLECTIONS_MAX + 2 }, (_, i) => ({
      collection: String(i).padStart(NAME_MAX_BYTES, '.'),
      kind: 2,
      partition: 0,
      fingerprint,
      vector: new Uint8Array(20),
    }))
    const bytes = encodeMessage({ type: 'vectors', session: 1, ask: true, kinds: [1, 2], parts })
    const read = decodeMessage(bytes)
    expect(read.type === 'vectors' && read.parts.map(({ collection }) => collection).toSorted()).toEqual(
      parts.map(({ collection }) => collection),
    )
  })

  it('fits into proposals of purge floors, a part of them each day, also with the longest names', () => {
    const peers = new WiredPeers()
    const peer = peers.open('a', new TestDisk())
    for (let i = 0; i < COLLECTIONS_MAX; i++) {
      const { partitions } = peer.open({
        name: String(i).padStart(NAME_MAX_BYTES, '.'),
        kind: 'map',
        mode: 'replicated',
        partitions: 1,
      })
      for (const value of [COUNT, undefined]) peer.write(partitions[0]!, 'k', value, peers.now)
    }
    peers.give('a', { type: 'tick' })
    const proposed = new Set<string>()
    for (let day = 0; day < 4; day++) {
      peers.advance(A_WHILE_MS)
      for (const { parts } of peer.housekeeping.registry.candidates()) {
        expect(parts.length).toBeLessThanOrEqual(CANDIDATE_PARTS_MAX)
        for (const { collection } of parts) proposed.add(collection)
      }
      peers.sleep(DAY_MS)
    }
    expect(proposed.size).toBeGreaterThanOrEqual(COLLECTIONS_MAX)
    const { table } = peer.collections.internal(REGISTRY).replica
    const largest = Math.max(...[...table.slots()].map((slot) => table.value(slot)?.length ?? 0))
    expect(largest).toBeLessThan(VALUE_MAX_BYTES)
  })
})

it('only the grid’s own names of the grid’s own kinds have places beside the others', () => {
  const of = (name: string, kind: CollectionKind) => isReserved({ name, kind, mode: 'replicated', partitions: 1 })
  expect([of('grid', 'registry'), of('documents', 'document')]).toEqual([true, true])
  expect([of('other', 'registry'), of('other', 'document'), of('grid', 'map'), of('documents', 'map')]).toEqual([
    false,
    false,
    false,
    false,
  ])
})
