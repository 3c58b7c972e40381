import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import { encodeValue } from '../bytes/cbor.ts'
import type { Row } from '../entries/entry-table.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { encodeMessage } from '../wire/messages.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { encodeVector } from '../versions/vector-codec.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const DAY_MS = 86_400_000
const VISITORS_A_DAY = 500
const DAYS = 20

/** One write each of so many peers that were never there before and never will be again. */
function visits(peers: WiredPeers, day: number): Uint8Array {
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  for (let i = 0; i < VISITORS_A_DAY; i++) {
    const id = `${(i * 40_503 + 7).toString(16).padStart(8, '0')}${(day + 1).toString(16).padStart(8, '0')}`
    const row: Row = {
      key: `key ${i % 200}`,
      hlc: hlcFromWall(peers.wallMs) + i,
      writer: ids.intern(id),
      sequence: 1,
      replaced: 0,
      bytes: encodeValue(day, 9),
      start: 0,
      end: encodeValue(day, 9).length,
    }
    writer.row({ collection: 'users', kind: 1, partition: 0 }, row)
  }
  return encodeMessage({ type: 'frame', block: writer.take() })
}

test('ten thousand peers that came and went leave few ids in a vector, and all that they wrote', () => {
  const peers = new WiredPeers()
  peers.open('a', new TestDisk())
  peers.open('b', new TestDisk())
  for (let day = 0; day < DAYS + 22; day++) {
    peers.link('a', 'b')
    peers.advance(40_000)
    if (day < DAYS) peers.give('a', { type: 'broadcast', from: 'b', bytes: visits(peers, day) })
    peers.advance(40_000)
    peers.cut('a', 'b')
    peers.sleep(DAY_MS - 80_000)
  }
  const { vector, floor, table } = partitionOf(peers.peer('b')).replica
  expect(floor.size).toBeGreaterThanOrEqual(VISITORS_A_DAY * DAYS)
  expect([...vector.writers()].length).toBeLessThan(1000)
  expect(encodeVector(vector, peers.peer('b').collections.ids).length).toBeLessThan(16_000)
  expect(table.liveCount).toBe(200)
  // Who comes new, or back from its disk, gets all of it.
  peers.open('b', peers.crash('b')!)
  expect([...partitionOf(peers.peer('b')).replica.vector.writers()].length).toBeLessThan(1000)
  peers.open('new')
  peers.link('a', 'new')
  peers.link('a', 'b')
  peers.advance(60_000)
  for (const name of ['b', 'new']) expect(stateOf(peers.peer(name))).toEqual(stateOf(peers.peer('a')))
  expect(peers.value('new', 'key 199')).toBe(DAYS - 1)
})
