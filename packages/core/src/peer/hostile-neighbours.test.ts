import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import {
  ANNOUNCE_VECTORS_MAX_BYTES,
  DIALS_MAX,
  DIAL_ADDRESSES_MAX,
  DIAL_GAP_MS,
  INCARNATION_MAX,
  MEMBERS_MAX,
  OFFENCES_MAX,
  REFUSED_MS,
  SESSIONS_EACH_MAX,
  SESSIONS_MAX,
} from '../limits.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { Message, PartDigest } from '../wire/messages.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { SEQUENCE_MAX } from '../limits.ts'
import { encodeVector } from '../versions/vector-codec.ts'
import { VersionVector } from '../versions/version-vector.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const ROOT = '1'.repeat(16)

function member(peerId: string, changes: Partial<MemberRecord> = {}): MemberRecord {
  const numbers = { incarnation: 1, revision: 0, weight: 0 }
  const texts = { zone: '', software: 'x', replicaId: '0'.repeat(16) }
  return { peerId, ...numbers, ...texts, role: 'light', addresses: [], left: false, ...changes }
}

/** A vectors' part that claims so many writes of each replica id. */
function claiming(ids: readonly string[], writes: number, collection = 'users'): PartDigest {
  const numbers = new ReplicaIds()
  const vector = new VersionVector()
  for (const id of ids) vector.addRange(numbers.intern(id), 1, writes)
  return { collection, kind: 1, partition: 0, fingerprint: ROOT, vector: encodeVector(vector, numbers) }
}

function send(peers: WiredPeers, to: string, from: string, message: Message): void {
  const type = message.type === 'frame' || message.type === 'announce' ? 'broadcast' : 'message'
  peers.give(to, { type, from, bytes: encodeMessage(message) })
}

function announce(from: string, parts: readonly PartDigest[], record: Partial<MemberRecord> = {}): Message {
  return { type: 'announce', member: member(from, record), root: ROOT, bulk: false, parts }
}

function pair(): { peers: WiredPeers } {
  const peers = new WiredPeers()
  peers.open('a', new TestDisk())
  peers.open('b', new TestDisk())
  peers.link('a', 'b')
  peers.write('a', 'k', 1)
  peers.advance(5000)
  return { peers }
}

test('an acknowledgement that is not due is refused, and opens no window', () => {
  const { peers } = pair()
  for (let i = 0; i < 60; i++) peers.write('a', `large ${i}`, new Uint8Array(60_000))
  peers.advance(1000)
  send(peers, 'a', 'x', { type: 'digest', session: 1, root: ROOT })
  send(peers, 'a', 'x', { type: 'vectors', session: 1, ask: false, parts: [] })
  peers.run()
  const sent = (): number => peers.passed.filter(({ to, message }) => to === 'x' && message.type === 'chunk').length
  const before = sent()
  for (const index of [3, 7, Number.MAX_SAFE_INTEGER]) send(peers, 'a', 'x', { type: 'chunk-ack', session: 1, index })
  peers.run()
  expect(sent()).toBe(before)
  send(peers, 'a', 'x', { type: 'chunk-ack', session: 1, index: 0 })
  peers.run()
  expect(sent()).toBe(before + 1)
  expect(peers.peer('a').offences.total).toBe(3)
})

test('an unrequested confirmation does not count', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  const { replicaId } = a
  peers.deliver = ({ message }) => message.type !== 'confirm'
  const request = a.confirmations.request({ collection: 'users', partition: 0, replicaId, sequence: 1 }, 2)
  for (let number = 0; number < 50; number++) send(peers, 'a', 'x', { type: 'confirmed', request: number })
  send(peers, 'a', 'x', { type: 'confirmed', request })
  peers.advance(100)
  expect(peers.events('a', 'copies')).toEqual([])
  send(peers, 'a', 'b', { type: 'confirmed', request })
  expect(peers.events('a', 'copies')).toMatchObject([{ request, copies: 2 }])
})

