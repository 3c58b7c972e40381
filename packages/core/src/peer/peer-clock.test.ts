import { expect, test } from 'vitest'
import { hlcFromWall } from '../clock/hlc.ts'
import { HOLD_AHEAD_MS, REFUSE_AHEAD_MS } from '../limits.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

/** `a` writes with a clock that is ahead of `b`'s, and then both meet. */
function ahead(aheadMs: number): WiredPeers {
  const peers = new WiredPeers()
  peers.open('a')
  peers.open('b')
  peers.wallMs += aheadMs
  peers.write('a', 'k', 'ahead')
  peers.wallMs -= aheadMs
  peers.write('b', 'own', 1)
  peers.link('a', 'b')
  peers.run()
  return peers
}

test('a write from up to a minute ahead is applied, and the clock follows', () => {
  const peers = ahead(HOLD_AHEAD_MS)
  expect(peers.value('b', 'k')).toBe('ahead')
  peers.write('b', 'k', 'later')
  peers.advance(100)
  expect(peers.value('a', 'k')).toBe('later')
})

test('a write from between one and ten minutes ahead waits for its time, and does not move the clock', () => {
  for (const aheadMs of [HOLD_AHEAD_MS + 1, REFUSE_AHEAD_MS]) {
    const peers = ahead(aheadMs)
    const b = peers.peer('b')
    expect(peers.value('b', 'k')).toBeUndefined()
    expect(b.inbound.quarantine.count).toBe(1)
    expect(b.hlc).toBeLessThan(hlcFromWall(peers.wallMs + 1000))
    peers.advance(aheadMs - HOLD_AHEAD_MS - 1000)
    expect(peers.value('b', 'k')).toBeUndefined()
    expect(b.inbound.quarantine.count).toBeGreaterThan(0)
    peers.advance(100_000)
    expect(peers.value('b', 'k')).toBe('ahead')
    expect(b.inbound.quarantine.count).toBe(0)
    expect(peers.events('b', 'refused')).toEqual([])
    expect(stateOf(b)).toEqual(stateOf(peers.peer('a')))
  }
})

test('a write from further ahead is refused: nothing changes, no clock advances, no offence is counted', () => {
  const peers = ahead(REFUSE_AHEAD_MS + 1)
  const b = peers.peer('b')
  expect(peers.value('b', 'k')).toBeUndefined()
  expect(b.inbound.quarantine.count).toBe(0)
  expect(b.hlc).toBeLessThan(hlcFromWall(peers.wallMs + 1))
  expect(partitionOf(b).replica.table.slotCount).toBe(1)
  expect(peers.events('b', 'refused').map((event) => event.error.code)).toContain('CLOCK_AHEAD')
  expect(b.offences.total).toBe(0)
  expect(b.collections.ids.indexOf(peers.peer('a').replicaId)).toBeDefined()
  const id = b.collections.ids.indexOf(peers.peer('a').replicaId)!
  expect(partitionOf(b).replica.vector.highest(id)).toBe(0)
})

test('what was refused comes in the end, when its time has come', () => {
  const peers = ahead(REFUSE_AHEAD_MS + 60_000)
  peers.advance(REFUSE_AHEAD_MS + 120_000)
  expect(peers.value('b', 'k')).toBe('ahead')
  expect(stateOf(peers.peer('b'))).toEqual(stateOf(peers.peer('a')))
})

test('rows are applied beside others that are refused, and superseded dots wait', () => {
  const peers = new WiredPeers()
  const [a, b] = [peers.open('a'), peers.open('b')]
  peers.write('a', 'k', 1)
  peers.write('a', 'sound', 2)
  peers.wallMs += 3_600_000
  peers.write('a', 'k', 'ahead')
  peers.wallMs -= 3_600_000
  // With them `a` would learn what time it is, and redate the write.
  peers.deliver = ({ message }) => message.type !== 'announce'
  peers.link('a', 'b')
  peers.run()
  expect(peers.value('b', 'sound')).toBe(2)
  expect(peers.value('b', 'k')).toBeUndefined()
  const id = b.collections.ids.indexOf(a.replicaId)!
  expect([1, 2, 3].map((sequence) => partitionOf(b).replica.vector.has(id, sequence))).toEqual([false, true, false])
})

test('a wall clock that jumps back loses no write', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.write('a', 'k', 1)
  peers.wallMs -= 30_000
  peers.write('a', 'k', 2)
  peers.advance(1000)
  peers.write('b', 'k', 3)
  peers.advance(1000)
  expect(peers.value('a', 'k')).toBe(3)
  expect(stateOf(a!)).toEqual(stateOf(b!))
})
