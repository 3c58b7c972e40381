import { describe, expect, it } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import { HINT_PATIENCE_MS, VALUE_MAX_BYTES, WRITE_RETRY_MS } from '../limits.ts'
import { OwningPeers, SETTLED_AFTER_MS, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'
import type { Partition } from '../replica/collections.ts'
import { HINT_PREFIX } from '../storage/opening.ts'
import { encodeMessage } from '../wire/messages.ts'
import { BlockWriter } from '../wire/block.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { RowOutcome } from './row-outcomes.ts'

/** A peer that owns nothing, with its disk, beside owners of every partition. */
function outsider(owners: number, ...names: string[]): { peers: OwningPeers; disk: TestDisk } {
  const peers = new OwningPeers().settle(usersOf(owners), ...names)
  const disk = new TestDisk()
  peers.joinWeightless('w', disk)
  peers.advance(2000)
  return { peers, disk }
}

/** The highest dot of a replica id that a peer has seen in a partition, and the ranges above the first gap. */
function seen(peers: OwningPeers, name: string, index: number, replicaId: string): [head: number, ranges: number] {
  const { collections } = peers.peer(name)
  const vector = collections.find(users(index))!.replica.vector
  const writer = collections.ids.indexOf(replicaId)
  return writer === undefined ? [0, 0] : [vector.head(writer), vector.rangesAbove(writer).length]
}

describe('a write to a partition of others', () => {
  it('is durable here as a hint, reaches every owner, and ends once all have confirmed it', () => {
    const { peers, disk } = outsider(2, 'a', 'b', 'c')
    const written = peers.writeTo('w', 3, 7)
    expect(written.hinted).toBe(true)
    expect(written.replicaId).not.toBe(peers.peer('w').replicaId)
    expect(peers.hintCount('w')).toBe(1)
    peers.run()
    expect(disk.keys(HINT_PREFIX)).toHaveLength(1)
    expect(peers.events('w', 'durable').at(-1)).toMatchObject({ writeId: written.writeId })
    for (const owner of peers.owners(3)) expect(peers.get(owner, 3)).toBe(7)
    peers.advance(1000)
    expect(peers.hintCount('w')).toBe(0)
    expect(disk.keys(HINT_PREFIX)).toEqual([])
    expect(peers.peer('w').collections.find(users(3))).toBeUndefined()
  })

  it('goes at once, without waiting for the own disk', () => {
    const { peers, disk } = outsider(1, 'a')
    disk.paused = true
    const { writeId } = peers.writeTo('w', 3, 7)
    peers.run()
    expect(peers.get('a', 3)).toBe(7)
    expect(peers.events('w', 'durable').filter((event) => event.writeId >= writeId)).toEqual([])
  })

  it('waits on the disk while no owner is in reach, also over a crash, and keeps its dot', () => {
    const { peers, disk } = outsider(2, 'a', 'b')
    for (const name of ['a', 'b']) peers.cut('w', name)
    const written = peers.writeTo('w', 3, 7)
    peers.writeTo('w', 3, 8, 1)
    peers.run()
    expect(peers.events('w', 'durable').at(-1)?.writeId).toBe(written.writeId + 1)
    peers.crash('w')
    peers.joinWeightless('w', disk)
    expect(peers.hintCount('w')).toBe(2)
    peers.advance(2000)
    expect([peers.get('a', 3), peers.get('b', 3), peers.get('b', 3, 1)]).toEqual([7, 7, 8])
    expect(seen(peers, 'a', 3, written.replicaId)).toEqual([2, 0])
    expect(peers.hintCount('w')).toBe(0)
    // A life of its own: its dots are under another id.
    expect(peers.writeTo('w', 3, 9, 2).replicaId).not.toBe(written.replicaId)
  })

  it('of a key that was written twice while the disk was busy stays on the disk over every crash, until owners have it', () => {
    const { peers, disk: busy } = outsider(2, 'a', 'b')
    for (const name of ['a', 'b']) peers.cut('w', name)
    busy.paused = true
    peers.writeTo('w', 3, 6, 1)
    for (const value of [7, 8]) peers.writeTo('w', 3, value)
    busy.paused = false
    peers.answer('w')
    peers.run()
    for (let life = 0; life < 3; life++) {
      const disk = peers.crash('w')!
      peers.joinWeightless('w', disk, [])
      expect(peers.hintCount('w')).toBe(2)
      peers.advance(WRITE_RETRY_MS)
    }
    for (const name of ['a', 'b']) peers.link('w', name)
    peers.advance(2000)
    expect([peers.get('a', 3), peers.get('b', 3)]).toEqual([8, 8])
    expect(peers.hintCount('w')).toBe(0)
  })

  it('of a key replaces the one before, whose dot counts as seen at the owners', () => {
    const { peers, disk } = outsider(2, 'a', 'b')
    for (const name of ['a', 'b']) peers.cut('w', name)
    let written = peers.writeTo('w', 3, 0)
    for (let value = 1; value < 5; value++) {
      written = peers.writeTo('w', 3, value)
      peers.writeTo('w', 3, value, 1)
    }
    peers.run()
    expect(peers.hintCount('w')).toBe(2)
    peers.crash('w')
    peers.joinWeightless('w', disk)
    peers.advance(2000)
    expect([peers.get('a', 3), peers.get('b', 3), peers.get('a', 3, 1)]).toEqual([4, 4, 4])
    expect(seen(peers, 'a', 3, written.replicaId)).toEqual([9, 0])
    expect(seen(peers, 'b', 3, written.replicaId)).toEqual([9, 0])
  })

  it('ends when two owners have it and the third has been silent for long, and that one gets it from them', () => {
    const { peers } = outsider(3, 'a', 'b', 'c')
    peers.cut('w', 'c')
    peers.cut('a', 'c')
    peers.cut('b', 'c')
    peers.writeTo('w', 3, 7)
    peers.advance(HINT_PATIENCE_MS - 2000)
    expect(peers.hintCount('w')).toBe(1)
    peers.advance(4000)
    expect(peers.hintCount('w')).toBe(0)
    peers.link('b', 'c')
    peers.advance(SETTLED_AFTER_MS)
    expect(peers.get('c', 3)).toBe(7)
  })

  it('with one owner that answers never ends: it has one copy only', () => {
    const { peers } = outsider(2, 'a', 'b')
    peers.cut('w', 'b')
    peers.writeTo('w', 3, 7)
    peers.advance(2 * HINT_PATIENCE_MS)
    expect(peers.hintCount('w')).toBe(1)
  })

  it('starts no session for the gap that a newer write leaves while an older one is under way', () => {
    const { peers } = outsider(1, 'a')
    peers.deliver = ({ message }) => message.type !== 'write'
    peers.writeTo('w', 3, 1)
    peers.run()
    peers.deliver = () => true
    peers.passed.length = 0
    peers.writeTo('w', 3, 2, 1)
    peers.run()
    expect(peers.get('a', 3, 1)).toBe(2)
    peers.advance(1000)
    expect(peers.sent('digest')).toEqual([])
  })

  it('is no conflict with what its writer did not see', () => {
    const { peers } = outsider(1, 'a')
    peers.writeTo('a', 3, 1)
    peers.advance(1000)
    peers.writeTo('w', 3, 2)
    peers.advance(1000)
    expect(peers.get('a', 3)).toBe(2)
    expect(peers.peer('a').collections.find(users(3))!.replica.conflicts).toBe(0)
  })

  it('is refused when too many wait', () => {
    const { peers } = outsider(1, 'a')
    peers.cut('w', 'a')
    const bytes = encodeValue(new Uint8Array(VALUE_MAX_BYTES - 8), VALUE_MAX_BYTES)
    const fill = (): void => {
      for (let i = 0; i < 100; i++) peers.peer('w').partitions.write(users(3), keyIn(3, i), bytes, peers.now)
    }
    expect(fill).toThrow(expect.objectContaining({ code: 'BACKLOG_FULL' }))
  })
})

describe('what a row supersedes', () => {
  it('counts as seen where the row was taken, whatever became of others in the message', () => {
    const { peers } = outsider(1, 'a')
    peers.cut('w', 'a')
    // The first row is dated too far ahead for the owner.
    peers.skewMs.set('w', 120_000)
    peers.writeTo('w', 4, 1)
    peers.skewMs.clear()
    peers.peer('w').time.hybridClock.setBack(0)
    peers.writeTo('w', 3, 1)
    const written = peers.writeTo('w', 3, 2)
    peers.link('w', 'a')
    peers.run()
    expect(peers.get('a', 3)).toBe(2)
    expect(seen(peers, 'a', 3, written.replicaId)).toEqual([2, 0])
  })
})

describe('an owner', () => {
  it('confirms the row and not its dot: a dot that counts as seen brings no row', () => {
    const { peers } = outsider(1, 'a')
    peers.deliver = ({ message }) => message.type !== 'write'
    const written = peers.writeTo('w', 3, 7)
    peers.run()
    const { collections } = peers.peer('a')
    const partition = collections.locate(users(3)) as Partition
    partition.replica.vector.add(collections.ids.intern(written.replicaId), written.sequence)
    peers.deliver = () => true
    peers.advance(3 * WRITE_RETRY_MS)
    expect(peers.get('a', 3)).toBe(7)
    expect(peers.hintCount('w')).toBe(0)
  })

  it('answers when the row is durable', () => {
    const disks = new Map([['a', new TestDisk()]])
    const peers = new OwningPeers()
    peers.join('a', disks.get('a'))
    peers.advance(1000)
    peers.peer('a').open(usersOf(1))
    peers.advance(SETTLED_AFTER_MS)
    peers.joinWeightless('w')
    peers.advance(2000)
    disks.get('a')!.paused = true
    peers.writeTo('w', 3, 7)
    peers.advance(1000)
    expect(peers.get('a', 3)).toBe(7)
    expect(peers.sent('written')).toEqual([])
    expect(peers.hintCount('w')).toBe(1)
    disks.get('a')!.paused = false
    peers.answer('a')
    peers.advance(1000)
    expect(peers.sent('written')).toHaveLength(1)
    expect(peers.hintCount('w')).toBe(0)
  })

  it('says that a row is dated too far ahead, and takes it when its time has come', () => {
    const { peers } = outsider(1, 'a')
    peers.skewMs.set('w', 120_000)
    peers.writeTo('w', 3, 7)
    peers.skewMs.clear()
    peers.run()
    expect(peers.sent('written').at(-1)?.outcomes).toEqual(Uint8Array.of(RowOutcome.AHEAD))
    expect(peers.events('w', 'refused').at(-1)?.error.code).toBe('CLOCK_AHEAD')
    expect(peers.peer('a').inbound.quarantine.count).toBe(0)
    peers.advance(180_000)
    expect(peers.get('a', 3)).toBe(7)
    expect(peers.hintCount('w')).toBe(0)
  })

  it('that has no copy yet keeps what it is given, and has it in its copy as soon as that begins', () => {
    const { peers } = outsider(2, 'a', 'b')
    // A new owner reaches no whole copy.
    peers.join('d', new TestDisk(), ['w'])
    peers.advance(SETTLED_AFTER_MS)
    const index = peers.partition(['d'])
    expect(peers.placement('d').copies.has(users(index))).toBe(false)
    for (const name of ['a', 'b']) peers.cut('w', name)
    peers.writeTo('w', index, 7)
    peers.advance(2000)
    expect(peers.hintCount('d')).toBe(1)
    peers.crash('w')
    for (const name of ['a', 'b']) peers.link(name, 'd')
    peers.advance(2 * SETTLED_AFTER_MS)
    for (const owner of peers.owners(index)) expect(peers.get(owner, index)).toBe(7)
    expect(peers.hintCount('d')).toBe(0)
  })

  it('of a partition whose own copy is not whole gives out no dot of its replica id there', () => {
    const { peers } = outsider(2, 'a', 'b')
    const index = 3
    const copies = peers.placement('a').copies
    copies.drop(users(index))
    copies.begin(users(index), peers.placement('a').registered(users(index))!.origin)
    const written = peers.writeTo('a', index, 7)
    expect(written.hinted).toBe(true)
    expect(() => peers.put('a', index, 8)).toThrow(expect.objectContaining({ code: 'NOT_HELD' }))
    peers.run()
    expect([peers.get('a', index), peers.get('b', index)]).toEqual([7, 7])
    peers.advance(2000)
    expect(peers.hintCount('a')).toBe(0)
  })
})

describe('a blob of hints that is damaged', () => {
  it('takes no later hint with it when it is deleted', () => {
    const { peers } = outsider(1, 'a')
    peers.cut('w', 'a')
    peers.writeTo('w', 3, 7)
    peers.run()
    const disk = peers.crash('w')!
    const [damaged] = disk.keys('hint/')
    disk.blobs.set(damaged!, new Uint8Array(40).fill(0xff))
    peers.joinWeightless('w', disk, [])
    peers.writeTo('w', 4, 8)
    // Until what was damaged is repaired.
    peers.advance(60_000)
    expect(disk.keys('hint/')).toHaveLength(1)
    expect(disk.keys('hint/')).not.toContain(damaged)
    peers.joinWeightless('w', peers.crash('w'), [])
    expect(peers.readNow('w', 4)).toEqual([])
    expect(peers.hintCount('w')).toBe(1)
  })
})

describe('a peer that is no owner', () => {
  it('keeps what it is given and passes it on, durably', () => {
    const { peers } = outsider(1, 'a')
    const disk = new TestDisk()
    peers.joinWeightless('v', disk, ['w'])
    peers.advance(2000)
    peers.cut('w', 'a')
    const { id } = raw(peers, 'w', 'v', 3, 7)
    peers.run()
    expect(peers.sent('written', 'v').at(-1)?.outcomes).toEqual(Uint8Array.of(RowOutcome.KEPT))
    expect(peers.get('a', 3)).toBeUndefined()
    peers.crash('v')
    peers.joinWeightless('v', disk, ['a'])
    peers.advance(2000)
    expect(peers.get('a', 3)).toBe(7)
    expect(seen(peers, 'a', 3, id)).toEqual([1, 0])
    expect(peers.hintCount('v')).toBe(0)
  })

  it('has room for so much of one peer, and goes on taking rows of others', () => {
    const { peers } = outsider(1, 'a')
    peers.cut('w', 'a')
    for (const name of ['x', 'y']) peers.joinWeightless(name, new TestDisk(), ['w'])
    peers.advance(2000)
    const outcomes: number[] = []
    for (let i = 0; i < 6; i++) {
      raw(peers, 'x', 'w', 3, 1, { number: i, bytes: VALUE_MAX_BYTES - 8 })
      peers.run()
      outcomes.push(...peers.sent('written', 'w').at(-1)!.outcomes)
    }
    expect(outcomes).toEqual([1, 1, 1, RowOutcome.FULL, RowOutcome.FULL, RowOutcome.FULL])
    raw(peers, 'y', 'w', 3, 1, { number: 7 })
    peers.run()
    expect(peers.sent('written', 'w').at(-1)!.outcomes).toEqual(Uint8Array.of(RowOutcome.KEPT))
  })
})

describe('copies', () => {
  it('count owners, and every peer in reach that has a copy must have the write', () => {
    const { peers } = outsider(2, 'a', 'b', 'c')
    const index = peers.partition(['a', 'b'], ['c'])
    // One that is no owner any more, or not yet, and has a copy.
    const { copies, peerId } = peers.placement('c')
    copies.begin(users(index), peers.placement('c').registered(users(index))!.origin)
    peers.placement('w').shown(peerId, copies)
    peers.placement('w').isHandedOver = () => false
    peers.deliver = ({ message, to }) => !(message.type === 'write' && to === 'c')
    const written = peers.writeTo('w', index, 7)
    const request = peers.peer('w').partitions.countCopies(users(index), keyIn(index), written, 2)
    peers.run()
    expect(
      peers
        .events('w', 'copies')
        .filter((event) => event.request === request)
        .at(-1),
    ).toMatchObject({
      copies: 2,
      isEnough: false,
    })
    peers.deliver = () => true
    peers.advance(4 * WRITE_RETRY_MS)
    expect(peers.events('w', 'copies').at(-1)).toMatchObject({ request, copies: 2, isEnough: true })
  })

  it('of an owner that writes wait for the other copies in reach as well', () => {
    const { peers } = outsider(3, 'a', 'b', 'c')
    const index = 3
    peers.deliver = ({ message, to }) => !(message.type === 'confirm' && to === 'c')
    const written = peers.writeTo('a', index, 7)
    peers.run()
    const request = peers.peer('a').partitions.countCopies(users(index), keyIn(index), written, 2)
    peers.advance(100)
    expect(peers.events('a', 'copies').at(-1)).toMatchObject({ request, copies: 2, isEnough: false })
    peers.cut('a', 'c')
    peers.deliver = () => true
    peers.link('a', 'c')
    peers.advance(5000)
    expect(peers.events('a', 'copies').at(-1)).toMatchObject({ request, copies: 3, isEnough: true })
  })
})

describe('a count of copies', () => {
  it('keeps its hint until it is cancelled', () => {
    const { peers } = outsider(1, 'a')
    const written = peers.writeTo('w', 3, 7)
    const request = peers.peer('w').partitions.countCopies(users(3), keyIn(3), written, 2)
    peers.advance(5000)
    expect(peers.hintCount('w')).toBe(1)
    expect(peers.events('w', 'copies').at(-1)).toMatchObject({ request, copies: 1, isEnough: false })
    peers.peer('w').partitions.cancelCopies(request)
    peers.advance(2000)
    expect(peers.hintCount('w')).toBe(0)
  })
})

describe('a peer without a directory', () => {
  it('hands its write to an owner, which issues it under its own dot with its date', () => {
    const { peers } = outsider(1, 'a')
    peers.joinMemory('t')
    peers.advance(2000)
    const idsBefore = peers.peer('a').collections.ids.count
    const written = peers.writeTo('t', 3, 7)
    peers.advance(1000)
    const { replica } = peers.peer('a').collections.find(users(3))!
    const slot = replica.table.slotOf(keyIn(3))!
    expect(peers.get('a', 3)).toBe(7)
    expect(replica.table.hlc(slot)).toBe(written.hlc)
    expect(peers.peer('a').collections.ids.id(replica.table.writer(slot))).toBe(peers.peer('a').replicaId)
    expect(peers.hintCount('t')).toBe(0)
    // However often tabs come and go, owners keep no id of them.
    for (let i = 0; i < 3; i++) {
      peers.crash('t')
      peers.joinMemory('t')
      peers.advance(2000)
      peers.writeTo('t', 3, i)
      peers.advance(1000)
      expect(peers.get('a', 3)).toBe(i)
    }
    expect(peers.peer('a').collections.ids.count - idsBefore).toBeLessThanOrEqual(1)
  })

  it('that reaches no owner hands it to a durable member, which passes it on as its own', () => {
    const { peers } = outsider(1, 'a')
    peers.joinMemory('t', ['w'])
    peers.advance(2000)
    peers.writeTo('t', 3, 7)
    peers.advance(2000)
    expect(peers.get('a', 3)).toBe(7)
    expect([peers.hintCount('t'), peers.hintCount('w')]).toEqual([0, 0])
  })

  it('does not put its write in the place of a later one of the member that passes it on', () => {
    const { peers } = outsider(1, 'a')
    peers.joinMemory('t', ['w'])
    peers.advance(2000)
    peers.cut('w', 'a')
    peers.deliver = ({ from }) => from !== 't'
    peers.writeTo('t', 3, 1)
    peers.advance(100)
    peers.writeTo('w', 3, 2)
    peers.deliver = () => true
    peers.advance(3 * WRITE_RETRY_MS)
    expect(peers.hintCount('t')).toBe(0)
    peers.link('w', 'a')
    peers.advance(2000)
    expect(peers.get('a', 3)).toBe(2)
  })

  it('asks the next one when the first does not answer, and gives the same state at both', () => {
    const { peers } = outsider(2, 'a', 'b')
    peers.joinMemory('t')
    peers.advance(2000)
    peers.deliver = ({ message }) => message.type !== 'written'
    const written = peers.writeTo('t', 3, 7)
    peers.advance(WRITE_RETRY_MS + 2000)
    peers.deliver = () => true
    peers.advance(30_000)
    expect(peers.hintCount('t')).toBe(0)
    for (const owner of ['a', 'b']) {
      const { table } = peers.peer(owner).collections.find(users(3))!.replica
      expect([peers.get(owner, 3), table.hlc(table.slotOf(keyIn(3))!)]).toEqual([7, written.hlc])
    }
    expect(peers.peer('a').collections.root('b')).toBe(peers.peer('b').collections.root('a'))
  })
})

describe('an id that another process uses too', () => {
  it('is given up when an owner has seen more of it than was given out, and nothing is lost', () => {
    const { peers } = outsider(1, 'a')
    const first = peers.writeTo('w', 3, 1)
    peers.advance(1000)
    // The same process once more, as a copied machine would go on.
    raw(peers, 'x', 'a', 3, 9, { id: first.replicaId, sequence: 2, number: 5 })
    peers.run()
    const second = peers.writeTo('w', 3, 2)
    expect(second).toMatchObject({ replicaId: first.replicaId, sequence: 2 })
    peers.advance(2000)
    expect([peers.get('a', 3), peers.get('a', 3, 5)]).toEqual([2, 9])
    expect(peers.events('w', 'replica-id').at(-1)?.replicaId).not.toBe(first.replicaId)
    const third = peers.writeTo('w', 3, 3, 1)
    expect(third.replicaId).not.toBe(first.replicaId)
    peers.advance(2000)
    expect(peers.get('a', 3, 1)).toBe(3)
    expect(peers.hintCount('w')).toBe(0)
  })
})

describe('a hostile member', () => {
  const header = { type: 'write', request: 1, view: '0'.repeat(16) } as const
  const give = (peers: OwningPeers, message: object): void => {
    const bytes = encodeMessage({ ...header, ...message } as never)
    peers.give('a', { type: 'message', from: 'w', bytes })
    peers.run()
  }
  const block = (write: (writer: BlockWriter, ids: ReplicaIds) => void): Uint8Array => {
    const ids = new ReplicaIds()
    const writer = new BlockWriter(ids)
    write(writer, ids)
    return writer.take()
  }
  const row = { hlc: 1, sequence: 1, replaced: 0, bytes: Uint8Array.of(1), start: 0, end: 1, writer: 0 }

  it.each([
    ['no rows', {}, () => undefined],
    [
      'more rows than a message may have',
      {},
      (writer: BlockWriter) => {
        for (let i = 0; i < 513; i++) writer.row(users(3), { ...row, key: keyIn(3), sequence: i + 1 })
      },
    ],
    [
      'rows of a replicated collection',
      {},
      (writer: BlockWriter) => writer.row({ collection: 'users', kind: 1, partition: 0 }, { ...row, key: 'k' }),
    ],
    ['rows of another partition', {}, (writer: BlockWriter) => writer.row(users(3), { ...row, key: keyIn(4) })],
    [
      'rows under an id that are to be issued again',
      { reissue: true },
      (writer: BlockWriter) => writer.row(users(3), { ...row, key: keyIn(3) }),
    ],
  ] as const)('is refused with %s, and nothing is taken', (_, fields, write) => {
    const { peers } = outsider(1, 'a')
    give(peers, {
      ...fields,
      block: block((writer, ids) => {
        ids.intern('0123456789abcdef')
        write(writer)
      }),
    })
    expect(peers.peer('a').offences.total).toBe(1)
    expect(peers.sent('written')).toEqual([])
    expect(peers.get('a', 3)).toBeUndefined()
  })

  it("that sends a row under the receiver's own replica id is refused, and nothing else of the message is taken", () => {
    const { peers } = outsider(1, 'a')
    const bytes = block((writer, ids) => {
      writer.row(users(3), { ...row, key: keyIn(3), writer: ids.intern('0123456789abcdef') })
      writer.row(users(3), { ...row, key: keyIn(3, 1), writer: ids.intern(peers.peer('a').replicaId), sequence: 99 })
    })
    // The first time the id is given up, and soon after that it is not.
    for (let times = 0; times < 2; times++) give(peers, { block: bytes.slice() })
    const own = block((writer, ids) => {
      writer.row(users(4), { ...row, key: keyIn(4), writer: ids.intern('0123456789abcdef') })
      writer.row(users(4), { ...row, key: keyIn(4, 1), writer: ids.intern(peers.peer('a').replicaId), sequence: 99 })
    })
    give(peers, { block: own })
    expect(peers.events('a', 'refused').at(-1)?.error.code).toBe('REPLICA_ID_REFUSED')
    expect(peers.get('a', 4)).toBeUndefined()
  })

  it('that answers what it was not asked, or more than it was asked, changes nothing', () => {
    const { peers } = outsider(2, 'a', 'b')
    peers.deliver = ({ message, to }) => !(message.type === 'write' && to === 'b')
    peers.writeTo('w', 3, 7)
    peers.run()
    for (const answer of [
      { request: 99, outcomes: Uint8Array.of(0) },
      { request: 2, outcomes: new Uint8Array(0) },
    ]) {
      const bytes = encodeMessage({ type: 'written', heads: [], ...answer })
      peers.give('w', { type: 'message', from: 'b', bytes })
    }
    peers.advance(1000)
    expect(peers.hintCount('w')).toBe(1)
    expect(peers.get('b', 3)).toBeUndefined()
  })
})

/** A `write` as another peer would send it, of one row under an id that no peer here has. */
function raw(
  peers: OwningPeers,
  from: string,
  to: string,
  index: number,
  value: number,
  { id = 'feedfacefeedface', sequence = 1, number = 0, bytes = 1 } = {},
): { id: string } {
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  const payload = bytes === 1 ? Uint8Array.of(value) : encodeValue(new Uint8Array(bytes), VALUE_MAX_BYTES)
  writer.row(users(index), {
    key: keyIn(index, number),
    hlc: peers.peer(to).hlc + 1,
    writer: ids.intern(id),
    sequence,
    replaced: 0,
    bytes: payload,
    start: 0,
    end: payload.length,
  })
  const message = { type: 'write', request: 900 + number, view: '0'.repeat(16), block: writer.take() } as const
  peers.give(to, { type: 'message', from, bytes: encodeMessage(message) })
  return { id }
}
