import { describe, expect, it } from 'vitest'
import { COMPARE_PATIENCE_MS, OUT_OF_TOUCH_MS } from '../limits.ts'
import { OwningPeers, usersOf } from '../rig/owning-peers.ts'

const PARTITION = 3
const STANDING_MS = 4 * 60_000

/** Three owners, of which one has stood still for so long while its value was overwritten. */
function standing(standingMs: number, meanwhile: (peers: OwningPeers) => void): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(3), 'a', 'b', 'c')
  peers.joinWeightless('w')
  peers.writeTo('w', PARTITION, 1)
  peers.advance(3000)
  expect(peers.readNow('c', PARTITION)).toEqual([1])
  peers.standing.add('c')
  meanwhile(peers)
  peers.writeTo('a', PARTITION, 2)
  peers.advance(standingMs)
  return peers
}

describe('an owner that stood still', () => {
  it('for four minutes gives its own application nothing old, in its very first instant either', () => {
    const peers = standing(STANDING_MS, (each) => {
      // The others notice its silence, and close their connections.
      for (const other of ['a', 'b', 'w']) each.cut(other, 'c')
    })
    peers.standing.delete('c')
    const first = peers.read('c', PARTITION)
    expect(first).toEqual([])
    peers.run()
    const second = peers.read('c', PARTITION)
    peers.advance(1000)
    for (const other of ['a', 'b', 'w']) peers.link(other, 'c')
    const third = peers.read('c', PARTITION)
    peers.advance(COMPARE_PATIENCE_MS)
    expect([first, second, third]).toEqual([[2], [2], [2]])
  })

  it('for less than what the others take to notice answers no question from what it had: it compares first', () => {
    const peers = standing(OUT_OF_TOUCH_MS + 1000, (each) => {
      for (const other of ['a', 'b']) each.cut('w', other)
    })
    // The question is the first that it hears, and the end of its connections to the others the next.
    const asked = peers.read('w', PARTITION)
    peers.run()
    for (const other of ['a', 'b']) peers.cut(other, 'c')
    peers.standing.delete('c')
    peers.advance(1000)
    for (const other of ['a', 'b']) peers.link(other, 'c')
    peers.advance(COMPARE_PATIENCE_MS)
    expect(asked).toEqual([2])
  })
})
