import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import { ByteWriter } from '../bytes/bytes.ts'
import { encodeValue } from '../bytes/cbor.ts'
import type { Row } from '../entries/entry-table.ts'
import { HLC_MAX, hlcFromWall } from '../clock/hlc.ts'
import { COLLECTIONS_MAX, KEY_MAX_BYTES, MESSAGE_MAX_BYTES, VALUE_MAX_BYTES } from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { Peer } from './peer.ts'
import { ADOPTED_REPLICA_ID, ReplicaIds } from '../versions/replica-ids.ts'
import { SEQUENCE_MAX } from '../limits.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const USERS = { collection: 'users', kind: 1, partition: 0 }
const ID = 'c'.repeat(16)

/** Two peers that have met, and everything of the first that a refused message must leave alone. */
function met(): { peers: WiredPeers; a: Peer; b: Peer; all: () => unknown } {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.write('a', 'k', 'first')
  peers.write('b', 'l', { nested: [1] })
  peers.advance(5000)
  const all = (): unknown => {
    const { collections, membership, replicaId, hlc, inbound, lag } = a!
    const members = membership.others.map(({ record, state }) => ({ record, state }))
    const names = [...collections].map(({ descriptor }) => descriptor.name)
    return structuredClone([
      stateOf(a!),
      names,
      collections.ids.count,
      membership.self,
      members,
      replicaId,
      hlc,
      inbound.quarantine.count,
      lag.totals().map(({ behind, ahead }) => [behind, ahead]),
    ])
  }
  return { peers, a: a!, b: b!, all }
}

type Rows = readonly Partial<Row>[]

function blockOf(peers: WiredPeers, rows: Rows, partition: typeof USERS = USERS, id = ID): Uint8Array {
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  const bytes = Uint8Array.of(1)
  for (const [i, row] of rows.entries()) {
    const whole = { key: 'k', hlc: hlcFromWall(peers.wallMs), sequence: i + 1, replaced: 0, bytes, start: 0, ...row }
    writer.row(partition, { ...whole, writer: ids.intern(id), end: whole.bytes?.length ?? 0 })
  }
  return writer.take()
}

function frame(peers: WiredPeers, ...rest: [rows: Rows, partition?: typeof USERS, id?: string]): Uint8Array {
  return encodeMessage({ type: 'frame', block: blockOf(peers, ...rest) })
}

/** Each refused as malformed, with nothing changed. */
function refused(frames: (peers: WiredPeers) => readonly Uint8Array[], code = 'MESSAGE_MALFORMED'): void {
  const { peers, all } = met()
  const before = all()
  for (const [i, bytes] of frames(peers).entries()) {
    peers.give('a', { type: 'broadcast', from: `hostile ${i}`, bytes })
    expect(peers.events('a', 'refused').length, `input ${i}`).toBe(i + 1)
    expect(peers.events('a', 'refused')[i]!.error.code, `input ${i}`).toBe(code)
  }
  expect(all()).toEqual(before)
}

test('a message cut off at any byte is refused', () => {
  refused((peers) => {
    const whole = frame(peers, [{ key: 'a key', bytes: encodeValue({ a: [1, 'text'] }, 100) }, { key: 'another' }])
    return Array.from({ length: whole.length }, (_, end) => whole.subarray(0, end)).filter((_, end) => {
      // Cut right behind the header, the block is empty, which is sound and says nothing.
      return end !== encodeMessage({ type: 'frame', block: new Uint8Array(0) }).length
    })
  })
})

test('bytes behind the end of a message are refused', () => {
  refused((peers) => {
    const trailing = (bytes: Uint8Array): Uint8Array => Uint8Array.of(...bytes, 0)
    return [trailing(frame(peers, [{}])), trailing(encodeMessage({ type: 'goodbye', left: true }))]
  })
})

test('a value that is not plain CBOR is refused: depth, bignums, tags, prototypes, repeated keys, bad text', () => {
  const text = (value: string): number[] => [0x60 + value.length, ...new TextEncoder().encode(value)]
  const values: readonly (readonly number[])[] = [
    [...Array.from({ length: 1000 }, () => 0x81), 0],
    [0xc2, 0x41, 1],
    [0xc2, 0x59, 0xff, 0xff, ...new Uint8Array(0xffff)],
    ...Array.from({ length: 24 }, (_, tag) => [0xc0 + tag, 0]).filter(([tag]) => tag !== 0xc1),
    [0xd8, 0x1c, 0x81, 0xd8, 0x1d, 0],
    [0xd9, 0xdf, 0xff, 0x80],
    [0xa1, ...text('__proto__'), 0],
    [0xa2, ...text('a'), 0, ...text('a'), 1],
    [0xa1, 1, 1],
    [0x62, 0xc3, 0x28],
    [0x63, 0xed, 0xa0, 0x80],
    [0x5f, 0x41, 1, 0xff],
    [0x9b, 0, 0, 0, 1, 0, 0, 0, 0],
    [0xba, 0xff, 0xff, 0xff, 0xff],
    [0x01, 0x01],
    [],
  ]
  refused((peers) => values.map((value) => frame(peers, [{ bytes: Uint8Array.from(value) }])))
})

