import { describe, expect, it } from 'vitest'
import {
  COMPARE_PATIENCE_MS,
  HOLD_AHEAD_MS,
  OUT_OF_TOUCH_MS,
  READ_GATHER_MAX_MS,
  READ_PATIENCE_MS,
  READ_QUESTIONS_AT_ONCE_MAX,
  READ_RETRY_MS,
  READ_TIMEOUT_MS,
  READS_MAX,
} from '../limits.ts'
import { OwningPeers, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { ReadOutcome } from '../wire/read-messages.ts'
import type { KeyRead } from './reads.ts'
import { partitionIndex } from '../placement/key-slots.ts'
import { encodeMessage } from '../wire/messages.ts'

/** A peer that owns nothing beside owners of every partition, which have compared with each other. */
function outsider(owners: number, ...names: string[]): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(owners), ...names)
  peers.joinWeightless('w')
  peers.advance(2000)
  return peers
}

/** Of two owners one has missed a write, and the reader has lost sight of the other. */
function apart(): OwningPeers {
  const peers = outsider(2, 'a', 'b')
  peers.writeTo('a', 3, 1)
  peers.advance(3000)
  peers.cut('a', 'b')
  peers.cut('w', 'b')
  peers.writeTo('a', 3, 2)
  peers.advance(OUT_OF_TOUCH_MS)
  peers.cut('w', 'a')
  return peers
}

/** A read is not answered before an owner has given up to compare with the others. */
function expectLate(peers: OwningPeers, answer: readonly number[]): void {
  const found = peers.read('w', 3)
  peers.advance(COMPARE_PATIENCE_MS - 1000)
  expect(found).toEqual([])
  peers.advance(3000)
  expect(found).toEqual(answer)
}

describe('a read', () => {
  it('is answered by an owner, with what is there, and says that nothing is there only if an owner says so', () => {
    const peers = outsider(2, 'a', 'b', 'c')
    expect(peers.readNow('w', 3)).toEqual(['nothing'])
    peers.writeTo('w', 3, 7)
    peers.advance(1000)
    for (const name of ['a', 'b', 'c', 'w']) {
      expect(peers.readNow(name, 3)).toEqual([7])
    }
  })

  it('of a whole owner needs no message', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 7)
    peers.passed.length = 0
    expect(peers.read('a', 3)).toEqual([7])
    expect(peers.sent('read')).toEqual([])
  })

  it('that no owner answers is unreachable in the end, and never nothing', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 7)
    peers.advance(1000)
    for (const name of ['a', 'b']) peers.cut('w', name)
    const found = peers.read('w', 3)
    peers.advance(READ_TIMEOUT_MS - 1000)
    expect(found).toEqual([])
    peers.advance(2000)
    expect(found).toEqual(['unreachable'])
  })

  it('goes on when an owner is in reach again', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 7)
    peers.cut('w', 'a')
    const found = peers.read('w', 3)
    peers.advance(1000)
    peers.link('w', 'a')
    // The owner may have been alone, and compares first.
    peers.advance(READ_RETRY_MS)
    expect(found).toEqual([7])
  })

  it('asks another owner when the first does not answer', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 7)
    peers.advance(3000)
    let asked = ''
    peers.deliver = ({ message, to }) => {
      if (message.type !== 'read') return true
      asked ||= to!
      return to !== asked
    }
    const found = peers.read('w', 3)
    peers.advance(READ_PATIENCE_MS - 100)
    expect(found).toEqual([])
    peers.advance(200)
    expect(found).toEqual([7])
  })

  it('goes through a member, if no owner is in reach, once', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 7)
    peers.joinMemory('t', ['w'])
    peers.advance(2000)
    expect(peers.readNow('t', 3)).toEqual([7])
    peers.cut('w', 'a')
    peers.joinWeightless('v', new TestDisk(), ['w'])
    peers.link('v', 'a')
    peers.advance(1000)
    const far = peers.read('t', 3, 0, { timeoutMs: 2000 })
    peers.advance(3000)
    expect(far).toEqual(['unreachable'])
  })

  it('shows what this peer wrote and no owner has confirmed', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 1)
    peers.advance(1)
    peers.deliver = ({ message }) => message.type !== 'write'
    peers.writeTo('w', 3, 2)
    expect(peers.readNow('w', 3)).toEqual([2])
    expect(peers.get('a', 3)).toBe(1)
  })

  it('finds a key with U+0000 in it, which maps of whole values may have', () => {
    const peers = outsider(1, 'a')
    const key = 'a\u0000b'
    const name = users(partitionIndex(key, 16))
    peers.peer('a').partitions.write(name, key, Uint8Array.of(7), peers.now)
    peers.advance(1000)
    peers.peer('w').partitions.write(name, 'a', Uint8Array.of(9), peers.now)
    const found: (number | undefined)[] = []
    const read = ([of]: readonly KeyRead[]): unknown => found.push(of?.rows?.length, of?.rows?.[0]?.bytes?.[0])
    peers.peer('w').partitions.read([{ name, key }], peers.now, read)
    peers.give('w', { type: 'tick' })
    peers.run()
    expect(found).toEqual([1, 7])
  })

  it('never goes back in time: not to an owner that is behind', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 1)
    peers.advance(3000)
    peers.cut('a', 'b')
    peers.cut('w', 'b')
    peers.writeTo('w', 3, 2)
    peers.advance(1000)
    expect([peers.get('a', 3), peers.get('b', 3)]).toEqual([2, 1])
    const first = peers.readNow('w', 3)
    peers.cut('w', 'a')
    peers.link('w', 'b')
    const second = peers.readNow('w', 3)
    expect([first, second]).toEqual([[2], [2]])
  })

  it('answers absent with the version of the tombstone, so that a deleted key does not come back', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 1)
    peers.advance(3000)
    peers.cut('a', 'b')
    peers.cut('w', 'b')
    peers.writeTo('a', 3, undefined)
    peers.advance(1000)
    const first = peers.readNow('w', 3)
    peers.cut('w', 'a')
    peers.link('w', 'b')
    const second = peers.readNow('w', 3)
    expect([first, second]).toEqual([['nothing'], ['nothing']])
  })

  it('makes later writes of this peer later than what it read', () => {
    const peers = outsider(1, 'a')
    peers.skewMs.set('a', 50_000)
    peers.writeTo('a', 3, 1)
    peers.skewMs.clear()
    expect(peers.readNow('w', 3)).toEqual([1])
    peers.writeTo('w', 3, 2)
    peers.advance(1000)
    expect(peers.get('a', 3)).toBe(2)
  })

  it('that finds what is dated too far ahead of its clock does not say that nothing is there', () => {
    const peers = outsider(1, 'a')
    peers.skewMs.set('a', 2 * HOLD_AHEAD_MS)
    peers.writeTo('a', 3, 1)
    peers.skewMs.clear()
    const found = peers.read('w', 3)
    peers.advance(READ_TIMEOUT_MS + 1000)
    expect(found).toEqual(['unreachable'])
    expect(peers.readNow('w', 2)).toEqual(['nothing'])
    peers.advance(2 * HOLD_AHEAD_MS)
    expect(peers.readNow('w', 3)).toEqual([1])
  })
})

