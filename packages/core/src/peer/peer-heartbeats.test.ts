import { describe, expect, test } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import {
  GONE_AFTER_MS,
  HEARTBEAT_MS,
  PRESENT_HEARTBEATS,
  RARE_HEARTBEAT_MS,
  STILL_MAX_MS,
  SUSPECT_AFTER_MS,
} from '../limits.ts'
import { rareHeartbeatMs } from '../members/membership.ts'
import { stateOf } from '../rig/peer-state.ts'
import { WiredPeers } from '../rig/wired-peers.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { MessageType } from '../wire/messages.ts'

/** The longest time to the next heartbeat: they are up to a fifth late. */
const BEAT_MAX_MS: number = 1.2 * HEARTBEAT_MS

/** Peers that read what is sent straight to them, each linked with each, once everything has been said. */
function mesh(...names: string[]): WiredPeers {
  const peers = new WiredPeers()
  for (const name of names) peers.open(name, undefined, { direct: true })
  for (const [i, name] of names.entries()) for (const other of names.slice(0, i)) peers.link(other, name)
  peers.advance(2 * BEAT_MAX_MS)
  peers.passed.length = 0
  return peers
}

/** How many messages of a type went on streams, and how many by gossip. */
function sent(peers: WiredPeers, type: MessageType, from?: string): { streams: number; gossip: number } {
  const all = peers.passed.filter((each) => each.message.type === type && each.from === (from ?? each.from))
  const gossip = all.filter(({ to }) => to === undefined).length
  return { streams: all.length - gossip, gossip }
}

