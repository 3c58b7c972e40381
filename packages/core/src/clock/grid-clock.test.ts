import { expect, test } from 'vitest'
import { wallFromHlc } from './hlc.ts'
import { encodeMessage } from '../wire/messages.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const HOUR_MS = 3_600_000

/** Peers that know each other; `wrong` has a clock that is off by so much from the start, or from `advance` on. */
function grid(count: number): { peers: WiredPeers; names: string[] } {
  const peers = new WiredPeers()
  const names = Array.from({ length: count }, (_, i) => `p${i}`)
  return { peers, names }
}

function meet(peers: WiredPeers, names: readonly string[]): void {
  for (const [i, a] of names.entries()) for (const b of names.slice(i + 1)) peers.link(a, b)
  peers.advance(20_000)
}

function allEqual(peers: WiredPeers, names: readonly string[]): void {
  for (const name of names) expect(stateOf(peers.peer(name))).toEqual(stateOf(peers.peer(names[0]!)))
}

test.each([2, 3, 5])(
  'a peer that is an hour ahead of %i others does not move their clocks, and its writes arrive with new dates',
  (count) => {
    const { peers, names } = grid(count)
    peers.skewMs.set('p0', HOUR_MS)
    for (const name of names) peers.open(name, new TestDisk())
    for (let i = 0; i < 20; i++) peers.write('p0', `key ${i}`, `early ${i}`)
    peers.advance(1000)
    meet(peers, names)
    const p0 = peers.peer('p0')
    expect(p0.time.gridClock.offsetMs).toBeLessThan(-HOUR_MS + 5000)
    expect(p0.restamping.count).toBeGreaterThanOrEqual(20)
    for (const name of names.slice(1)) {
      expect(peers.peer(name).time.gridClock.offsetMs).toBe(0)
      for (let i = 0; i < 20; i++) expect(peers.value(name, `key ${i}`)).toBe(`early ${i}`)
    }
    // The later write wins, on every key.
    peers.write('p1', 'key 3', 'later')
    peers.write('p0', 'key 4', 'later still')
    peers.advance(1000)
    for (const name of names) {
      expect(peers.value(name, 'key 3')).toBe('later')
      expect(peers.value(name, 'key 4')).toBe('later still')
    }
    // No vector keeps a gap.
    const { vector } = partitionOf(peers.peer('p1')).replica
    for (const writer of vector.writers()) expect(vector.rangesAbove(writer)).toEqual([])
    // New dates survive a crash.
    peers.open('p0', peers.crash('p0')!)
    meet(peers, names)
    expect(peers.value('p0', 'key 3')).toBe('later')
    allEqual(peers, names)
  },
)

test('a peer whose clock jumps back a day goes on writing and reading as if nothing had happened', () => {
  for (const count of [2, 4]) {
    const { peers, names } = grid(count)
    for (const name of names) peers.open(name)
    meet(peers, names)
    peers.write('p0', 'k', 'before')
    peers.advance(60_000)
    peers.skewMs.set('p0', -24 * HOUR_MS)
    peers.advance(10_000)
    expect(peers.peer('p0').time.gridClock.offsetMs).toBeGreaterThan(23 * HOUR_MS)
    peers.write('p1', 'k', 'from another')
    peers.advance(1000)
    expect(peers.value('p0', 'k')).toBe('from another')
    peers.write('p0', 'k', 'after')
    peers.advance(15 * 60_000)
    peers.write('p1', 'l', 'a quarter of an hour later')
    peers.advance(1000)
    for (const name of names) {
      expect(peers.value(name, 'k')).toBe('after')
      expect(peers.value(name, 'l')).toBe('a quarter of an hour later')
    }
    allEqual(peers, names)
  }
})

test('a peer whose clock stands still takes part for hours', () => {
  for (const count of [2, 4]) {
    const { peers, names } = grid(count)
    for (const name of names) peers.open(name)
    meet(peers, names)
    for (let step = 0; step < 60; step++) {
      peers.advance(120_000)
      peers.skewMs.set('p0', (peers.skewMs.get('p0') ?? 0) - 120_000)
      if (step % 10 === 0) {
        peers.write('p1', 'k', step)
        peers.write('p0', 'own', step)
      }
      peers.advance(5000)
      if (step % 10 === 0) for (const name of names) expect(peers.value(name, 'own')).toBe(step)
    }
    for (const name of names) expect(peers.value(name, 'k')).toBe(50)
    allEqual(peers, names)
  }
})

test('a laptop that slept, with its monotonic clock, goes by its own right clock from the first moment', () => {
  const { peers, names } = grid(2)
  for (const name of names) peers.open(name)
  meet(peers, names)
  peers.cut('p0', 'p1')
  // The harness has one monotonic clock: that of `p0` stood still while all wall clocks went on by eight hours.
  peers.wallMs += 8 * HOUR_MS
  const written = peers.write('p0', 'k', 'on waking')
  expect(wallFromHlc(written.hlc)).toBeGreaterThanOrEqual(Math.floor(peers.wallMs))
  peers.link('p0', 'p1')
  peers.advance(10_000)
  expect(peers.peer('p0').time.gridClock.offsetMs).toBe(0)
  expect(peers.value('p1', 'k')).toBe('on waking')
})

test('one liar among three peers moves no clock, whether it claims to be ahead or late', () => {
  const { peers, names } = grid(3)
  peers.skewMs.set('p2', -5 * HOUR_MS)
  for (const name of names) peers.open(name)
  meet(peers, names)
  expect(peers.peer('p0').time.gridClock.offsetMs).toBe(0)
  expect(peers.peer('p1').time.gridClock.offsetMs).toBe(0)
  expect(peers.peer('p2').time.gridClock.offsetMs).toBeGreaterThan(4 * HOUR_MS)
})

test('without other peers the own clock counts', () => {
  const { peers } = grid(1)
  const p0 = peers.open('p0')
  peers.write('p0', 'k', 1)
  peers.skewMs.set('p0', -24 * HOUR_MS)
  peers.advance(10_000)
  peers.write('p0', 'k', 2)
  expect(p0.time.gridClock.offsetMs).toBe(0)
  expect(p0.restamping.count).toBe(0)
  expect(peers.value('p0', 'k')).toBe(2)
})

test('when all clocks jump at once, times reported before and received after move no clock', () => {
  for (const jumpMs of [211_000, -211_000]) {
    const { peers, names } = grid(3)
    for (const name of names) peers.open(name)
    meet(peers, names)
    // A heartbeat of each is under way at the jump, and arrives when the jump has been noticed.
    const late = names.map((from) =>
      peers.passed.findLast((passed) => passed.from === from && passed.message.type === 'announce')!,
    )
    peers.wallMs += jumpMs
    for (const name of names) peers.give(name, { type: 'tick' })
    for (const name of names) {
      for (const { from, message } of late) {
        if (from !== name) peers.give(name, { type: 'broadcast', from, bytes: encodeMessage(message) })
      }
    }
    peers.write('p0', 'k', 'at once')
    peers.advance(10)
    for (const name of names) expect(peers.value(name, 'k')).toBe('at once')
    peers.advance(10_000)
    for (const name of names) expect(peers.peer(name).time.gridClock.offsetMs).toBe(0)
  }
})