describe('an owner', () => {
  it('that was out of touch compares with the other owners before it answers', () => {
    const peers = apart()
    peers.link('a', 'b')
    peers.link('w', 'b')
    const found = peers.read('w', 3)
    // The other one passes the question on as long as it has not compared itself.
    peers.advance(1000)
    expect(found).toEqual([2])
  })

  it('answers from what it has when another owner is in reach and does not compare', () => {
    const peers = apart()
    peers.deliver = ({ message }) => message.type !== 'digest' && message.type !== 'vectors'
    peers.link('a', 'b')
    peers.link('w', 'b')
    expectLate(peers, [1])
  })

  it('answers from what it has when no other owner comes in reach', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 1)
    peers.advance(3000)
    const disk = peers.crash('b')!
    peers.crash('a')
    peers.join('b', disk, ['w'])
    expectLate(peers, [1])
  })

  it('whose copy is not whole passes the question on', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 7)
    peers.advance(3000)
    const { copies } = peers.placement('b')
    copies.drop(users(3))
    copies.begin(users(3), peers.placement('b').registered(users(3))!.origin)
    peers.cut('w', 'a')
    peers.deliver = ({ message }) => message.type !== 'digest'
    expect(peers.readNow('w', 3)).toEqual([7])
    expect(peers.sent('read', 'b')).toMatchObject([{ passed: true }])
  })
})

