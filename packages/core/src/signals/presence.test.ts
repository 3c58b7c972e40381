import { expect, test } from 'vitest'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { HEARTBEAT_MS, PRESENCES_MAX, PRESENCE_GAP_MS, PRESENCE_MAX_BYTES, PRESENT_HEARTBEATS } from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

function say(peers: WiredPeers, name: string, state: unknown): void {
  const value = state === undefined ? undefined : encodeValue(state, PRESENCE_MAX_BYTES)
  peers.peer(name).signals.presence.set(value)
  peers.give(name, { type: 'tick' })
}

/** Who is there, as a peer sees it. */
function seen(peers: WiredPeers, name: string): Record<string, unknown> {
  const entries = [...peers.peer(name).signals.presence.entries()]
  return Object.fromEntries(entries.map(([peerId, value]) => [peerId, decodeValue(value)]))
}

function changes(peers: WiredPeers, name: string): [string, unknown][] {
  return peers.events(name, 'presence').map(({ peerId, value }) => [peerId, value && decodeValue(value)])
}

test('a state is seen by all, changes, and is taken back', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b', 'c')
  peers.advance(1000)
  say(peers, 'a', { cursor: 1 })
  say(peers, 'b', 'busy')
  peers.run()
  for (const name of ['a', 'b', 'c']) expect(seen(peers, name)).toEqual({ a: { cursor: 1 }, b: 'busy' })
  peers.advance(1000)
  say(peers, 'a', { cursor: 2 })
  peers.run()
  expect(seen(peers, 'c')).toEqual({ a: { cursor: 2 }, b: 'busy' })
  say(peers, 'b', undefined)
  peers.advance(PRESENCE_GAP_MS)
  expect(seen(peers, 'c')).toEqual({ a: { cursor: 2 } })
  expect(changes(peers, 'c')).toEqual([
    ['a', { cursor: 1 }],
    ['b', 'busy'],
    ['a', { cursor: 2 }],
    ['b', undefined],
  ])
  peers.advance(20_000)
  expect(changes(peers, 'c').length).toBe(4)
})

test('of many changes at once the last one is sent, and saying the same again is none', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  peers.advance(1000)
  for (let i = 0; i < 100; i++) say(peers, 'a', i)
  peers.advance(PRESENCE_GAP_MS)
  expect(peers.sent('presence').length).toBe(2)
  expect(changes(peers, 'b')).toEqual([
    ['a', 0],
    ['a', 99],
  ])
  say(peers, 'a', 99)
  peers.advance(PRESENCE_GAP_MS)
  expect(peers.sent('presence').length).toBe(2)
})

test('a newcomer learns a neighbour at once, and everybody else with their next heartbeat', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b', 'c')
  for (const name of ['a', 'b', 'c']) say(peers, name, `I am ${name}`)
  peers.advance(1000)
  peers.open('d')
  peers.link('c', 'd')
  peers.run()
  expect(seen(peers, 'd')).toMatchObject({ c: 'I am c' })
  peers.advance(1.2 * HEARTBEAT_MS)
  expect(seen(peers, 'd')).toEqual({ a: 'I am a', b: 'I am b', c: 'I am c' })
})

test('a change that was lost comes with the next heartbeat', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  say(peers, 'a', 1)
  peers.advance(1000)
  peers.deliver = ({ message }) => message.type !== 'presence'
  say(peers, 'a', 2)
  peers.run()
  expect(seen(peers, 'b')).toEqual({ a: 1 })
  peers.advance(1.2 * HEARTBEAT_MS)
  expect(seen(peers, 'b')).toEqual({ a: 2 })
  say(peers, 'a', undefined)
  peers.advance(1.2 * HEARTBEAT_MS)
  expect(seen(peers, 'b')).toEqual({})
})

test('a peer that dies is gone within three heartbeats, one that closes at once and for everybody', () => {
  const peers = new WiredPeers()
  for (const name of ['a', 'b', 'c', 'd']) peers.open(name)
  for (const name of ['a', 'c', 'd']) peers.link('b', name)
  for (const name of ['a', 'b', 'c']) say(peers, name, name)
  peers.advance(3000)
  expect(seen(peers, 'd')).toEqual({ a: 'a', b: 'b', c: 'c' })
  peers.perform('a', peers.peer('a').goodbye(false, peers.now))
  peers.run()
  expect(seen(peers, 'd')).toEqual({ b: 'b', c: 'c' })
  peers.crash('c')
  peers.advance(PRESENT_HEARTBEATS * HEARTBEAT_MS)
  expect(seen(peers, 'd')).toEqual({ b: 'b' })
  expect(seen(peers, 'b')).toEqual({ b: 'b' })
  expect(peers.peer('d').membership.get('c')?.state).toBe('alive')
})

