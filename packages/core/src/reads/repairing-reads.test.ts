import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Row } from '../entries/entry-table.ts'
import { READ_PATIENCE_MS, READ_TIMEOUT_MS } from '../limits.ts'
import { OwningPeers, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import type { Passed } from '../rig/wired-peers.ts'
import { encodeMessage } from '../wire/messages.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { largestOf, missingIn } from '../routing/missing-rows.ts'

const OWNERS = ['a', 'b', 'c'] as const
type Owner = (typeof OWNERS)[number]
type Found = (number | 'nothing' | 'unreachable')[]

/** Three owners of every partition and a reader, none of them connected with another. The owners have the versions that were written. */
function differing(write: (peers: OwningPeers) => void): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(3), ...OWNERS)
  peers.joinWeightless('w')
  peers.advance(3000)
  for (const owner of OWNERS) peers.cut('w', owner)
  write(peers)
  for (const [a, b] of [
    ['a', 'b'],
    ['a', 'c'],
    ['b', 'c'],
  ] as const)
    peers.cut(a, b)
  // Owners that stay apart for long have compared with all that they reach.
  peers.deliver = ({ from, message }, to) =>
    !(message.type === 'digest' && (OWNERS as readonly string[]).includes(from) && to !== 'w')
  for (const owner of OWNERS) peers.link('w', owner)
  peers.advance(6000)
  return peers
}

/** a has v1, b a tombstone t2, c v3. */
function threeVersions(): OwningPeers {
  return differing((peers) => {
    peers.writeTo('c', 3, 1)
    peers.advance(3000)
    peers.cut('a', 'c')
    peers.cut('a', 'b')
    peers.writeTo('c', 3, undefined)
    peers.advance(3000)
    peers.cut('b', 'c')
    peers.writeTo('c', 3, 3)
    peers.advance(1000)
  })
}

function readAll(peers: OwningPeers, name: string): Found {
  const found: Found = []
  peers.peer(name).partitions.readAll({ name: users(3), key: keyIn(3) }, peers.nowOf(name), ({ rows }) => {
    const bytes = rows?.[0]?.bytes
    found.push(rows === undefined ? 'unreachable' : (bytes?.[rows[0]!.start] ?? 'nothing'))
  })
  peers.give(name, { type: 'tick' })
  return found
}

/** What the owners have: undefined stands for a tombstone. */
function stored(peers: OwningPeers): (number | undefined)[] {
  return OWNERS.map((owner) => {
    const { table } = peers.peer(owner).collections.find(users(3))!.replica
    const slot = table.slotOf(keyIn(3))
    return slot === undefined || table.deleted(slot) ? undefined : peers.get(owner, 3)
  })
}

function give(peers: OwningPeers, { from, message }: Passed, to: string): void {
  peers.give(to, { type: 'message', from, bytes: encodeMessage(message) })
}

function orders<T>(all: readonly T[]): T[][] {
  return all.length < 2
    ? [[...all]]
    : all.flatMap((first) => orders(all.filter((each) => each !== first)).map((rest) => [first, ...rest]))
}

