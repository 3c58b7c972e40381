import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import { GridError } from '../errors.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { OFFENCES_MAX, OFFENCE_FORGIVEN_MS, OFFENDERS_MAX, REFUSALS_FORGIVEN_MS, REFUSED_MS } from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import { Offences } from '../members/offences.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { SeededRandom, mutated } from '../bytes/seeded-random.ts'
import { stateOf } from '../rig/peer-state.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

/** A block of which the first record is sound and the last one is not. */
function halfSound(peers: WiredPeers): Uint8Array {
  const ids = new ReplicaIds()
  const writer = ids.intern('c'.repeat(16))
  const block = new BlockWriter(ids)
  const row = { key: 'k', hlc: hlcFromWall(peers.wallMs), writer, sequence: 1, replaced: 0 }
  block.row({ collection: 'users', kind: 1, partition: 0 }, { ...row, bytes: Uint8Array.of(1), start: 0, end: 1 })
  block.row({ collection: 'users', kind: 1, partition: 0 }, { ...row, bytes: Uint8Array.of(0xff), start: 0, end: 1 })
  return block.take()
}

test('malformed input is counted and reported, and changes nothing', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  peers.write('a', 'k', 1)
  peers.advance(1000)
  const before = [stateOf(a!), a!.hlc]
  const block = halfSound(peers)
  const inputs = [
    new Uint8Array(0),
    Uint8Array.of(1, 2, 3),
    encodeMessage({ type: 'frame', block }),
    encodeMessage({ type: 'chunk', session: 1, index: 0, last: true, block: new Uint8Array(0) }).fill(0xff, 3),
  ]
  for (const bytes of inputs) peers.give('a', { type: 'broadcast', from: 'b', bytes })
  expect(peers.events('a', 'refused').map(({ error, from }) => [error.code, from])).toEqual(
    inputs.map(() => ['MESSAGE_MALFORMED', 'b']),
  )
  expect(a!.offences.total).toBe(inputs.length)
  expect([stateOf(a!), a!.hlc]).toEqual(before)
})

test('messages on the wrong way are malformed', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  peers.advance(100)
  const { self } = a!.membership
  const announce = { type: 'announce', root: '0'.repeat(16), bulk: false, parts: undefined } as const
  const goodbye = encodeMessage({ type: 'goodbye', left: true })
  peers.give('a', { type: 'message', from: 'b', bytes: encodeMessage({ type: 'frame', block: new Uint8Array(0) }) })
  peers.give('a', { type: 'message', from: 'b', bytes: encodeMessage({ ...announce, member: self }) })
  peers.give('a', { type: 'broadcast', from: 'b', bytes: goodbye })
  peers.give('a', { type: 'broadcast', from: 'b', bytes: encodeMessage({ ...announce, member: self }) })
  expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual(Array(4).fill('MESSAGE_MALFORMED'))
  expect(a!.membership.get('b')?.state).toBe('alive')
})

test('eight malformed messages within a minute cut the sender off', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  for (let i = 0; i < OFFENCES_MAX - 1; i++) peers.give('a', { type: 'message', from: 'b', bytes: Uint8Array.of(1) })
  expect(peers.effects('a', 'refuse')).toEqual([])
  peers.give('a', { type: 'message', from: 'b', bytes: Uint8Array.of(1) })
  expect(peers.effects('a', 'refuse')).toMatchObject([{ neighbour: 'b', refusedMs: REFUSED_MS }])
})

test('a message of another version costs nothing', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  for (let i = 0; i < 20; i++) peers.give('a', { type: 'message', from: 'b', bytes: Uint8Array.of(3, 0) })
  expect(peers.events('a', 'refused').every(({ error }) => error.code === 'MESSAGE_VERSION')).toBe(true)
  expect(peers.effects('a', 'refuse')).toEqual([])
  expect(a!.offences.total).toBe(0)
})