test('keys and values above their limits are refused, and so is a message', () => {
  const value = new Uint8Array(VALUE_MAX_BYTES + 1)
  value.set([0x5a, 0, 0x10, 0, 0])
  refused((peers) => [
    frame(peers, [{ key: 'x'.repeat(1_000_000) }]),
    frame(peers, [{ key: 'x'.repeat(KEY_MAX_BYTES + 1) }]),
    frame(peers, [{ key: '' }]),
    frame(peers, [{ bytes: value }]),
  ])
  refused(() => [new Uint8Array(MESSAGE_MAX_BYTES + 1).fill(1)], 'MESSAGE_TOO_LARGE')
})

test('numbers that no write has are refused', () => {
  refused((peers) => {
    const crafted = (write: (writer: ByteWriter) => void): Uint8Array => {
      const writer = new ByteWriter()
      writer.byte(1)
      writer.text('users')
      writer.byte(1)
      writer.varint(0)
      writer.replicaId(ID)
      write(writer)
      return encodeMessage({ type: 'frame', block: writer.take() })
    }
    const row = (sequence: number, hlc: number, step = 0): Uint8Array =>
      crafted((writer) => {
        for (const number of [1, sequence, hlc, 0]) writer.varint(number)
        writer.signedVarint(step)
        writer.uint16(0)
        writer.text('k')
        writer.byte(0)
      })
    return [
      row(0, 5),
      row(SEQUENCE_MAX + 1, 5),
      row(Number.MAX_SAFE_INTEGER, 5),
      row(1, HLC_MAX, 1),
      row(1, 0, -1),
      crafted((writer) => writer.varint(0)),
      crafted((writer) => writer.varint(Number.MAX_SAFE_INTEGER)),
      crafted((writer) => writer.raw(new Uint8Array(9).fill(0xff))),
      frame(peers, [{ sequence: 5 }], { ...USERS, partition: 8192 }),
    ]
  })
})

test('rows that stand for what no peer has written are refused', () => {
  refused((peers) => [frame(peers, [{}], USERS, ADOPTED_REPLICA_ID)])
})

test('a collection whose name no peer can open is refused, any other name is only a name', () => {
  refused((peers) => {
    const names = ['', 'a\u0000b', 'line\nbreak', '\u001b[31m', 'x'.repeat(129)]
    return names.map((collection) => frame(peers, [{}], { ...USERS, collection }))
  })
  const { peers, a } = met()
  const names = [
    '../x',
    'CON',
    'con',
    'Users',
    '__proto__',
    'constructor',
    '<img src=x onerror=alert(1)>',
    'ü'.repeat(64),
  ]
  for (const collection of names) {
    const bytes = frame(peers, [{ key: '<script>' }, { key: '__proto__' }, { key: 'constructor' }, { key: '\u0000' }], {
      ...USERS,
      collection,
    })
    peers.give('a', { type: 'broadcast', from: 'b', bytes })
    expect(partitionOf(a, collection).replica.table.liveCount).toBe(4)
  }
  expect(partitionOf(a).replica.table.liveCount).toBe(2)
  expect(a.offences.total).toBe(0)
  expect(({} as Record<string, unknown>)['k']).toBeUndefined()
})

test('a write that is played again changes nothing', () => {
  const { peers, all } = met()
  const played = peers.passed.filter(({ to, message }) => to === undefined && message.type === 'frame')
  const before = all()
  for (const { from, message } of played) {
    peers.give('a', { type: 'broadcast', from: from === 'a' ? 'b' : from, bytes: encodeMessage(message) })
  }
  expect(played.length).toBeGreaterThan(0)
  expect(all()).toEqual(before)
})

test('a write played again into another collection is a write there, and takes nothing from the true one', () => {
  const { peers, a, b } = met()
  const { replica } = partitionOf(b)
  const row = replica.row(replica.table.slotOf('l')!)
  const bytes = row.bytes!.slice(row.start, row.end)
  const rows = [{ key: 'l', hlc: row.hlc, sequence: row.sequence, bytes }]
  peers.give('a', {
    type: 'broadcast',
    from: 'x',
    bytes: frame(peers, rows, { ...USERS, collection: 'copy' }, b.replicaId),
  })
  peers.write('b', 'm', 'in the copy', 'copy')
  peers.advance(20_000)
  expect(peers.value('a', 'l')).toEqual({ nested: [1] })
  expect(peers.value('a', 'm', 'copy')).toBe('in the copy')
  expect(stateOf(a)).toEqual(stateOf(b))
})