test('a neighbour can hold only its share of the sessions, and start only so many a second', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  for (let session = 0; session < 500; session++) send(peers, 'a', 'x', { type: 'digest', session, root: ROOT })
  expect(a.antiEntropy.sessionCount).toBe(SESSIONS_EACH_MAX)
  // One that begins and gives up, over and over, makes this peer say what it holds again and again.
  for (let session = 0; session < 500; session++) {
    send(peers, 'a', 'y', { type: 'digest', session, root: ROOT })
    send(peers, 'a', 'y', { type: 'stop', session, reason: '' })
  }
  const answers = peers.passed.filter(({ to, message }) => to === 'y' && message.type === 'vectors').length
  expect(answers).toBeLessThanOrEqual(SESSIONS_MAX)
  peers.write('b', 'meanwhile', 1)
  peers.advance(20_000)
  expect(peers.value('a', 'meanwhile')).toBe(1)
  expect(a.antiEntropy.sessionCount).toBe(0)
})

test('sessions that are begun and never ended are given up', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  for (const from of ['x', 'y', 'z']) {
    send(peers, 'a', from, { type: 'digest', session: 1, root: ROOT })
    send(peers, 'a', from, { type: 'digest', session: 2, root: ROOT })
    send(peers, 'a', from, { type: 'vectors', session: 1, ask: true, parts: [] })
  }
  expect(a.antiEntropy.sessionCount).toBeGreaterThan(0)
  peers.advance(40_000)
  expect(a.antiEntropy.sessionCount).toBe(0)
  expect(a.offences.total).toBe(0)
})

test('vain claims slow down the requests to the claimer, and to no other peer', () => {
  const { peers } = pair()
  peers.open('x')
  peers.link('a', 'x')
  peers.advance(3000)
  for (let i = 0; i < 100; i++) {
    send(peers, 'a', 'x', announce('x', [claiming(['9'.repeat(16)], 1000 + i)]))
    peers.advance(500)
  }
  const vain = peers.passed.filter(({ from, to, message }) => from === 'a' && to === 'x' && message.type === 'digest')
  expect(vain.length).toBeGreaterThan(3)
  expect(vain.length).toBeLessThan(20)
  expect(peers.peer('a').offences.total).toBe(0)
  peers.deliver = ({ message, from }) => message.type !== 'frame' || from !== 'b'
  peers.write('b', 'lost', 1)
  peers.advance(50)
  peers.deliver = () => true
  peers.write('b', 'shows the gap', 1)
  peers.advance(1000)
  expect(peers.value('a', 'lost')).toBe(1)
})

test('members that are made up are dialled only so many at a time, at so many addresses', () => {
  const { peers } = pair()
  const addresses = Array.from({ length: 16 }, (_, i) => `/ip4/203.0.113.${i}/tcp/80`)
  const start = peers.monotonicMs
  for (let turn = 0; turn < 20; turn++) {
    const members = Array.from({ length: 500 }, (_, i) => member(`made up ${i}`, { addresses, revision: turn }))
    send(peers, 'a', 'b', { type: 'hello', members })
    peers.advance(1000)
  }
  const rounds = Math.ceil((peers.monotonicMs - start) / DIAL_GAP_MS) + 1
  const dials = peers.effects('a', 'dial')
  expect(dials.length).toBeLessThanOrEqual(rounds * DIALS_MAX)
  expect(dials.every((dial) => dial.addresses.length <= DIAL_ADDRESSES_MAX)).toBe(true)
})

test('all members have their turn at being dialled, however many are made up', () => {
  const { peers } = pair()
  const members = Array.from({ length: 300 }, (_, i) => member(`made up ${i}`, { addresses: ['/somewhere'] }))
  send(peers, 'a', 'b', { type: 'hello', members })
  send(peers, 'a', 'b', { type: 'hello', members: [member('true', { addresses: ['/true'] })] })
  peers.advance(12 * DIAL_GAP_MS)
  expect(peers.effects('a', 'dial').map(({ peerId }) => peerId)).toContain('true')
})