describe('a read of all owners', () => {
  it.each(orders(OWNERS))(
    'whose answers come in the order %s %s %s finds the latest version and mends the others',
    (...order) => {
      const peers = threeVersions()
      expect(stored(peers)).toEqual([1, undefined, 3])
      const answers = new Map<string, Passed>()
      const deliver = peers.deliver
      peers.deliver = (passed, to) => {
        if (passed.message.type !== 'found' || to !== 'w') return deliver(passed, to)
        answers.set(passed.from, passed)
        return false
      }
      const found = readAll(peers, 'w')
      peers.run()
      expect([...answers.keys()].toSorted()).toEqual(OWNERS)
      peers.deliver = deliver
      for (const owner of order) {
        expect(found).toEqual([])
        give(peers, answers.get(owner)!, 'w')
      }
      expect(found).toEqual([3])
      peers.run()
      expect(stored(peers)).toEqual([3, 3, 3])
      peers.passed.length = 0
      const second = readAll(peers, 'w')
      peers.run()
      expect(second).toEqual([3])
      expect(peers.sent('write')).toEqual([])
      expect(dotsOf(peers)).toEqual(dotsOf(peers, 'c'))
    },
  )

  it.each(OWNERS)('while %s takes a later write leaves that write everywhere', (writer: Owner) => {
    const peers = threeVersions()
    const deliver = peers.deliver
    const repairs: [Passed, string][] = []
    peers.deliver = (passed, to) => {
      if (passed.message.type !== 'write') return deliver(passed, to)
      repairs.push([passed, to])
      return false
    }
    const found = readAll(peers, 'w')
    peers.run()
    expect(found).toEqual([3])
    peers.deliver = deliver
    peers.writeTo(writer, 3, 4)
    peers.run()
    for (const [passed, to] of repairs) give(peers, passed, to)
    peers.run()
    expect(readAll(peers, 'w')).toEqual([])
    peers.run()
    expect(stored(peers)).toEqual([4, 4, 4])
    peers.passed.length = 0
    readAll(peers, 'w')
    peers.run()
    expect(peers.sent('write')).toEqual([])
  })

  it('takes a missing entry for a tombstone, and repairs it neither the first nor the second time', () => {
    const peers = differing((all) => {
      all.cut('a', 'b')
      all.cut('a', 'c')
      all.writeTo('b', 3, undefined)
      all.advance(3000)
    })
    expect(peers.peer('a').collections.find(users(3))?.replica.table.slotOf(keyIn(3))).toBeUndefined()
    for (let time = 0; time < 2; time++) {
      peers.passed.length = 0
      const found = readAll(peers, 'w')
      peers.run()
      expect(found).toEqual(['nothing'])
      expect(peers.sent('write')).toEqual([])
    }
  })

  it('of an owner that is behind itself mends its own copy as well', () => {
    const peers = threeVersions()
    for (const other of ['b', 'c']) peers.link('a', other)
    peers.advance(6000)
    expect(stored(peers)).toEqual([1, undefined, 3])
    const found = readAll(peers, 'a')
    peers.run()
    expect(found).toEqual([3])
    expect(stored(peers)).toEqual([3, 3, 3])
  })

  it('passes over an owner that does not answer within a second', () => {
    const peers = threeVersions()
    const deliver = peers.deliver
    peers.deliver = (passed, to) => !(passed.message.type === 'read' && to === 'a') && deliver(passed, to)
    const found = readAll(peers, 'w')
    peers.advance(READ_PATIENCE_MS - 100)
    expect(found).toEqual([])
    peers.advance(200)
    expect(found).toEqual([3])
  })

  it('goes on without an owner that is cut off meanwhile', () => {
    const peers = threeVersions()
    const deliver = peers.deliver
    peers.deliver = (passed, to) => !(passed.message.type === 'read' && to === 'a') && deliver(passed, to)
    const found = readAll(peers, 'w')
    peers.run()
    peers.cut('w', 'a')
    peers.run()
    expect(found).toEqual([3])
  })

  it('is unreachable where no whole copy answers, and never nothing', () => {
    const peers = threeVersions()
    for (const owner of OWNERS) peers.cut('w', owner)
    const found = readAll(peers, 'w')
    peers.advance(READ_TIMEOUT_MS - 100)
    expect(found).toEqual([])
    peers.advance(200)
    expect(found).toEqual(['unreachable'])
  })
})

/** The dots of the rows of the key at the owners, or at one of them as often. */
function dotsOf(peers: OwningPeers, name?: Owner): string[] {
  return OWNERS.map((owner) => {
    const { collections } = peers.peer(name ?? owner)
    const { table } = collections.find(users(3))!.replica
    const slot = table.slotOf(keyIn(3))!
    return `${collections.ids.id(table.writer(slot))}/${table.sequence(slot)}`
  })
}

describe('the rows that a copy is behind by', () => {
  const ids = new ReplicaIds()
  const writer = ids.intern('00000000000000aa')
  const row = fc
    .record({ key: fc.constantFrom('x', 'y', 'z'), hlc: fc.nat(5), dead: fc.boolean() })
    .map(({ key, hlc, dead }): Row => ({
      ...{ key, hlc, writer, sequence: hlc + 1, replaced: 0, start: 0, end: dead ? 0 : 1 },
      bytes: dead ? undefined : Uint8Array.of(1),
    }))
  const copy = fc.uniqueArray(row, { selector: ({ key }) => key })

  it('make all copies equal, but for tombstones of what they do not have', () => {
    fc.assert(
      fc.property(fc.array(copy, { minLength: 1, maxLength: 4 }), (copies) => {
        const largest = largestOf(1, ids, copies)
        for (const each of copies) {
          const missing = missingIn(1, ids, each, largest)
          const mended = largestOf(1, ids, [each, missing])
          expect(missingIn(1, ids, mended, largest)).toEqual([])
          const lacks = largest.filter(({ key }) => !mended.some((has) => has.key === key))
          expect(lacks.every(({ bytes }) => bytes === undefined)).toBe(true)
        }
      }),
    )
  })
})