test('two writes under one dot, sent to two peers, end the same everywhere', () => {
  const peers = new WiredPeers()
  const all = peers.mesh('a', 'b', 'c')
  peers.advance(2000)
  const hlc = hlcFromWall(peers.wallMs)
  const tell = (to: string, row: Partial<Row>): void => {
    peers.give(to, { type: 'broadcast', from: 'two-faced', bytes: frame(peers, [{ hlc, ...row }]) })
  }
  tell('a', { key: 'same', bytes: Uint8Array.of(1) })
  tell('b', { key: 'same', bytes: Uint8Array.of(2) })
  tell('a', { key: 'one', sequence: 2 })
  tell('b', { key: 'other', sequence: 2 })
  peers.advance(200_000)
  expect(peers.value('c', 'same')).toBe(2)
  expect(peers.value('c', 'one')).toBe(1)
  expect(peers.value('c', 'other')).toBe(1)
  for (const peer of all) expect(stateOf(peer)).toEqual(stateOf(all[0]!))
})

test('thousands of rows under one dot are taken, and leave again in chunks that a message can hold', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  const bytes = encodeValue(new Uint8Array(10_000), 20_000)
  for (let turn = 0; turn < 10; turn++) {
    const rows = Array.from({ length: 100 }, (_, i) => ({ key: `${turn} ${i}`, sequence: 7, bytes }))
    peers.give('a', { type: 'broadcast', from: 'x', bytes: frame(peers, rows) })
  }
  expect(partitionOf(a).replica.table.liveCount).toBe(1000)
  const b = peers.open('b')
  peers.link('a', 'b')
  peers.advance(60_000)
  const sizes = peers.sent('chunk', 'a').map(({ block }) => block.length)
  expect(sizes.length).toBeGreaterThan(3)
  expect(Math.max(...sizes)).toBeLessThan(MESSAGE_MAX_BYTES / 2 + VALUE_MAX_BYTES)
  expect(partitionOf(b).replica.table.liveCount).toBe(1000)
  expect(stateOf(b)).toEqual(stateOf(a))
})

test('a write from the future waits or is refused, moves no clock, makes no collection, and costs nothing', () => {
  const { peers, a } = met()
  const hlc = a.hlc
  const future = (aheadMs: number, collection: string): Uint8Array =>
    frame(peers, [{ hlc: hlcFromWall(peers.wallMs + aheadMs), key: 'from tomorrow' }], { ...USERS, collection })
  for (let i = 0; i < 20; i++) {
    peers.give('a', { type: 'broadcast', from: 'b', bytes: future(700_000 + i * 1e7, `refused ${i}`) })
    peers.give('a', { type: 'broadcast', from: 'b', bytes: future(300_000 + i, `ahead ${i}`) })
  }
  expect([...a.collections].map(({ descriptor }) => descriptor.name)).toEqual(['users'])
  expect(a.hlc).toBe(hlc)
  expect(a.inbound.quarantine.count).toBe(20)
  expect(a.offences.total).toBe(0)
  expect(peers.effects('a', 'refuse')).toEqual([])
  expect(peers.events('a', 'refused').every(({ error }) => error.code === 'CLOCK_AHEAD')).toBe(true)
})

test('a writer whose clock jumps back, or whose counter is at its end, loses no write and delays no other peer', () => {
  const { peers, a, b } = met()
  const now = hlcFromWall(peers.wallMs)
  const rows = [
    { key: 'ends', hlc: now + 4095 },
    { key: 'back', hlc: 5 },
    { key: 'again', hlc: now + 4095 },
  ]
  peers.give('a', { type: 'broadcast', from: 'x', bytes: frame(peers, rows) })
  const { hlc } = peers.write('a', 'ends', 'mine')
  expect(hlc).toBeGreaterThan(now + 4095)
  peers.advance(60_000)
  expect(['ends', 'back', 'again'].map((key) => peers.value('b', key))).toEqual(['mine', 1, 1])
  expect(stateOf(a)).toEqual(stateOf(b))
})

test('a sequence number far ahead is one gap, and asks for what is missing ever less often', () => {
  const { peers, a } = met()
  for (let i = 0; i < 200; i++) {
    const bytes = frame(peers, [{ key: 'far', sequence: SEQUENCE_MAX - 400 + 2 * i }])
    peers.give('a', { type: 'broadcast', from: 'x', bytes })
    peers.advance(100)
  }
  const { replica } = partitionOf(a)
  expect(replica.vector.rangesAbove(a.collections.ids.indexOf(ID)!).length).toBeLessThanOrEqual(400)
  expect(peers.sent('digest', 'a').length).toBeLessThan(30)
  expect(peers.value('b', 'far')).toBe(1)
})