describe('heartbeats while every member is a neighbour', () => {
  test('travel on streams, say only that nothing has changed, and are rarely sent by gossip', () => {
    const peers = mesh('a', 'b', 'c')
    const minutes = 10
    peers.advance(minutes * 60_000)
    const beats = (minutes * 60_000) / HEARTBEAT_MS
    const still = sent(peers, 'still', 'a').streams
    expect(still).toBeGreaterThan(beats * 0.85)
    expect(still).toBeLessThan(beats * 1.15)
    const announce = sent(peers, 'announce', 'a')
    expect(announce.streams).toBeLessThanOrEqual(2 * Math.ceil((minutes * 60_000) / STILL_MAX_MS))
    expect(announce.streams).toBeGreaterThan(0)
    expect(announce.gossip).toBeGreaterThanOrEqual((minutes * 60_000) / (RARE_HEARTBEAT_MS + BEAT_MAX_MS) - 1)
    expect(announce.gossip).toBeLessThanOrEqual((minutes * 60_000) / RARE_HEARTBEAT_MS)
    expect(encodeMessage({ type: 'still' }).length).toBeLessThan(16)
    expect(peers.effects('a', 'redial')).toEqual([])
    expect(peers.events('a', 'member').every(({ state }) => state === 'alive')).toBe(true)
  })

  test('keep a presence, and its peer is gone within three of them when they end', () => {
    const peers = mesh('a', 'b')
    peers.peer('a').signals.presence.set(encodeValue('here', 100))
    for (let i = 0; i < 40; i++) {
      peers.advance(1000)
      expect(peers.peer('b').signals.presence.get('a')).toEqual(encodeValue('here', 100))
    }
    expect(sent(peers, 'still', 'a').streams).toBeGreaterThan((40_000 / HEARTBEAT_MS) * 0.8)
    peers.deliver = ({ from }) => from !== 'a'
    peers.advance(PRESENT_HEARTBEATS * HEARTBEAT_MS)
    expect(peers.peer('b').signals.presence.get('a')).toBeUndefined()
    const stateOfA = (): string | undefined => peers.peer('b').membership.get('a')?.state
    peers.advance(SUSPECT_AFTER_MS - PRESENT_HEARTBEATS * HEARTBEAT_MS)
    expect(stateOfA()).toBe('suspect')
    peers.advance(GONE_AFTER_MS - SUSPECT_AFTER_MS)
    expect(stateOfA()).toBe('gone')
  })

  test('say what has changed to all neighbours, once', () => {
    const peers = mesh('a', 'b', 'c')
    peers.give('a', { type: 'addresses', addresses: ['/there'] })
    peers.run()
    expect(sent(peers, 'announce', 'a')).toEqual({ streams: 2, gossip: 0 })
    expect(peers.peer('c').membership.get('a')?.record.addresses).toEqual(['/there'])
    peers.advance(BEAT_MAX_MS)
    expect(sent(peers, 'announce', 'a').streams).toBe(2)
  })

  test('go on saying what a peer has seen to a neighbour that has not', () => {
    const peers = mesh('a', 'b', 'c')
    const { deliver } = peers
    peers.deliver = ({ message }, to) => to !== 'b' || (message.type !== 'frame' && message.type !== 'chunk')
    peers.write('a', 'k', 1)
    peers.advance(20_000)
    expect(
      peers.passed.filter(({ to, from }) => from === 'a' && to === 'b').map(({ message }) => message.type),
    ).toContain('announce')
    expect(peers.value('b', 'k')).toBeUndefined()
    peers.deliver = deliver
    peers.advance(2 * BEAT_MAX_MS + 30_000)
    expect(stateOf(peers.peer('b'))).toEqual(stateOf(peers.peer('a')))
  })

  test('a single lost frame is fetched after the next of them', () => {
    const peers = mesh('a', 'b')
    const { deliver } = peers
    peers.deliver = ({ message }) => message.type !== 'frame'
    peers.write('a', 'k', 1)
    peers.run()
    peers.deliver = deliver
    expect(peers.value('b', 'k')).toBeUndefined()
    peers.advance(BEAT_MAX_MS + 100)
    expect(peers.value('b', 'k')).toBe(1)
  })

  test('tell the time to a neighbour whose clock is in doubt', () => {
    const peers = mesh('a', 'b', 'c')
    peers.advance(10_000)
    peers.skewMs.set('a', 3_600_000)
    peers.advance(3000 + 3 * BEAT_MAX_MS)
    const { offsetMs } = peers.peer('a').time.gridClock
    expect(Math.abs(offsetMs + 3_600_000)).toBeLessThan(1000)
  })

  test('two peers that take each other for gone find each other through a third', () => {
    const peers = mesh('a', 'b', 'c')
    peers.cut('a', 'b')
    peers.deliver = ({ from }, to) => !((from === 'a' && to === 'b') || (from === 'b' && to === 'a'))
    peers.advance(GONE_AFTER_MS + BEAT_MAX_MS)
    for (const [name, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      expect(peers.peer(name).membership.get(other)?.state).toBe('gone')
    }
    peers.deliver = () => true
    peers.advance(rareHeartbeatMs(2) + BEAT_MAX_MS)
    expect(peers.peer('a').membership.get('b')?.state).toBe('alive')
    expect(peers.peer('b').membership.get('a')?.state).toBe('alive')
  })
})

describe('heartbeats by gossip', () => {
  test('are frequent while a member is no neighbour', () => {
    const peers = new WiredPeers()
    for (const name of ['a', 'b', 'c']) peers.open(name, undefined, { direct: true })
    peers.link('a', 'b')
    peers.link('b', 'c')
    peers.advance(10_000)
    peers.passed.length = 0
    peers.advance(60_000)
    expect(sent(peers, 'announce', 'a').gossip).toBeGreaterThan(20)
    expect(sent(peers, 'still', 'a').streams).toBe(0)
    // Its neighbours are all members, and so hear of it on streams.
    expect(sent(peers, 'announce', 'b').gossip).toBeLessThan(3)
    expect(peers.peer('a').membership.get('c')?.state).toBe('alive')
  })

  test('are frequent while a neighbour does not read them on its stream', () => {
    const peers = new WiredPeers()
    for (const name of ['a', 'b']) peers.open(name, undefined, { direct: true })
    peers.open('old')
    peers.link('a', 'b')
    peers.link('a', 'old')
    peers.link('b', 'old')
    peers.advance(10_000)
    peers.passed.length = 0
    peers.advance(60_000)
    for (const name of ['a', 'b', 'old']) expect(sent(peers, 'announce', name).gossip).toBeGreaterThan(20)
    expect(sent(peers, 'still')).toEqual({ streams: 0, gossip: 0 })
  })

  test('a neighbour is redialled when they do not come, sooner when nothing comes on its stream either', () => {
    const peers = mesh('a', 'b')
    peers.advance(RARE_HEARTBEAT_MS)
    peers.deliver = ({ to }) => to !== undefined
    peers.advance(2 * RARE_HEARTBEAT_MS - BEAT_MAX_MS)
    expect(peers.effects('a', 'redial')).toEqual([])
    peers.advance(RARE_HEARTBEAT_MS)
    expect(peers.effects('a', 'redial').length).toBeGreaterThan(0)
    const more = mesh('a', 'b')
    more.deliver = ({ from }) => from !== 'b'
    more.advance(6 * SUSPECT_AFTER_MS - 2 * BEAT_MAX_MS)
    expect(more.effects('a', 'redial')).toHaveLength(0)
    more.advance(30_000)
    expect(more.effects('a', 'redial')).toHaveLength(1)
  })
})

describe('what a neighbour may send', () => {
  test('a heartbeat that says nothing has changed is malformed anywhere but on a stream, and means nothing before another', () => {
    const peers = mesh('a', 'b')
    const bytes = encodeMessage({ type: 'still' })
    peers.give('a', { type: 'broadcast', from: 'b', bytes })
    peers.give('a', { type: 'direct', from: 'b', bytes })
    expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual([
      'MESSAGE_MALFORMED',
      'MESSAGE_MALFORMED',
    ])
    peers.give('a', { type: 'message', from: 'stranger', bytes })
    expect(peers.peer('a').membership.get('stranger')).toBeUndefined()
    expect(peers.peer('a').lag.rootOf('stranger')).toBeUndefined()
  })
})