test('a table full of members that are only talked of has room for one that speaks for itself', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  for (let turn = 0; turn < 3; turn++) {
    const members = Array.from({ length: 1000 }, (_, i) => member(`sybil ${turn} ${i}`))
    send(peers, 'a', 'b', { type: 'hello', members })
  }
  expect(a.membership.size).toBe(MEMBERS_MAX)
  send(peers, 'a', 'c', announce('c', []))
  expect(a.membership.get('c')?.state).toBe('alive')
  expect(a.membership.size).toBe(MEMBERS_MAX)
  // Heartbeats do not slow down for those who send none: 1,000 members would make it one in 100 s.
  const before = peers.sent('announce', 'a').length
  peers.advance(10_000)
  expect(peers.sent('announce', 'a').length - before).toBeGreaterThanOrEqual(4)
})

test('what others say of a member does not count while its own word is to be had', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  const forged = { incarnation: INCARNATION_MAX - 1, revision: 9, addresses: ['/victim'], left: true }
  send(peers, 'a', 'x', { type: 'hello', members: [member('b', forged)] })
  expect(a.membership.get('b')).toMatchObject({ state: 'alive', record: { addresses: [], left: false } })
  // Heard of first from a liar: the member's own word corrects it, whatever its number.
  send(peers, 'a', 'x', { type: 'hello', members: [member('c', { ...forged, left: false })] })
  send(peers, 'a', 'c', { type: 'hello', members: [member('c', { addresses: ['/true'] })] })
  expect(a.membership.get('c')).toMatchObject({ state: 'alive', record: { addresses: ['/true'], incarnation: 1 } })
})

test('records with numbers that no clock shows are refused whole', () => {
  const { peers } = pair()
  const before = peers.peer('a').membership.size
  for (const incarnation of [INCARNATION_MAX + 1, Number.MAX_SAFE_INTEGER]) {
    send(peers, 'a', 'x', { type: 'hello', members: [member('y'), member('z', { incarnation })] })
  }
  for (const weight of [Number.NaN, Infinity, -1])
    send(peers, 'a', 'x', { type: 'hello', members: [member('z', { weight })] })
  expect(peers.peer('a').offences.total).toBe(5)
  expect(peers.peer('a').membership.size).toBe(before)
})

test('two processes with one identity supersede each other ever less often, and it is reported', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  const { incarnation } = a.membership.self
  for (let i = 0; i < 600; i++) {
    const twin = { ...a.membership.self, incarnation: a.membership.self.incarnation + 1, replicaId: '2'.repeat(16) }
    send(peers, 'a', 'x', { type: 'hello', members: [twin] })
    peers.advance(100)
  }
  expect((a.membership.self.incarnation - incarnation) / 2).toBeLessThan(8)
  expect(peers.events('a', 'identity-in-use').length).toBe(1)
})

test('a goodbye is only the word of who says it', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  send(peers, 'a', 'x', { type: 'goodbye', left: true })
  expect(a.membership.get('b')?.state).toBe('alive')
  expect(a.membership.get('x')).toBeUndefined()
})

test('heartbeats of thirty thousand peers leave bounded traces', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  const ids = a.collections.ids.count
  for (let i = 0; i < 30_000; i++) {
    const from = `peer ${i}`
    if (i % 20 === 0) send(peers, 'a', from, announce(from, [claiming([`${i}`.padStart(16, '0')], 5)]))
    else peers.give('a', { type: 'broadcast', from, bytes: Uint8Array.of(1) })
  }
  expect(a.membership.size).toBe(MEMBERS_MAX)
  const members = new Set(a.membership.others.map(({ record }) => record.peerId))
  expect(a.lag.totals().every(({ peerId }) => members.has(peerId))).toBe(true)
  expect(a.offences.latest(1e6).length).toBeLessThanOrEqual(1000)
  expect(a.collections.ids.count).toBe(ids)
  expect(a.offences.total).toBe(28_500)
})

test('vectors that are too large for a heartbeat, or malformed, are refused with nothing of it learnt', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  const many = Array.from({ length: ANNOUNCE_VECTORS_MAX_BYTES / 10 }, (_, i) => `${i}`.padStart(16, '0'))
  const cut = { ...claiming(['9'.repeat(16)], 5), vector: Uint8Array.of(1) }
  for (const parts of [[claiming(many, 5)], [cut]]) send(peers, 'a', 'x', announce('x', parts))
  expect(a.offences.total).toBe(2)
  expect(a.membership.get('x')).toBeUndefined()
  expect(a.lag.totals().map(({ peerId }) => peerId)).toEqual(['b'])
})

