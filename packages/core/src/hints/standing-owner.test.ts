import { describe, expect, it } from 'vitest'
import { OwningPeers, keyIn, usersOf } from '../rig/owning-peers.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { readLog } from '../wire/block.ts'

const PARTITIONS = 16
const KEYS_OF_PARTITION = 60
const KEYS = PARTITIONS * KEYS_OF_PARTITION
const MINUTES = 10
const WRITES_PER_SECOND = 40

/** The rows of the collection that a peer was sent, as writes or in sessions. */
function rowsSentTo(peers: OwningPeers, name: string): number {
  const blocks = peers.passed.flatMap(({ message, to }) => {
    return to === name && (message.type === 'write' || message.type === 'chunk') ? [message.block] : []
  })
  const records = blocks.flatMap((block) => readLog(block, new ReplicaIds()))
  return records.reduce((sum, record) => {
    return sum + (record.type === 'rows' && record.partition.collection === 'users' ? record.rows.length : 0)
  }, 0)
}

describe('while an owner stands still for ten minutes', () => {
  it('writers keep one row a key for it, and it catches up by what differs, however much was written', () => {
    const peers = new OwningPeers().settle(usersOf(3), 'a', 'b', 'c')
    peers.joinWeightless('w')
    peers.advance(2000)
    peers.deliver = ({ from }, to) => to !== 'c' && from !== 'c'
    let hintsMax = 0
    let writes = 0
    for (let second = 0; second < MINUTES * 60; second++) {
      for (let i = 0; i < WRITES_PER_SECOND; i++) {
        const key = (writes * 7) % KEYS
        peers.writeTo(writes % 2 === 0 ? 'w' : 'a', key % PARTITIONS, writes % 24, Math.floor(key / PARTITIONS))
        writes += 1
      }
      peers.advance(1000)
      hintsMax = Math.max(hintsMax, peers.hintCount('w'))
    }
    expect(writes).toBeGreaterThan(20 * KEYS)
    // It writes every other key.
    expect(hintsMax).toBeLessThanOrEqual(KEYS / 2)
    peers.sleep(0)
    peers.deliver = () => true
    // After five minutes it counted as away, and it owns again after a minute of presence.
    peers.advance(180_000)
    // What it had, and once more when it owns the partitions again: its copies went meanwhile.
    expect(rowsSentTo(peers, 'c')).toBeLessThanOrEqual(2 * KEYS)
    for (let key = 0; key < KEYS; key++) {
      const [index, number] = [key % PARTITIONS, Math.floor(key / PARTITIONS)]
      expect({ key: keyIn(index, number), value: peers.get('c', index, number) }).toEqual({
        key: keyIn(index, number),
        value: peers.get('a', index, number),
      })
    }
    expect(peers.hintCount('w')).toBe(0)
  })
})
