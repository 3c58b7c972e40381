import { describe, expect, test } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import {
  BROADCAST_BACKLOG_MAX_BYTES,
  DIRECT_NEIGHBOURS_MAX,
  FRAME_WRITES_MAX,
  MISSED_ANNOUNCE_GAP_MS,
} from '../limits.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { WiredPeers } from '../rig/wired-peers.ts'
import type { Passed } from '../rig/wired-peers.ts'
import type { MessageType } from '../wire/messages.ts'
import { encodeMessage } from '../wire/messages.ts'

/** Peers that read direct frames, each linked with each, which have said hello and nothing else since. */
function mesh(...names: string[]): WiredPeers {
  const peers = new WiredPeers()
  for (const name of names) peers.open(name, undefined, { direct: true })
  linkAll(peers, names)
  return peers
}

function linkAll(peers: WiredPeers, names: readonly string[]): void {
  for (const [i, name] of names.entries()) for (const other of names.slice(0, i)) peers.link(other, name)
  peers.advance(5000)
  peers.passed.length = 0
}

/** To whom messages of a type went; undefined stands for gossip. */
function ways(peers: WiredPeers, type: MessageType): Passed['to'][] {
  return peers.passed.filter(({ message }) => message.type === type).map(({ to }) => to)
}

describe('the way of frames', () => {
  test('frames go straight to all neighbours while every member is one', () => {
    const peers = mesh('a', 'b', 'c')
    peers.write('a', 'k', 1)
    peers.advance(5000)
    expect(ways(peers, 'frame')).toEqual(['b', 'c'])
    for (const name of ['b', 'c']) expect(stateOf(peers.peer(name))).toEqual(stateOf(peers.peer('a')))
  })

  test('presence and messages of topics go the same way', () => {
    const peers = mesh('a', 'b')
    peers.peer('a').signals.presence.set(encodeValue('here', 100))
    peers.peer('a').signals.topics.publish({ topic: 't', value: encodeValue(7, 100) })
    peers.advance(1)
    expect(ways(peers, 'presence')).toEqual(['b'])
    expect(ways(peers, 'publish')).toEqual(['b'])
    expect(peers.peer('b').signals.presence.get('a')).toEqual(encodeValue('here', 100))
    expect(peers.events('b', 'topic-messages')).toHaveLength(1)
  })

  test('one neighbour that does not read them sends all frames to gossip', () => {
    const peers = new WiredPeers()
    for (const name of ['a', 'b']) peers.open(name, undefined, { direct: true })
    peers.open('old')
    linkAll(peers, ['a', 'b', 'old'])
    for (const name of ['a', 'b', 'old']) peers.write(name, name, 1)
    peers.advance(100)
    expect(ways(peers, 'frame')).toEqual([undefined, undefined, undefined])
  })

  test('a member that is no neighbour does too, and gets the frames by way of others', () => {
    const peers = new WiredPeers()
    for (const name of ['a', 'b', 'c']) peers.open(name, undefined, { direct: true })
    peers.link('a', 'b')
    peers.link('b', 'c')
    peers.advance(5000)
    peers.passed.length = 0
    peers.write('a', 'k', 1)
    peers.write('b', 'l', 2)
    peers.advance(1)
    expect(ways(peers, 'frame')).toEqual([undefined, 'a', 'c'])
    expect(peers.value('c', 'k')).toBe(1)
    expect(peers.value('a', 'l')).toBe(2)
  })

  test('a member that is gone does not; one that comes back by another way does again', () => {
    const peers = mesh('a', 'b', 'c')
    peers.cut('a', 'c')
    peers.cut('b', 'c')
    peers.write('a', 'k', 1)
    peers.advance(1)
    expect(ways(peers, 'frame')).toEqual([undefined])
    peers.advance(120_000)
    peers.passed.length = 0
    peers.write('a', 'l', 2)
    peers.advance(1)
    expect(ways(peers, 'frame')).toEqual(['b'])
    peers.link('b', 'c')
    peers.advance(5000)
    peers.passed.length = 0
    peers.write('a', 'm', 3)
    peers.advance(1)
    expect(ways(peers, 'frame')).toEqual([undefined])
    expect(peers.value('c', 'm')).toBe(3)
  })

  test('too many neighbours do', () => {
    const names = Array.from({ length: DIRECT_NEIGHBOURS_MAX + 2 }, (_, i) => `p${i}`)
    const peers = mesh(...names.slice(0, -1))
    peers.write('p0', 'k', 1)
    peers.advance(1)
    expect(ways(peers, 'frame')).toEqual(names.slice(1, -1))
    peers.open(names.at(-1)!, undefined, { direct: true })
    linkAll(peers, names)
    peers.write('p0', 'l', 1)
    peers.advance(1)
    expect(ways(peers, 'frame')).toEqual([undefined])
  })

  test('a peer that does not send them says nothing of them', () => {
    const peers = new WiredPeers()
    peers.mesh('a', 'b')
    const hellos = peers.sent('hello')
    expect(hellos).toHaveLength(2)
    for (const hello of hellos) expect(hello).not.toHaveProperty('direct')
  })
})

