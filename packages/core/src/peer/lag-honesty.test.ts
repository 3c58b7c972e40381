import { expect, test } from 'vitest'
import type { Lag } from '../digests/lag.ts'
import type { Peer } from './peer.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'
import { decodeVector, encodeVector } from '../versions/vector-codec.ts'
import type { VersionVector } from '../versions/version-vector.ts'
import { partitionOf } from '../rig/peer-state.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const NAMES = ['a', 'b', 'c', 'd'] as const

/** What a peer had seen at some moment, with replica ids numbered alike for all peers. */
interface Moment {
  readonly atMs: number
  readonly seen: VersionVector
}

function seenBy(peer: Peer, ids: ReplicaIds): VersionVector {
  return decodeVector(encodeVector(partitionOf(peer).replica.vector, peer.collections.ids), ids)
}

/**
 * Seen from outside, where both sides are known: what one peer says of another must lie between what the other had just
 * before its report and what it has now, since a peer never loses what it has seen.
 */
function checkLag(lag: Lag, here: VersionVector, before: VersionVector | undefined, now: VersionVector): void {
  const missingNow = now.countMissingIn(here)
  expect(lag.behind).toBeLessThanOrEqual(missingNow)
  if (before !== undefined) expect(lag.behind).toBeGreaterThanOrEqual(before.countMissingIn(here))
  expect(lag.ahead).toBeGreaterThanOrEqual(here.countMissingIn(now))
  if (before !== undefined) expect(lag.ahead).toBeLessThanOrEqual(here.countMissingIn(before))
  expect(lag.unequal).toBe(0)
}

function live(seed: number): { checks: number; equal: number; behind: number; ahead: number } {
  const random = new SeededRandom(seed)
  const peers = new WiredPeers()
  const ids = new ReplicaIds()
  const opened = peers.mesh(...NAMES)
  const history = new Map<string, Moment[]>(NAMES.map((name) => [name, []]))
  const found = { checks: 0, equal: 0, behind: 0, ahead: 0 }
  peers.deliver = ({ message }) => message.type !== 'frame' || random.below(3) > 0
  const linked = new Set(NAMES.flatMap((name, i) => NAMES.slice(0, i).map((other) => `${other}${name}`)))
  for (let round = 0; round < 150; round++) {
    const link = [...NAMES].filter(() => random.below(2) === 0).slice(0, 2)
    if (random.below(4) === 0 && link.length === 2) {
      const key = link.join('')
      if (linked.delete(key)) peers.cut(link[0]!, link[1]!)
      else {
        linked.add(key)
        peers.link(link[0]!, link[1]!)
      }
    }
    const writer = NAMES[random.below(NAMES.length)]!
    for (let i = random.below(6); i > 0; i--) peers.write(writer, `key ${random.below(20)}`, round)
    peers.advance([1, 50, 700, 3000][random.below(4)]!)
    for (const peer of opened) history.get(peer.peerId)!.push({ atMs: peers.monotonicMs, seen: seenBy(peer, ids) })
    for (const peer of opened) {
      const here = seenBy(peer, ids)
      for (const lag of peer.lag.totals()) {
        const moments = history.get(lag.peerId)!
        const before = moments.findLast(({ atMs }) => atMs < lag.reportedAtMs)?.seen
        checkLag(lag, here, before, moments.at(-1)!.seen)
        found.checks += 1
        if (lag.behind > 0) found.behind += 1
        else if (lag.ahead > 0) found.ahead += 1
        else found.equal += 1
      }
    }
  }
  return found
}

test('whatever is written, lost or cut, no peer says of another what is not so', () => {
  const total = { checks: 0, equal: 0, behind: 0, ahead: 0 }
  for (let seed = 1; seed <= 12; seed++) {
    const found = live(seed)
    for (const key of ['checks', 'equal', 'behind', 'ahead'] as const) total[key] += found[key]
  }
  // All that can be said was said, or nothing was tested.
  expect(total.checks).toBeGreaterThan(5000)
  expect(Math.min(total.equal, total.behind, total.ahead)).toBeGreaterThan(50)
})
