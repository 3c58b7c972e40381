import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import { ByteWriter } from '../bytes/bytes.ts'
import { encodeValue } from '../bytes/cbor.ts'
import { Floor } from '../versions/floor.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { GRACE_MS, SESSION_IDLE_MS } from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { PartDigest } from '../wire/messages.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const DAY_MS = 86_400_000
/** Long enough for the registry to be seen to, and for a session or two. */
const A_WHILE_MS = 75_000
const USERS = { collection: 'users', kind: 1, partition: 0 }
const GRID = { collection: 'grid', kind: 5, partition: 0 }
const HASH = 'f'.repeat(16)

/** A peer with something in it, and a neighbour that the tests speak for. */
function met(): { peers: WiredPeers; all: () => unknown } {
  const peers = new WiredPeers()
  const a = peers.open('a')
  peers.open('evil')
  peers.link('a', 'evil')
  for (let i = 0; i < 5; i++) peers.write('a', `key ${i}`, i)
  peers.advance(A_WHILE_MS)
  return { peers, all: () => structuredClone([stateOf(a), a.collections.ids.count, a.collections.floors()]) }
}

/** A floor over so many ids that no peer has. */
function madeUp(count: number): Uint8Array {
  const entries = Array.from({ length: count }, (_, i) => {
    return { replicaId: i.toString(16).padStart(16, 'e'), head: 4_000_000_000, ranges: [] }
  })
  return Floor.empty(new ReplicaIds()).with(entries, Date.UTC(2026, 0)).encode()
}

function part(floor: Uint8Array): PartDigest {
  return { ...USERS, fingerprint: HASH, vector: Uint8Array.of(0), floorHash: HASH, floor }
}

/** The ways by which a floor can come from a neighbour. */
function give(peers: WiredPeers, way: 'announce' | 'vectors', floor: Uint8Array): void {
  const { self } = peers.peer('evil').membership
  const parts = [part(floor)]
  if (way === 'announce') {
    const bytes = encodeMessage({
      type: 'announce',
      member: self,
      root: HASH,
      bulk: false,
      wallMs: Math.floor(peers.wallMs),
      parts,
    })
    peers.give('a', { type: 'broadcast', from: 'evil', bytes })
  } else {
    const digest = encodeMessage({ type: 'digest', session: 77, root: HASH, floors: HASH })
    peers.give('a', { type: 'message', from: 'evil', bytes: digest })
    const bytes = encodeMessage({ type: 'vectors', session: 77, ask: false, kinds: [1], parts })
    peers.give('a', { type: 'message', from: 'evil', bytes })
  }
}

function bytesOf(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(64)
  write(writer)
  return writer.take()
}

test('malformed floors are refused wherever they stand, and nothing changes', () => {
  const sound = madeUp(3)
  const entry = (writer: ByteWriter, id: string, head: number): void => {
    writer.replicaId(id)
    writer.varint(head)
    writer.varint(0)
  }
  const floors = [
    ...Array.from({ length: sound.length }, (_, end) => sound.subarray(0, end)),
    Uint8Array.of(...sound, 0),
    // More ids than there are bytes for; ids that do not ascend; a sequence number that no write has; ranges that touch.
    bytesOf((writer) => [1, 2 ** 40].forEach((number) => writer.varint(number))),
    ...[HASH, 'a'.repeat(16)].map((second) =>
      bytesOf((writer) => {
        for (const number of [1, 2]) writer.varint(number)
        for (const id of [HASH, second]) entry(writer, id, 1)
      }),
    ),
    bytesOf((writer) => {
      for (const number of [1, 1]) writer.varint(number)
      entry(writer, HASH, 2 ** 33)
    }),
    bytesOf((writer) => {
      for (const number of [1, 1]) writer.varint(number)
      writer.replicaId(HASH)
      for (const number of [1, 1, 1, 1]) writer.varint(number)
    }),
  ]
  for (const way of ['announce', 'vectors'] as const) {
    let { peers, all } = met()
    for (const [i, floor] of floors.entries()) {
      // After eight of them it would not be listened to.
      if (i % 7 === 6) ({ peers, all } = met())
      const before = all()
      const reported = peers.events('a', 'refused').length
      give(peers, way, floor)
      const refused = peers.events('a', 'refused').slice(reported)
      expect(refused.map(({ error }) => error.message).join(), `${way} ${i}`).not.toMatch(/^$|wallMs/)
      expect(refused.map(({ error }) => error.code)).toEqual(['MESSAGE_MALFORMED'])
      expect(all()).toEqual(before)
    }
  }
})