describe('many reads at a time', () => {
  const before = (): OwningPeers => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 7)
    peers.run()
    peers.passed.length = 0
    return peers
  }

  it('leave at once while the peer has few to answer, and then gather in one message', () => {
    const peers = before()
    const found = Array.from({ length: 20 }, () => peers.read('w', 3))
    expect(peers.sent('read')).toHaveLength(READ_QUESTIONS_AT_ONCE_MAX)
    peers.run()
    expect(found.flat()).toEqual(found.map(() => 7))
    expect(peers.sent('read')).toHaveLength(READ_QUESTIONS_AT_ONCE_MAX + 1)
  })

  it('wait only for a moment where a peer answers nothing', () => {
    const peers = before()
    let isSilent = true
    peers.deliver = ({ message }) => !isSilent || message.type !== 'found'
    for (let i = 0; i < READ_QUESTIONS_AT_ONCE_MAX; i++) peers.read('w', 3)
    peers.run()
    isSilent = false
    const found = peers.read('w', 3)
    peers.run()
    expect(found).toEqual([])
    peers.advance(READ_GATHER_MAX_MS)
    expect(found).toEqual([7])
  })

  it('go to another owner when the one that they gathered for is gone', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 7)
    peers.advance(1000)
    peers.deliver = ({ message }) => message.type !== 'found'
    // As many as both have to answer at a time.
    const all = Array.from({ length: 2 * READ_QUESTIONS_AT_ONCE_MAX + 2 }, () => peers.read('w', 3))
    peers.deliver = () => true
    peers.cut('w', 'a')
    peers.run()
    expect(all.flat()).toEqual(all.map(() => 7))
  })

  it('gather no more once a peer has not answered them in time', () => {
    const peers = outsider(2, 'a', 'b')
    peers.writeTo('a', 3, 7)
    peers.advance(1000)
    peers.deliver = ({ message }) => message.type !== 'found'
    // Both have as many to answer as they may have.
    const all = Array.from({ length: 2 * READ_QUESTIONS_AT_ONCE_MAX }, () => peers.read('w', 3))
    peers.advance(READ_PATIENCE_MS)
    // One message more to each, with what the other one has not answered.
    expect(peers.sent('read')).toHaveLength(all.length + 2)
    peers.deliver = () => true
    peers.advance(READ_PATIENCE_MS + READ_RETRY_MS + READ_GATHER_MAX_MS)
    expect(all.flat()).toEqual(all.map(() => 7))
  })

  it('are shared out among the owners', () => {
    const peers = outsider(2, 'a', 'b')
    peers.passed.length = 0
    for (let i = 0; i < 4; i++) peers.read('w', 3)
    const asked = peers.passed.filter(({ message }) => message.type === 'read').map(({ to }) => to)
    expect(asked).toHaveLength(4)
    for (const owner of ['a', 'b']) expect(asked.filter((to) => to === owner)).toHaveLength(2)
  })
})

describe('a peer that waits for as many reads as it can', () => {
  it('says to others that it does not know, and blames no peer', () => {
    const peers = outsider(1, 'a')
    peers.cut('w', 'a')
    peers.joinMemory('t', ['w'])
    peers.advance(1000)
    for (let i = 0; i < READS_MAX; i++)
      peers.peer('w').partitions.read([{ name: users(3), key: 'k' }], peers.now, () => undefined)
    expect(() => peers.read('w', 3)).toThrow(expect.objectContaining({ code: 'BACKLOG_FULL' }))
    const found = peers.read('t', 3)
    peers.run()
    expect(peers.sent('found', 'w')).toMatchObject([{ outcomes: Uint8Array.of(ReadOutcome.UNKNOWN) }])
    expect(peers.peer('w').offences.total).toBe(0)
    expect(found).toEqual([])
  })
})

describe('a hostile member', () => {
  const part = { collection: 'users', kind: 1, partition: 19, keys: [keyIn(3)] }
  it.each([
    ['about more keys than a question may have', [{ ...part, keys: Array.from({ length: 1024 }, () => 'k') }, part]],
    ['about a replicated collection', [{ ...part, partition: 0 }]],
  ])('that asks %s is refused', (_, parts) => {
    const peers = outsider(1, 'a')
    peers.give('a', { type: 'message', from: 'w', bytes: encodeMessage({ type: 'read', request: 1, parts }) })
    peers.run()
    expect(peers.peer('a').offences.total).toBe(1)
    expect(peers.sent('found')).toEqual([])
  })

  it('that answers what it was not asked, or too little, changes nothing', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 7)
    peers.deliver = ({ message }) => message.type !== 'read'
    const found = peers.read('w', 3)
    for (const [from, request] of [
      ['a', 99],
      ['a', 1],
      ['x', 1],
    ] as const) {
      const answer = { type: 'found', request, outcomes: new Uint8Array(0), block: new Uint8Array(0) } as const
      peers.give('w', { type: 'message', from, bytes: encodeMessage(answer) })
    }
    peers.run()
    expect(found).toEqual([])
    peers.deliver = () => true
    peers.advance(2000)
    expect(found).toEqual([7])
  })
})

describe('an owner that knows another registration of the collection', () => {
  it('answers nothing: what it lacks may be there', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 7)
    const { origin } = peers.placement('a').registered(users(3))!
    const outcomes = [origin, '0'.repeat(16), undefined].map((known) => {
      peers.passed.length = 0
      const name = { ...users(3), ...(known === undefined ? {} : { origin: known }) }
      for (const message of [
        { type: 'read', request: 90, parts: [{ ...name, keys: [keyIn(3)] }] },
        { type: 'scan', request: 91, ...name, after: '', prefix: '', keysMax: 5 },
        { type: 'count', request: 92, ...name, partitions: [name.partition] },
      ] as const) {
        peers.give('a', { type: 'message', from: 'w', bytes: encodeMessage(message) })
      }
      peers.run()
      const [found] = peers.sent('found')
      const [page] = peers.sent('page')
      const [counted] = peers.sent('counted')
      return [found!.outcomes[0], page!.answered, counted!.counts[0], counted!.outcomes[0]]
    })
    const answered = [ReadOutcome.ANSWERED, true, 1, ReadOutcome.ANSWERED]
    expect(outcomes).toEqual([answered, [ReadOutcome.UNKNOWN, false, 0, ReadOutcome.UNKNOWN], answered])
  })
})
