import { EVERYONE, openPeer } from '@gossipgrid/core'
import type { Partition, Peer, Placement } from '@gossipgrid/core'
import { expect, test } from 'vitest'
import { ReadCheck, checkContent, checkCoverage, findDifference, findLost } from './checkers.ts'
import { Ledger } from './ledger.ts'
import type { LedgerWrite } from './ledger.ts'
import { Random } from './random.ts'
import { WALL_START_MS } from './simulated-clock.ts'
import { simulatedCollection } from './simulated-collection.ts'

const NOW = { wallMs: WALL_START_MS, monotonicMs: 0 }
const VALUE = Uint8Array.of(1)
const NOTES = simulatedCollection('notes', 'map')

function open(seed: number, placement?: Placement): Peer {
  const options = { gridName: 'checked', random: new Random(seed), persistent: true, software: 'test' }
  const peer = openPeer({ ...options, peerId: `peer-${seed}`, ...(placement && { placement }) }).finish(NOW)
  peer.open(NOTES)
  return peer
}

function notesOf(peer: Peer): Partition {
  return peer.collections.get('notes')!.partitions[0]!
}

/** Writes at a peer and into the ledger, as acknowledged. */
function write(ledger: Ledger, peer: Peer, key: string, value: Uint8Array | undefined): LedgerWrite {
  const written = peer.write(notesOf(peer), key, value, NOW)
  const request = { collection: NOTES, key, value, peer: 0, removes: false, atMs: 0, expiresAtMs: Infinity }
  const added = ledger.add({ ...written, ...request })
  ledger.acknowledge(0, written.writeId)
  return added
}

/** Sends everything that `from` has to `to`. */
function copyRows(from: Peer, to: Peer): void {
  const { replica } = notesOf(from)
  for (const slot of replica.table.slots()) {
    const row = replica.row(slot)
    notesOf(to).replica.merge({ ...row, writer: to.collections.ids.intern(from.collections.ids.id(row.writer)) })
  }
}

test('coverage: the vector counts a dot as seen, but its entry is missing', () => {
  const ledger = new Ledger()
  const [ada, ben] = [open(1), open(2)]
  const first = write(ledger, ada, 'k', VALUE)
  expect(checkCoverage(ledger, ada)).toBeUndefined()
  expect(checkCoverage(ledger, ben)).toBeUndefined()
  notesOf(ben).replica.vector.add(ben.collections.ids.intern(first.replicaId), first.sequence)
  expect(checkCoverage(ledger, ben)).toMatch(/coverage: peer-2 .* holds nothing/)
  copyRows(ada, ben)
  expect(checkCoverage(ledger, ben)).toBeUndefined()
  const second = write(ledger, ada, 'k', undefined)
  notesOf(ben).replica.vector.add(ben.collections.ids.intern(second.replicaId), second.sequence)
  expect(checkCoverage(ledger, ben)).toMatch(/a smaller version/)
  second.withdrawn = true
  expect(checkCoverage(ledger, ben)).toBeUndefined()
})

test('losses: acknowledged sets and deletes are missing', () => {
  const ledger = new Ledger()
  const [ada, ben] = [open(1), open(2)]
  write(ledger, ada, 'kept', VALUE)
  write(ledger, ada, 'gone', VALUE)
  copyRows(ada, ben)
  expect(findLost(ledger, ben)).toEqual({ lost: 0, resurrected: 0, first: undefined })
  const deleted = write(ledger, ada, 'gone', undefined)
  const set = write(ledger, ada, 'new', VALUE)
  expect(findLost(ledger, ada)).toMatchObject({ lost: 0, resurrected: 0 })
  expect(findLost(ledger, ben)).toMatchObject({
    lost: 1,
    resurrected: 1,
    first: expect.stringContaining('resurrected'),
  })
  deleted.excused = true
  set.excused = true
  expect(findLost(ledger, ben)).toMatchObject({ lost: 0, resurrected: 0 })
})

test('differences: other vectors, other versions, other bytes', () => {
  const ledger = new Ledger()
  const [ada, ben] = [open(1), open(2)]
  expect(findDifference(ada, ben, [NOTES])).toBeUndefined()
  const { replicaId, sequence } = write(ledger, ada, 'k', VALUE)
  expect(findDifference(ada, ben, [NOTES])).toMatch(/have seen other writes/)
  notesOf(ben).replica.vector.add(ben.collections.ids.intern(replicaId), sequence)
  expect(findDifference(ada, ben, [NOTES])).toMatch(/hold 1 and 0/)
  copyRows(ada, ben)
  expect(findDifference(ada, ben, [NOTES])).toBeUndefined()
  const { table } = notesOf(ben).replica
  table.value(0)![0] = 2
  expect(findDifference(ada, ben, [NOTES])).toMatch(/other bytes/)
})

test('content: an entry that no application wrote', () => {
  const ledger = new Ledger()
  const ada = open(1)
  write(ledger, ada, 'k', VALUE)
  expect(checkContent(ledger, ada, [NOTES])).toBeUndefined()
  peerWrite(ada, 'k')
  expect(checkContent(ledger, ada, [NOTES])).toMatch(/nothing that anybody wrote/)
})

test('reads: an entry that goes back in time', () => {
  const ada = open(1)
  const reads = new ReadCheck(ada, new Ledger())
  const { table } = notesOf(ada).replica
  peerWrite(ada, 'k')
  const old = notesOf(ada).replica.row(0)
  expect(reads.read(NOTES, 'k')).toBeUndefined()
  peerWrite(ada, 'k')
  expect(reads.read(NOTES, 'k')).toBeUndefined()
  table.put(0, old, 0)
  expect(reads.read(NOTES, 'k')).toMatch(/went back in time/)
})

function peerWrite(peer: Peer, key: string): void {
  peer.write(notesOf(peer), key, VALUE, NOW)
}

/** Only `peer-1` and `peer-2` own the notes. */
function notesAtTwo(peerId: string): Placement {
  const two = new Set(['peer-1', 'peer-2'])
  const shares = ({ collection }: { collection: string }, peer: string): boolean =>
    collection !== 'notes' || (two.has(peerId) && two.has(peer))
  return {
    holds: ({ collection }) => collection !== 'notes' || two.has(peerId),
    owners: ({ collection }) => (collection === 'notes' ? two : EVERYONE),
    shares,
    hasAllOwn: () => true,
    publishes: () => undefined,
    sharedWith: (peer) => (name) => shares(name, peer),
    audience: ({ collection }) => (collection === 'notes' ? two : EVERYONE),
  }
}

test('a peer that does not own a collection neither loses it nor differs in it; an owner does', () => {
  const ledger = new Ledger()
  const [ada, ben, cy] = [1, 2, 3].map((seed) => open(seed, notesAtTwo(`peer-${seed}`))) as [Peer, Peer, Peer]
  write(ledger, ada, 'k', VALUE)
  expect(cy.collections.get('notes')!.partitions).toEqual([])
  expect(findLost(ledger, cy)).toEqual({ lost: 0, resurrected: 0, first: undefined })
  expect(findDifference(ada, cy, [NOTES])).toBeUndefined()
  expect(findLost(ledger, ben).lost).toBe(1)
  expect(findDifference(ada, ben, [NOTES])).toMatch(/diverged/)
  copyRows(ada, ben)
  expect(findLost(ledger, ben).lost).toBe(0)
  expect(findDifference(ada, ben, [NOTES])).toBeUndefined()
})