test('a peer that was started again is seen with its new state, and a late word of its former life is not believed', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  say(peers, 'a', 'first life')
  peers.advance(3000)
  const heartbeat = encodeMessage(peers.sent('announce', 'a').at(-1)!)
  peers.perform('a', peers.peer('a').goodbye(false, peers.now))
  peers.run()
  peers.give('b', { type: 'broadcast', from: 'a', bytes: heartbeat })
  expect(seen(peers, 'b')).toEqual({})
  peers.crash('a')
  peers.advance(10)
  peers.open('a')
  say(peers, 'a', 'second life')
  peers.link('a', 'b')
  peers.run()
  expect(seen(peers, 'b')).toEqual({ a: 'second life' })
  peers.give('b', { type: 'broadcast', from: 'a', bytes: heartbeat })
  expect(seen(peers, 'b')).toEqual({ a: 'second life' })
})

test('peers that say nothing of themselves send nothing for it', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  say(peers, 'a', undefined)
  peers.advance(10_000)
  expect(peers.sent('presence')).toEqual([])
  expect([...peers.sent('announce'), ...peers.sent('hello')].filter((message) => 'presence' in message)).toEqual([])
})

test('a peer speaks only for itself', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b', 'c')
  say(peers, 'b', 'the real one')
  peers.advance(1000)
  const presence = { incarnation: 2 ** 45, revision: 9, value: encodeValue('an impostor', 100) }
  peers.give('a', { type: 'broadcast', from: 'x', bytes: encodeMessage({ type: 'presence', presence }) })
  const announce = { ...peers.sent('announce', 'b').at(-1)!, presence }
  peers.give('a', { type: 'broadcast', from: 'c', bytes: encodeMessage(announce) })
  peers.give('a', { type: 'message', from: 'c', bytes: encodeMessage({ type: 'presence', presence }) })
  expect(seen(peers, 'a')).toEqual({ b: 'the real one', x: 'an impostor' })
  expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual(Array(2).fill('MESSAGE_MALFORMED'))
  // Not even one that was given this peer's own name.
  peers.give('a', { type: 'broadcast', from: 'a', bytes: encodeMessage({ type: 'presence', presence }) })
  expect(seen(peers, 'a')['a']).toBeUndefined()
})

test('a flood of changes is bounded, a table that is full stays so, and neither is an offence', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  const flood = (from: string, revision: number): void => {
    const presence = { incarnation: 1, revision, value: encodeValue(revision, 100) }
    peers.give('a', { type: 'broadcast', from, bytes: encodeMessage({ type: 'presence', presence }) })
  }
  for (let i = 0; i < 500; i++) flood('x', i)
  expect(peers.events('a', 'presence').length).toBe(2000 / PRESENCE_GAP_MS)
  for (let i = 0; i < 2 * PRESENCES_MAX; i++) flood(`peer ${i}`, 1)
  expect(Object.keys(seen(peers, 'a')).length).toBe(PRESENCES_MAX)
  expect(a!.offences.total).toBe(0)
  peers.advance(PRESENT_HEARTBEATS * HEARTBEAT_MS)
  expect(seen(peers, 'a')).toEqual({})
  say(peers, 'b', 'there is room again')
  peers.run()
  expect(seen(peers, 'a')).toEqual({ b: 'there is room again' })
})

test('a presence that is too large or not plain is an offence and changes nothing', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  say(peers, 'b', 'sound')
  peers.advance(1000)
  for (const value of [encodeValue('x'.repeat(PRESENCE_MAX_BYTES), 1e6), Uint8Array.of(0xbf, 0xff)]) {
    const bytes = encodeMessage({ type: 'presence', presence: { incarnation: 2 ** 45, revision: 1, value } })
    peers.give('a', { type: 'broadcast', from: 'b', bytes })
  }
  expect(a!.offences.total).toBe(2)
  expect(seen(peers, 'a')).toEqual({ b: 'sound' })
})
