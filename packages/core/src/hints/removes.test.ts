import { describe, expect, it } from 'vitest'
import { compositeKey } from '../bytes/composite-key.ts'
import { KINDS } from '../kinds/kinds.ts'
import { PRESENT } from '../kinds/row-forms.ts'
import { partitionIndex } from '../placement/key-slots.ts'
import { OwningPeers } from '../rig/owning-peers.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Written } from '../writes/local-writes.ts'

const WORD = 'tred'
const NAME: PartitionName = { collection: 'words', kind: KINDS.set.code, partition: 16 + partitionIndex(WORD, 16) }
const ROW = compositeKey(WORD, '0123456789abcdef')

/** Two owners of a set, and a durable peer that owns nothing. */
function settled(): OwningPeers {
  const words = { name: 'words', kind: 'set', mode: 'partitioned', partitions: 16, owners: 2 } as const
  const peers = new OwningPeers().settle(words, 'a', 'b')
  peers.joinWeightless('w')
  peers.advance(2000)
  return peers
}

/** Adds the word, or removes the add with this date. */
function write(peers: OwningPeers, name: string, dateHlc?: number): Written {
  const value = dateHlc === undefined ? PRESENT : undefined
  const written = peers.peer(name).partitions.write(NAME, ROW, value, peers.nowOf(name), dateHlc)
  peers.give(name, { type: 'tick' })
  return written
}

/** Whether an owner has the word, and the date of its row. */
function rowAt(peers: OwningPeers, name: string): { isThere: boolean; hlc: number } {
  const [row] = peers.peer(name).partitions.inCopy(NAME, WORD)
  return { isThere: row?.bytes !== undefined, hlc: row!.hlc }
}

describe('a remove from a partitioned set', () => {
  it('has the date of the add that it removes, wherever it is made', () => {
    for (const name of ['a', 'w']) {
      const peers = settled()
      const { hlc } = write(peers, 'w')
      peers.advance(1000)
      expect(rowAt(peers, 'b')).toEqual({ isThere: true, hlc })
      expect(write(peers, name, hlc).hlc).toBe(hlc)
      peers.advance(1000)
      expect([rowAt(peers, 'a'), rowAt(peers, 'b')]).toEqual([
        { isThere: false, hlc },
        { isThere: false, hlc },
      ])
    }
  })

  it('takes no later add with it, in whichever order they come', () => {
    const peers = settled()
    const { hlc } = write(peers, 'w')
    peers.advance(1000)
    for (const owner of ['a', 'b']) peers.cut('w', owner)
    const later = write(peers, 'w')
    write(peers, 'a', hlc)
    peers.advance(1000)
    expect(rowAt(peers, 'b').isThere).toBe(false)
    for (const owner of ['a', 'b']) peers.link(owner, 'w')
    peers.advance(10_000)
    expect([rowAt(peers, 'a'), rowAt(peers, 'b')]).toEqual([
      { isThere: true, hlc: later.hlc },
      { isThere: true, hlc: later.hlc },
    ])
  })

  it('of a peer without a directory is taken by an owner, and by a member that passes it on, as its add was', () => {
    const peers = settled()
    peers.joinMemory('t', ['a'])
    peers.joinMemory('u', ['w'])
    peers.advance(2000)
    for (const owner of ['a', 'b']) peers.cut('w', owner)
    for (const name of ['t', 'u']) {
      const { hlc } = write(peers, name)
      peers.advance(500)
      write(peers, name, hlc)
      peers.advance(500)
    }
    for (const owner of ['a', 'b']) peers.link(owner, 'w')
    peers.advance(10_000)
    expect([rowAt(peers, 'a').isThere, rowAt(peers, 'b').isThere]).toEqual([false, false])
  })
})