describe('the pace of frames', () => {
  test('one leaves at once, and the next as soon as it has left, with all that came meanwhile', () => {
    const peers = mesh('a', 'b')
    const [a] = [peers.peer('a')]
    const partition = partitionOf(a)
    const effects = (): number[] => {
      return a
        .step({ type: 'tick' }, peers.now)
        .flatMap((effect) => (effect.type === 'direct' ? [effect.bytes.length] : []))
    }
    const write = (key: string): void => void a.write(partition, key, encodeValue(1, 100), peers.now)
    write('first')
    expect(effects()).toHaveLength(1)
    for (const key of ['second', 'third']) {
      write(key)
      expect(effects()).toEqual([])
    }
    const next = a.step({ type: 'directed', missed: [] }, peers.now).filter(({ type }) => type === 'direct')
    expect(next).toHaveLength(1)
    expect(a.broadcaster.counts).toMatchObject({ framesSent: 2, writesSent: 3 })
    expect(a.broadcaster.idle).toBe(false)
    a.step({ type: 'directed', missed: [] }, peers.now)
    expect(a.broadcaster.idle).toBe(true)
  })

  test('full frames do not wait for the one before', () => {
    const peers = mesh('a', 'b')
    const a = peers.peer('a')
    for (let i = 0; i < 2 * FRAME_WRITES_MAX + 10; i++) {
      a.write(partitionOf(a), `key ${i}`, encodeValue(i, 100), peers.now)
    }
    const frames = a.step({ type: 'tick' }, peers.now).filter(({ type }) => type === 'direct')
    expect(frames.length).toBe(2)
  })

  test('a flood is left to sessions', () => {
    const peers = mesh('a', 'b')
    const a = peers.peer('a')
    const value = encodeValue('x'.repeat(BROADCAST_BACKLOG_MAX_BYTES / 4), BROADCAST_BACKLOG_MAX_BYTES)
    for (let i = 0; i < 8; i++) a.write(partitionOf(a), `k${i}`, value, peers.now)
    peers.give('a', { type: 'tick' })
    peers.advance(100)
    expect(ways(peers, 'frame')).toEqual([])
    expect(peers.sent('announce').some(({ bulk }) => bulk)).toBe(true)
    expect(peers.value('b', 'k7')).toHaveLength(BROADCAST_BACKLOG_MAX_BYTES / 4)
  })

  test('a neighbour that misses frames is asked to fetch them, at most once a second', () => {
    const peers = mesh('a', 'b')
    peers.deliver = ({ message }) => message.type !== 'frame'
    peers.missed = ['b']
    const bulks = (): number => peers.sent('announce').filter(({ bulk }) => bulk).length
    for (let i = 0; i < 20; i++) {
      peers.write('a', `k${i}`, i)
      peers.advance(MISSED_ANNOUNCE_GAP_MS / 10)
    }
    expect(bulks()).toBeGreaterThan(1)
    expect(bulks()).toBeLessThan(5)
    peers.advance(MISSED_ANNOUNCE_GAP_MS + 200)
    expect(stateOf(peers.peer('b'))).toEqual(stateOf(peers.peer('a')))
  })
})

describe('what a neighbour may send straight', () => {
  /** A block of rows of one peer, as it leaves it. */
  function frameOf(peers: WiredPeers, name: string, key: string): Uint8Array {
    peers.passed.length = 0
    const { deliver } = peers
    peers.deliver = ({ message }) => message.type !== 'frame'
    peers.write(name, key, 1)
    peers.deliver = deliver
    const [frame] = peers.sent('frame')
    return frame!.block
  }

  test('rows of the replica id of another living member are refused, and are no offence', () => {
    const peers = mesh('a', 'b', 'c')
    const block = frameOf(peers, 'c', 'k')
    peers.give('a', { type: 'direct', from: 'b', bytes: encodeMessage({ type: 'frame', block }) })
    expect(peers.value('a', 'k')).toBeUndefined()
    expect(peers.events('a', 'refused').map(({ from, error }) => [from, error.code])).toEqual([
      ['b', 'REPLICA_ID_REFUSED'],
    ])
    expect(peers.peer('a').offences.total).toBe(0)
    peers.give('a', { type: 'direct', from: 'c', bytes: encodeMessage({ type: 'frame', block }) })
    expect(peers.value('a', 'k')).toBe(1)
  })

  test('rows of two replica ids in one frame are malformed', () => {
    const peers = mesh('a', 'b', 'c')
    const blocks = [frameOf(peers, 'b', 'k'), frameOf(peers, 'c', 'l')]
    const block = Uint8Array.from(blocks.flatMap((bytes) => [...bytes]))
    peers.give('a', { type: 'direct', from: 'b', bytes: encodeMessage({ type: 'frame', block }) })
    expect(peers.value('a', 'k')).toBeUndefined()
    expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual(['MESSAGE_MALFORMED'])
  })

  test('anything else than frames, topics and presence is malformed', () => {
    const peers = mesh('a', 'b')
    for (const message of [
      { type: 'goodbye', left: true },
      { type: 'hello', members: [] },
    ] as const) {
      peers.give('a', { type: 'direct', from: 'b', bytes: encodeMessage(message) })
    }
    expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual([
      'MESSAGE_MALFORMED',
      'MESSAGE_MALFORMED',
    ])
  })
})