test('offences are forgiven after a minute, counted per peer, and bounded', () => {
  const offences = new Offences()
  const error = new GridError('MESSAGE_MALFORMED', 'a test')
  const at = (monotonicMs: number): { wallMs: number; monotonicMs: number } => ({ wallMs: 0, monotonicMs })
  for (let i = 0; i < 50; i++) expect(offences.note('slow', error, at(i * OFFENCE_FORGIVEN_MS))).toBe(0)
  for (let i = 1; i < 3 * OFFENCES_MAX; i++)
    expect(offences.note('fast', error, at(i)) > 0).toBe(i % OFFENCES_MAX === 0)
  for (let i = 1; i < OFFENCES_MAX; i++) offences.note('early', error, at(1))
  for (let i = 0; i < 5000; i++) expect(offences.note(`sybil ${i}`, error, at(2))).toBe(0)
  expect(offences.note('early', error, at(3))).toBe(0)
  expect(offences.latest(10_000).length).toBe(OFFENDERS_MAX)
})

test('who offends again after having been refused is refused for twice as long, up to an hour', () => {
  const offences = new Offences()
  const error = new GridError('MESSAGE_TOO_LARGE', 'a test')
  const now = { wallMs: 0, monotonicMs: 1000 }
  const spans: number[] = []
  const offend = (): void => {
    for (let i = 0; i < OFFENCES_MAX; i++) {
      const refusedMs = offences.note('b', error, now)
      if (refusedMs > 0) spans.push(refusedMs)
    }
    expect(offences.refuses('b', now)).toBe(true)
    now.monotonicMs += spans.at(-1)!
    expect(offences.refuses('b', now)).toBe(false)
  }
  for (let i = 0; i < 9; i++) offend()
  expect(spans.map((span) => span / REFUSED_MS)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
  now.monotonicMs += REFUSALS_FORGIVEN_MS + 1
  offend()
  expect(spans.at(-1)).toBe(REFUSED_MS)
  expect(offences.latest(1)).toEqual([
    {
      peerId: 'b',
      offences: 10 * OFFENCES_MAX,
      lastCode: 'MESSAGE_TOO_LARGE',
      lastReason: 'a test',
      refusedUntilMs: now.monotonicMs,
    },
  ])
})

test('thousands of mutated messages of a whole session neither break a peer nor change it', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  for (let i = 0; i < 20; i++) peers.write(i % 2 === 0 ? 'a' : 'b', `key ${i}`, { i })
  peers.advance(10_000)
  const before = JSON.stringify(Object.keys(stateOf(a!) as object))
  const types = new Set(peers.passed.map(({ message }) => message.type))
  expect(types.size).toBeGreaterThan(5)
  const random = new SeededRandom(33)
  const samples = [...types].map((type) => {
    const { message, to } = peers.passed.find((passed) => passed.message.type === type)!
    return { bytes: encodeMessage(message), broadcast: to === undefined }
  })
  peers.open('victim')
  for (let i = 0; i < 4000; i++) {
    const { bytes, broadcast } = samples[i % samples.length]!
    peers.give('victim', { type: broadcast ? 'broadcast' : 'message', from: `b${i}`, bytes: mutated(bytes, random) })
  }
  for (const { error } of peers.events('victim', 'refused')) expect(error).toBeInstanceOf(GridError)
  expect(peers.peer('victim').antiEntropy.sessionCount).toBeLessThanOrEqual(64)
  expect(JSON.stringify(Object.keys(stateOf(a!) as object))).toBe(before)
})

test('a peer that broke the protocol below core is refused at once, each time for twice as long', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  for (const refusedMs of [REFUSED_MS, 2 * REFUSED_MS]) {
    peers.give('a', { type: 'hostile', neighbour: 'b', reason: 'it does not know the secret of the grid' })
    expect(peers.effects('a', 'refuse').at(-1)).toMatchObject({ neighbour: 'b', refusedMs })
    expect(a!.offences.latest(1)).toMatchObject([{ peerId: 'b', lastCode: 'NETWORK_HOSTILE' }])
  }
})