test('no peer believes a floor of made-up ids, which numbers no id, and drops nothing while its session is not complete', () => {
  for (const way of ['announce', 'vectors'] as const) {
    const { peers, all } = met()
    const before = all()
    peers.deliver = ({ from, to }) => from !== 'a' || to !== 'evil'
    give(peers, way, madeUp(20_000))
    peers.advance(2 * SESSION_IDLE_MS)
    expect(peers.events('a', 'refused')).toEqual([])
    expect(all()).toEqual(before)
  }
})

test('rows of the registry that no honest peer wrote are ignored', () => {
  const { peers } = met()
  const a = peers.peer('a')
  const parts = [{ ...USERS, vector: Uint8Array.of(9, 9) }]
  const rows: (readonly [string, unknown])[] = [
    ['member/x', 5],
    ['member/y', { since: -1 }],
    ['member/', null],
    ['floor/NaN', { parts: [] }],
    ['floor/1e99', { parts: [] }],
    ['floor/1', { parts }],
    ['floor/2', { parts: 'none' }],
    ['floor/3', new Uint8Array(1000)],
    ['ack/3/x', { version: 7 }],
    ['ack//', []],
    ['collection/1', {}],
    ['collection/99/users', {}],
    ['collection/-1/users', {}],
    ['collection/x/users', {}],
    ['collection/1/', {}],
    ['collection/1/\n', {}],
    ['no such thing', 1],
  ]
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  for (const [i, [key, value]] of rows.entries()) {
    const bytes = encodeValue(value, 10_000)
    const row = {
      key,
      hlc: hlcFromWall(peers.wallMs - DAY_MS),
      writer: ids.intern(HASH),
      sequence: i + 1,
      replaced: 0,
    }
    writer.row(GRID, { ...row, bytes, start: 0, end: bytes.length })
  }
  const bytes = encodeMessage({ type: 'frame', block: writer.take() })
  peers.give('a', { type: 'broadcast', from: 'evil', bytes })
  peers.advance(A_WHILE_MS)
  const { registry } = a.housekeeping
  expect(registry.members(peers.wallMs)).toEqual([])
  expect(registry.candidates()).toEqual([])
  expect(peers.events('a', 'mismatch')).toEqual([])
  peers.write('a', 'key 0', 'goes on')
  peers.advance(1000)
  expect(peers.value('evil', 'key 0')).toBe('goes on')
})

test('a made-up acknowledgement purges early at worst, and then the peer it spoke for does a full resync: no delete comes back', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.open('a', new TestDisk())
  peers.open('b', disk)
  peers.link('a', 'b')
  peers.write('a', 'deleted', 1)
  peers.write('a', 'kept', 1)
  peers.advance(A_WHILE_MS)
  const b = peers.peer('b')
  peers.cut('a', 'b')
  peers.write('b', 'unseen', 2)
  peers.write('a', 'deleted', undefined)
  for (let day = 0; day < GRACE_MS / DAY_MS + 3; day++) {
    peers.sleep(DAY_MS - A_WHILE_MS)
    peers.advance(A_WHILE_MS)
    const { registry, rows } = peers.peer('a').housekeeping
    for (const candidate of registry.candidates()) {
      const { day: proposed, version } = candidate
      if (!registry.acknowledgements(candidate).has(b.peerId)) rows.write(`ack/${proposed}/${b.peerId}`, { version })
    }
  }
  expect(partitionOf(peers.peer('a')).replica.table.tombstoneCount).toBe(0)
  peers.link('a', 'b')
  peers.advance(A_WHILE_MS)
  for (const name of ['a', 'b']) {
    expect(peers.value(name, 'deleted')).toBeUndefined()
    expect(peers.value(name, 'kept')).toBe(1)
    expect(peers.value(name, 'unseen')).toBe(2)
  }
  expect(stateOf(peers.peer('a'))).toEqual(stateOf(b))
})