test('a claim to writes of the own replica id costs the id once, and after that only from time to time', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  for (let i = 0; i < 50; i++) peers.write('a', `own ${i}`, i)
  const first = a.replicaId
  for (let i = 0; i < 300; i++) {
    send(peers, 'a', 'x', announce('x', [claiming([a.replicaId], SEQUENCE_MAX)]))
    peers.advance(100)
  }
  expect(a.replicaId).not.toBe(first)
  expect(peers.events('a', 'replica-id').length).toBeLessThan(6)
  peers.write('a', 'after', 1)
  peers.advance(60_000)
  expect(peers.value('b', 'own 7')).toBe(7)
  expect(peers.value('b', 'after')).toBe(1)
  expect(stateOf(peers.peer('a'))).toEqual(stateOf(peers.peer('b')))
})

test('messages of an offender are ignored while it is cut off, also when others forward them, and it is forgiven afterwards', () => {
  const { peers } = pair()
  const a = peers.peer('a')
  for (let i = 0; i < OFFENCES_MAX + 50; i++) send(peers, 'a', 'x', { type: 'frame', block: Uint8Array.of(9) })
  expect(a.offences.total).toBe(OFFENCES_MAX)
  expect(peers.effects('a', 'refuse')).toMatchObject([{ neighbour: 'x', refusedMs: REFUSED_MS }])
  expect(a.offences.latest(64)).toMatchObject([
    {
      peerId: 'x',
      offences: OFFENCES_MAX,
      lastCode: 'MESSAGE_MALFORMED',
      lastReason: 'malformed block: unknown record 9',
    },
  ])
  send(peers, 'a', 'x', announce('x', []))
  expect(a.membership.get('x')).toBeUndefined()
  peers.advance(REFUSED_MS)
  send(peers, 'a', 'x', announce('x', []))
  expect(a.membership.get('x')?.state).toBe('alive')
})

test('another version and a wrong clock cost nothing, however often', () => {
  const { peers } = pair()
  const bytes = encodeMessage({ type: 'goodbye', left: false })
  bytes[0] = 3
  for (let i = 0; i < 100; i++) peers.give('a', { type: 'message', from: 'x', bytes })
  expect(peers.events('a', 'refused').every(({ error }) => error.code === 'MESSAGE_VERSION')).toBe(true)
  expect(peers.peer('a').offences.total).toBe(0)
  expect(peers.peer('a').offences.latest(64)).toEqual([])
})

test('requests for thousands of collections keep no other peer waiting', () => {
  const { peers } = pair()
  for (let i = 0; i < 12_000; i++) {
    const dot = { collection: `made up ${i}`, partition: 0, replicaId: '9'.repeat(16), sequence: 1 }
    send(peers, 'a', 'x', { type: 'confirm', request: i, ...dot })
  }
  const { replicaId } = peers.peer('b')
  peers.write('b', 'asked', 1)
  peers.peer('b').confirmations.request({ collection: 'users', partition: 0, replicaId, sequence: 1 }, 2)
  peers.advance(5000)
  expect(peers.events('b', 'copies')).toMatchObject([{ copies: 2 }])
})

test('dots that a session falsely calls superseded heal when the two peers that differ meet', () => {
  const peers = new WiredPeers()
  const [a, b] = [peers.open('a', new TestDisk()), peers.open('b', new TestDisk())]
  for (let i = 0; i < 10; i++) peers.write('b', `key ${i}`, i)
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  writer.superseded({ collection: 'users', kind: 1, partition: 0 }, ids.intern(b.replicaId), [1, 10])
  send(peers, 'a', 'x', { type: 'digest', session: 1, root: ROOT })
  send(peers, 'a', 'x', { type: 'chunk', session: 1, index: 0, last: true, block: writer.take() })
  expect(partitionOf(a).replica.vector.head(a.collections.ids.indexOf(b.replicaId)!)).toBe(10)
  peers.link('a', 'b')
  peers.advance(60_000)
  expect(peers.value('a', 'key 7')).toBe(7)
  expect(stateOf(a)).toEqual(stateOf(b))
})
