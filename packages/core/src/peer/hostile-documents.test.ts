import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import { ByteWriter } from '../bytes/bytes.ts'
import { documentClient, documentKey, documentValue, readDocumentKey } from '../kinds/document-row.ts'
import type { Row } from '../entries/entry-table.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { ANTI_ENTROPY_MAX_MS } from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { Peer } from './peer.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const DOCUMENTS = { name: 'documents', kind: 'document', mode: 'replicated', partitions: 1 } as const
const PARTITION = { collection: 'documents', kind: 6, partition: 0 }
const EVE = 'e'.repeat(16)
const NONCE = 7

type Part = number | string

function bytesOf(parts: readonly Part[]): Uint8Array {
  const writer = new ByteWriter()
  for (const part of parts) {
    if (typeof part === 'number') writer.varint(part)
    else writer.text(part)
  }
  return writer.copy()
}

/** A text under a root, and nothing deleted. */
function typed(client: number, clock: number, text: string): Uint8Array {
  return bytesOf([1, 1, client, clock, 4, 1, 'body', text, 0])
}

function keyOf(client: number, index = 0): string {
  return documentKey({ document: 'note', generation: 0, nonce: NONCE, client, level: 'a', index })
}

function frameOf(peers: WiredPeers, key: string, value: Uint8Array): Uint8Array {
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  const row: Row = {
    key,
    hlc: hlcFromWall(peers.wallMs),
    writer: ids.intern(EVE),
    sequence: 1,
    replaced: 0,
    bytes: value,
    start: 0,
    end: value.length,
  }
  writer.row(PARTITION, row)
  return encodeMessage({ type: 'frame', block: writer.take() })
}

function write(peers: WiredPeers, peer: Peer, index: number, text: string): string {
  const client = documentClient(peer.replicaId, NONCE)
  const key = keyOf(client, index)
  const value = documentValue(typed(client, index * 100, text), peer.replicaId, peer.replicaId)
  peer.write(peer.collections.internal(DOCUMENTS), key, value, peers.now)
  return key
}

function rowsOf(peer: Peer): string[] {
  const { table } = peer.collections.internal(DOCUMENTS).replica
  return [...table.slots()].map((slot) => `${table.key(slot)} ${table.valueHash(slot)}`).toSorted()
}

test('each hostile update of a document is refused and counted, and leaves the documents as they are', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  write(peers, a!, 0, 'kept')
  peers.advance(1000)
  const before = rowsOf(a!)
  const victim = documentClient(a!.replicaId, NONCE)
  const eve = documentClient(EVE, NONCE)
  const hostile: readonly [what: string, client: number, update: Uint8Array][] = [
    ['a garbage struct that burns the clock of a victim', eve, bytesOf([1, 1, victim, 4, 0, 2 ** 40, 0])],
    ['structs in the name of a victim', eve, typed(victim, 4, 'forged')],
    ['a row in the place of a victim', victim, typed(victim, 0, 'forged')],
    ['a row of nothing in the place of a victim', victim, bytesOf([0, 0])],
    ['a count that allocates gigabytes', eve, bytesOf([1, 2 ** 31, eve, 0])],
    ['deletes that there are no bytes for', eve, bytesOf([0, 1, victim, 2 ** 31])],
    ['ranges that each go over everything', eve, bytesOf([0, 1, victim, 2, 0, 2 ** 40, 0, 2 ** 40])],
    ['a gap', eve, bytesOf([1, 2, eve, 0, 10, 5, 4, 1, 'body', 'x', 0])],
    ['the largest clock', eve, bytesOf([1, 2, eve, 2 ** 53 - 2, 0, 1, 0, 1, 0])],
    ['bytes of format V2', eve, Uint8Array.from([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['a subdocument', eve, bytesOf([1, 1, eve, 0, 9, 1, 'body', 'guid', 118, 0, 0])],
  ]
  for (const [i, [what, client, update]] of hostile.entries()) {
    const bytes = frameOf(peers, keyOf(client), documentValue(update, EVE, EVE))
    peers.give('a', { type: 'broadcast', from: `hostile ${i}`, bytes })
    expect(peers.events('a', 'refused').at(-1)?.error.code, what).toBe('MESSAGE_MALFORMED')
    expect(a!.offences.total, what).toBe(i + 1)
  }
  expect(rowsOf(a!)).toEqual(before)
})

test('rows of a replica id that was given up are issued again in its name, and all peers accept them', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  peers.open('b')
  peers.link('a', 'b')
  const old = write(peers, a, 0, 'first')
  peers.advance(1000)
  const backup = disk.copy()
  write(peers, a, 1, 'seen by b alone')
  peers.advance(1000)
  const { replicaId } = a
  peers.crash('a')
  const again = peers.open('a', backup)
  const mine = write(peers, again, 2, 'written before it knew')
  peers.run()
  peers.link('a', 'b')
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  expect(again.replicaId).not.toBe(replicaId)
  expect(readDocumentKey(mine)!.client).toBe(documentClient(replicaId, NONCE))
  const c = peers.open('c')
  peers.link('b', 'c')
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  for (const peer of [again, peers.peer('b'), c]) {
    const keys = rowsOf(peer).map((row) => row.split(' ')[0])
    expect(keys).toEqual(expect.arrayContaining([old, mine]))
    expect(rowsOf(peer)).toEqual(rowsOf(c))
    expect(rowsOf(peer)).toHaveLength(3)
  }
  expect(['a', 'b', 'c'].flatMap((name) => peers.events(name, 'refused'))).toEqual([])
})
