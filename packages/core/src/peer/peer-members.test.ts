import { expect, test } from 'vitest'
import { ADDRESSES_MAX, ADDRESS_MAX_BYTES, GONE_AFTER_MS, MEMBERS_MAX, MESSAGE_MAX_BYTES } from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

function states(peers: WiredPeers, name: string): string[] {
  return peers.events(name, 'member').map(({ record, state }) => `${record.peerId} ${state}`)
}

test('peers that are not linked learn of each other, and would dial', () => {
  const peers = new WiredPeers()
  for (const name of ['a', 'b', 'c']) peers.open(name, undefined, { addresses: [`/dns/${name}`] })
  peers.link('a', 'b')
  peers.link('b', 'c')
  peers.advance(1000)
  expect(states(peers, 'a')).toEqual(['b alive', 'c alive'])
  expect(peers.effects('a', 'dial').map((dial) => dial.peerId)).toContain('c')
  expect(peers.effects('a', 'dial').map((dial) => dial.peerId)).not.toContain('b')
})

test('a peer that says goodbye is gone at once, one that crashes after its lease', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b', 'c')
  peers.advance(1000)
  peers.perform('b', peers.peer('b').goodbye(false, peers.now))
  peers.run()
  peers.crash('b')
  peers.crash('c')
  expect(states(peers, 'a').at(-1)).toBe('b gone')
  peers.advance(GONE_AFTER_MS + 2000)
  expect(states(peers, 'a').slice(-2)).toEqual(['c suspect', 'c gone'])
  expect(states(peers, 'a').filter((state) => state === 'b gone').length).toBe(1)
})

test('all peers learn that a peer leaves for good, neighbours or not', () => {
  const peers = new WiredPeers()
  for (const name of ['a', 'b', 'c']) peers.open(name)
  peers.link('a', 'b')
  peers.link('b', 'c')
  peers.advance(1000)
  peers.perform('c', peers.peer('c').goodbye(true, peers.now))
  peers.run()
  expect(states(peers, 'a').at(-1)).toBe('c gone')
  expect(peers.peer('a').membership.get('c')?.record.left).toBe(true)
})

test('a peer that was restarted is alive again under its newer record', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  peers.advance(1000)
  peers.crash('b')
  peers.advance(GONE_AFTER_MS + 1000)
  const b = peers.open('b')
  peers.link('a', 'b')
  peers.advance(100)
  expect(states(peers, 'a').at(-1)).toBe('b alive')
  expect(peers.peer('a').membership.get('b')?.record.replicaId).toBe(b.replicaId)
})

test('a full table of members with the longest addresses still fits a hello', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  const addresses = Array.from({ length: ADDRESSES_MAX }, () => 'x'.repeat(ADDRESS_MAX_BYTES))
  for (let i = 0; i < MEMBERS_MAX; i += 100) {
    const members = Array.from({ length: 100 }, (_, j) => ({
      ...a.membership.self,
      peerId: `peer ${i + j}`,
      addresses,
    }))
    peers.give('a', { type: 'message', from: 'x', bytes: encodeMessage({ type: 'hello', members }) })
  }
  expect(a.membership.others.length).toBe(MEMBERS_MAX)
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(100)
  expect(peers.events('b', 'refused')).toEqual([])
  const [hello] = peers.sent('hello', 'a')
  expect(hello!.members[0]?.peerId).toBe('a')
  expect(encodeMessage(hello!).length).toBeLessThan(MESSAGE_MAX_BYTES)
})

test('what other peers are known to have seen is forgotten with them', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  peers.write('a', 'k', 1)
  for (let i = 0; i < 30; i++) {
    const name = `visitor ${i}`
    peers.open(name)
    peers.link('a', name)
    peers.advance(100)
    peers.crash(name)
  }
  expect(a.lag.of('users').length).toBeGreaterThan(0)
  peers.advance(3 * GONE_AFTER_MS)
  expect(a.lag.of('users')).toEqual([])
})