test('rows dated ahead, or of unknown kinds, are reported once for a message and not once for each', () => {
  const { peers, a } = met()
  const many = Array.from({ length: 2000 }, (_, i) => ({ key: `${i}`, hlc: hlcFromWall(peers.wallMs + 1e9) }))
  peers.give('a', { type: 'broadcast', from: 'b', bytes: frame(peers, many) })
  const messages = peers.events('a', 'refused').map(({ error }) => error.message)
  expect(messages).toEqual([expect.stringContaining('and 1999 more')])
  expect(a.inbound.refusedAhead).toBe(2000)
})

test('a peer that makes up collections fills their number and no more, and the rest goes on', () => {
  const { peers, a, b } = met()
  for (let turn = 0; turn < 5; turn++) {
    const ids = new ReplicaIds()
    const writer = new BlockWriter(ids)
    const hlc = hlcFromWall(peers.wallMs)
    const row = { key: 'k', hlc, writer: ids.intern(ID), sequence: 1, replaced: 0, bytes: undefined, start: 0, end: 0 }
    for (let i = 0; i < 1000; i++) writer.row({ ...USERS, collection: `made up ${turn} ${i}` }, row)
    const bytes = encodeMessage({ type: 'frame', block: writer.take() })
    for (const to of ['a', 'b']) peers.give(to, { type: 'broadcast', from: 'x', bytes })
  }
  expect(a.collections.size).toBe(COLLECTIONS_MAX)
  expect(peers.events('a', 'refused').at(-1)!.error.code).toBe('COLLECTION_LIMIT')
  expect(() => partitionOf(a, 'mine')).toThrow(expect.objectContaining({ code: 'COLLECTION_LIMIT' }))
  peers.write('a', 'k', 'still written')
  peers.advance(30_000)
  expect(peers.value('b', 'k')).toBe('still written')
  expect(a.collections.root()).toBe(b.collections.root())
})

test('what was refused leaves no replica id behind, and one peer can bring only so many', () => {
  const { peers, a } = met()
  const before = a.collections.ids.count
  const bringing = (turn: number): Uint8Array => {
    const ids = new ReplicaIds()
    const writer = new BlockWriter(ids)
    const row = { key: 'k', hlc: 5, sequence: 1, replaced: 0, bytes: undefined, start: 0, end: 0 }
    for (let i = 0; i < 50_000; i++) {
      writer.row(USERS, { ...row, writer: ids.intern(`${turn}`.padEnd(8, 'f') + `${i}`.padStart(8, '0')) })
    }
    return encodeMessage({ type: 'frame', block: writer.take() })
  }
  peers.give('a', { type: 'broadcast', from: 'x', bytes: bringing(0).subarray(0, -1) })
  expect(a.collections.ids.count).toBe(before)
  for (let turn = 0; turn < 7; turn++) peers.give('a', { type: 'broadcast', from: 'x', bytes: bringing(turn) })
  expect(a.collections.ids.count - before).toBe(250_000)
  expect(peers.events('a', 'refused').at(-1)!.error.code).toBe('REPLICA_ID_REFUSED')
  // A peer that forwards what others made up is no offender.
  expect(a.offences.total).toBe(1)
})

test('superseded dots in a broadcast are ignored', () => {
  const { peers, a, b } = met()
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  writer.superseded(USERS, ids.intern(b.replicaId), [1, 1000])
  const before = stateOf(a)
  peers.give('a', { type: 'broadcast', from: 'x', bytes: encodeMessage({ type: 'frame', block: writer.take() }) })
  expect(stateOf(a)).toEqual(before)
  peers.write('b', 'after', 'all')
  peers.advance(1000)
  expect(peers.value('a', 'after')).toBe('all')
})

test('a restored backup takes a new replica id at the first sight of its old writes, and keeps all', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.open('a', disk)
  peers.open('b', new TestDisk())
  peers.link('a', 'b')
  peers.write('a', 'before', 1)
  peers.advance(2000)
  const backup = disk.copy()
  peers.write('a', 'after', 2)
  peers.advance(2000)
  peers.crash('a')
  const restored = peers.open('a', backup)
  peers.write('a', 'restored', 3)
  const old = restored.replicaId
  peers.link('a', 'b')
  peers.advance(60_000)
  expect(restored.replicaId).not.toBe(old)
  for (const name of ['a', 'b']) {
    expect(['before', 'after', 'restored'].map((key) => peers.value(name, key))).toEqual([1, 2, 3])
  }
})
