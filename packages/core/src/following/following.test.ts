import { describe, expect, it } from 'vitest'
import { FOLLOW_HOLD_MS, FOLLOW_ROWS_MAX } from '../follow-limits.ts'
import { OwningPeers, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import type { Follow, Followed } from './following.ts'
import { encodeMessage } from '../wire/messages.ts'
import { Floor } from '../versions/floor.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'

/** Owners of every partition, and a peer that owns nothing. */
function outsider(owners: number, ...names: string[]): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(owners), ...names)
  peers.joinWeightless('w')
  peers.advance(3000)
  return peers
}

/** Follows partition 3, question after question. What it knows of each key is a number, or undefined for a tombstone. */
class Reader {
  readonly entries = new Map<string, number | undefined>()
  readonly answers: Followed[] = []
  readonly seen: string[] = []
  since: Uint8Array | undefined
  stop: () => void = () => undefined
  readonly #peers: OwningPeers
  readonly #name: string
  readonly #options: Partial<Follow>

  constructor(peers: OwningPeers, name: string, options: Partial<Follow> = {}) {
    this.#peers = peers
    this.#name = name
    this.#options = options
    this.since = options.since
  }

  ask(): this {
    const { since } = this
    const follow = { name: users(3), prefix: '', exact: false, initial: true, ...this.#options, since }
    this.stop = this.#peers.peer(this.#name).partitions.follow(follow, this.#peers.nowOf(this.#name), (followed) => {
      this.answers.push(followed)
      this.since = followed.since
      if (followed.reset) this.entries.clear()
      for (const { key, rows } of followed.keys) {
        const value = rows[0]!.bytes?.[rows[0]!.start]
        this.entries.set(key, value)
        this.seen.push(`${key}=${value}`)
      }
    })
    this.#peers.give(this.#name, { type: 'tick' })
    return this
  }

  /** Asks until an answer has nothing new, which is left to wait. */
  catchUp(): this {
    for (let before = -1; before !== this.answers.length;) {
      before = this.answers.length
      this.ask()
      this.#peers.run()
    }
    return this
  }

  /** What is there. */
  get live(): Record<string, number> {
    return Object.fromEntries([...this.entries].filter((entry): entry is [string, number] => entry[1] !== undefined))
  }
}

describe('following a partition', () => {
  it.each(['a', 'w'])('begins with all that is there, and goes on with each change, at %s', (name) => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 1, 0)
    peers.writeTo('a', 3, 2, 1)
    peers.writeTo('a', 3, undefined, 1)
    peers.advance(1000)
    const reader = new Reader(peers, name).catchUp()
    expect(reader.live).toEqual({ [keyIn(3, 0)]: 1 })
    const before = reader.answers.length
    peers.writeTo('a', 3, 5, 2)
    peers.run()
    expect(reader.answers.length).toBe(before + 1)
    expect(reader.answers.at(-1)!.keys.map(({ key }) => key)).toEqual([keyIn(3, 2)])
    reader.catchUp()
    peers.writeTo('a', 3, undefined, 0)
    peers.run()
    expect(reader.live).toEqual({ [keyIn(3, 2)]: 5 })
  })

  it('without initial entries begins with what comes', () => {
    const peers = outsider(1, 'a')
    peers.writeTo('a', 3, 1)
    const reader = new Reader(peers, 'w', { initial: false }).catchUp()
    expect(reader.seen).toEqual([])
    peers.writeTo('a', 3, 2)
    peers.run()
    expect(reader.seen).toEqual([`${keyIn(3)}=2`])
  })

  it('of a partition that has nothing hears of its first entry', () => {
    const peers = outsider(1, 'a')
    const reader = new Reader(peers, 'w').catchUp()
    expect(reader.answers.length).toBe(1)
    peers.writeTo('a', 3, 1)
    peers.run()
    expect(reader.live).toEqual({ [keyIn(3)]: 1 })
  })

  it('hears only of the keys that it wants, and costs no message for others', () => {
    const peers = outsider(1, 'a')
    const one = new Reader(peers, 'w', { prefix: keyIn(3, 1), exact: true }).catchUp()
    peers.passed.length = 0
    for (let i = 0; i < 20; i++) peers.writeTo('a', 3, i % 20, 0)
    peers.advance(1000)
    expect([one.seen, peers.sent('followed')]).toEqual([[], []])
    peers.writeTo('a', 3, 7, 1)
    peers.run()
    expect(one.seen).toEqual([`${keyIn(3, 1)}=7`])
    one.catchUp()
    expect(one.seen.length).toBe(1)
  })

  it('gets nothing of an owner before it is durable there', () => {
    const disk = new TestDisk()
    const peers = new OwningPeers()
    peers.join('a', disk)
    peers.advance(1000)
    peers.peer('a').open(usersOf(1))
    peers.advance(30_000)
    peers.joinWeightless('w')
    peers.advance(3000)
    const reader = new Reader(peers, 'w').catchUp()
    disk.paused = true
    peers.writeTo('a', 3, 1)
    peers.run()
    expect(reader.seen).toEqual([])
    disk.paused = false
    peers.answer('a')
    peers.run()
    expect(reader.seen).toEqual([`${keyIn(3)}=1`])
  })

  it('goes on at another owner without a gap, also at one that is behind', () => {
    const peers = outsider(2, 'a', 'b')
    peers.cut('w', 'b')
    const reader = new Reader(peers, 'w').catchUp()
    peers.writeTo('a', 3, 1, 0)
    peers.advance(3000)
    reader.catchUp()
    peers.cut('a', 'b')
    peers.writeTo('a', 3, 2, 0)
    peers.run()
    reader.catchUp()
    expect(reader.live).toEqual({ [keyIn(3)]: 2 })
    peers.writeTo('b', 3, 9, 1)
    peers.cut('w', 'a')
    peers.link('w', 'b')
    peers.advance(20_000)
    reader.catchUp()
    // What b does not have is not taken back.
    expect(reader.live).toEqual({ [keyIn(3)]: 2, [keyIn(3, 1)]: 9 })
    peers.link('a', 'b')
    peers.writeTo('a', 3, 3, 0)
    peers.advance(10_000)
    reader.catchUp()
    expect(reader.live).toEqual({ [keyIn(3)]: 3, [keyIn(3, 1)]: 9 })
  })

  it('at an owner that is behind is given what it has seen before again, once it has come there', () => {
    const peers = outsider(2, 'a', 'b')
    peers.cut('w', 'b')
    const reader = new Reader(peers, 'w').catchUp()
    peers.cut('a', 'b')
    peers.writeTo('b', 3, 1, 0)
    peers.advance(100)
    peers.writeTo('a', 3, 2, 0)
    peers.run()
    reader.catchUp()
    expect(reader.live).toEqual({ [keyIn(3)]: 2 })
    peers.cut('w', 'a')
    peers.link('w', 'b')
    peers.advance(20_000)
    reader.catchUp()
    peers.link('a', 'b')
    peers.advance(10_000)
    reader.catchUp()
    expect(reader.live).toEqual({ [keyIn(3)]: 2 })
  })

  it('keeps back what is dated too far ahead of its clock, and says when its time has come', () => {
    const peers = outsider(1, 'a')
    const reader = new Reader(peers, 'w').catchUp()
    peers.skewMs.set('a', 90_000)
    peers.writeTo('a', 3, 7)
    peers.run()
    const { ahead, keys } = reader.answers.at(-1)!
    expect([keys, ahead.map(({ key }) => key)]).toEqual([[], [keyIn(3)]])
    const isDue = (): boolean => peers.peer('w').partitions.isDue(ahead[0]!.rows, peers.nowOf('w'))
    expect(isDue()).toBe(false)
    peers.skewMs.set('a', 0)
    peers.advance(31_000)
    expect(isDue()).toBe(true)
  })

  it('is answered at once if it asks for that', () => {
    const peers = outsider(1, 'a')
    const reader = new Reader(peers, 'w').catchUp()
    const before = reader.answers.length
    const since = reader.since!
    const other = new Reader(peers, 'w', { since, atOnce: true }).ask()
    peers.run()
    expect([reader.answers.length, other.answers.length]).toEqual([before, 1])
    expect(other.answers[0]).toMatchObject({ keys: [], reset: false, more: false })
  })

  it('goes on from the earlier of two cursors with what either lacks', () => {
    const peers = outsider(2, 'a', 'b')
    const cursorOf = (name: string): Uint8Array => {
      let cursor: Uint8Array | undefined
      peers.peer(name).partitions.cursors([users(3)], peers.now, ([of]) => (cursor = of))
      return cursor!
    }
    peers.writeTo('a', 3, 1, 0)
    peers.advance(3000)
    peers.cut('a', 'b')
    peers.writeTo('a', 3, 2, 1)
    peers.writeTo('b', 3, 3, 2)
    peers.run()
    const [one, other] = [cursorOf('a'), cursorOf('b')]
    peers.link('a', 'b')
    peers.advance(5000)
    const { partitions } = peers.peer('w')
    const reader = new Reader(peers, 'w', { since: partitions.earlierCursor(one, other) }).ask()
    peers.run()
    expect(reader.live).toEqual({ [keyIn(3, 1)]: 2, [keyIn(3, 2)]: 3 })
    expect(partitions.earlierCursor(one, cursorOf('a'))).toBe(one)
    expect(partitions.earlierCursor(cursorOf('a'), one)).not.toBe(cursorOf('a'))
  })

  it('is answered with nothing after a minute, and asks again', () => {
    const peers = outsider(1, 'a')
    const reader = new Reader(peers, 'w').catchUp()
    const before = reader.answers.length
    peers.advance(FOLLOW_HOLD_MS - 1000)
    expect(reader.answers.length).toBe(before)
    peers.advance(3000)
    expect(reader.answers.length).toBe(before + 1)
    expect(reader.answers.at(-1)).toMatchObject({ keys: [], reset: false, more: false })
  })

  it('goes through a member that is not an owner, and ends with the connection to the reader', () => {
    const peers = outsider(1, 'a')
    peers.joinMemory('t', ['w'])
    peers.advance(2000)
    const reader = new Reader(peers, 't').catchUp()
    peers.writeTo('a', 3, 1)
    peers.run()
    expect(reader.live).toEqual({ [keyIn(3)]: 1 })
    reader.catchUp()
    peers.cut('t', 'w')
    peers.writeTo('a', 3, 2)
    peers.advance(1000)
    expect(reader.live).toEqual({ [keyIn(3)]: 1 })
    peers.link('t', 'w')
    peers.advance(2000)
    expect(reader.live).toEqual({ [keyIn(3)]: 2 })
  })

  it('that has ended costs nothing, and hears nothing', () => {
    const peers = outsider(1, 'a')
    const reader = new Reader(peers, 'a').catchUp()
    reader.stop()
    peers.writeTo('a', 3, 1)
    peers.run()
    expect(reader.seen).toEqual([])
  })

  it('of more than fits in an answer goes on where the last one ended, at any owner', () => {
    const peers = outsider(2, 'a', 'b')
    const count = FOLLOW_ROWS_MAX + 300
    const { partitions } = peers.peer('a')
    for (let i = 0; i < count; i++) partitions.write(users(3), `{${keyIn(3)}}${i}`, Uint8Array.of(i % 20), peers.now)
    peers.give('a', { type: 'tick' })
    peers.advance(10_000)
    const reader = new Reader(peers, 'w').ask()
    peers.run()
    expect(reader.answers[0]).toMatchObject({ more: true })
    const asked = peers.passed.filter(({ message }) => message.type === 'follow').at(-1)!.to!
    peers.cut('w', asked)
    peers.advance(8000)
    reader.catchUp()
    expect(reader.entries.size).toBe(count)
    expect(reader.seen.length).toBe(count)
  })

  it('ends with what the owners have, whatever fails on the way', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new SeededRandom(seed)
      const below = (max: number): number => random.uint32() % max
      const peers = outsider(2, 'a', 'b')
      const reader = new Reader(peers, 'w').ask()
      let answers = 0
      for (let step = 0; step < 60; step++) {
        const value = below(5) === 0 ? undefined : step % 20
        peers.writeTo(['a', 'b', 'w'][below(3)]!, 3, value, below(6))
        if (below(4) === 0) {
          const [one, other] = [
            ['a', 'b'],
            ['w', 'a'],
            ['w', 'b'],
          ][below(3)]! as [string, string]
          peers.cut(one, other)
          peers.advance(below(4000))
          peers.link(one, other)
        }
        peers.advance(below(400))
        if (reader.answers.length > answers) reader.ask()
        answers = reader.answers.length
      }
      peers.advance(40_000)
      for (let i = 0; i < 5; i++) {
        reader.ask()
        peers.advance(2000)
      }
      const { table } = peers.peer('a').collections.find(users(3))!.replica
      const there = [...table.slots()]
        .filter((slot) => !table.deleted(slot))
        .map((slot) => [table.key(slot), table.value(slot)![0]])
      expect(reader.live, `seed ${seed}`).toEqual(Object.fromEntries(there))
    }
  })

  it('that names a place that no owner made is refused', () => {
    const peers = outsider(1, 'a')
    const follow = { type: 'follow', request: 1, ...users(3), prefix: '' } as const
    for (const since of [Uint8Array.of(), Uint8Array.of(0, 1, 1, 255), Uint8Array.of(0, 0, 1, 0, 2, 0, 0, 9)]) {
      const before = peers.events('a', 'refused').length
      peers.give('a', { type: 'message', from: 'w', bytes: encodeMessage({ ...follow, since }) })
      expect(peers.events('a', 'refused').length).toBe(before + 1)
    }
    const replicated = encodeMessage({ ...follow, partition: 0 })
    peers.give('a', { type: 'message', from: 'w', bytes: replicated })
    expect(peers.events('a', 'refused').at(-1)!.error.code).toBe('MESSAGE_MALFORMED')
    peers.advance(1000)
    expect(peers.sent('followed')).toEqual([])
  })

  it('from before a purge begins again, with a reset', () => {
    const peers = outsider(1, 'a')
    for (const number of [0, 1]) peers.writeTo('a', 3, 1, number)
    peers.advance(1000)
    const reader = new Reader(peers, 'w').catchUp()
    const { since } = reader
    peers.writeTo('a', 3, undefined, 0)
    peers.run()
    const { replica } = peers.peer('a').collections.find(users(3))!
    const { ids } = peers.peer('a').collections
    const writer = ids.indexOf(peers.peer('a').replicaId)!
    const seen = { replicaId: ids.id(writer), head: replica.vector.head(writer), ranges: [] }
    replica.raiseFloor(Floor.empty(ids).with([seen], Math.floor(peers.wallMs)))
    expect(replica.table.size).toBe(1)
    const late = new Reader(peers, 'w', { since: since! }).ask()
    peers.run()
    expect(late.answers[0]).toMatchObject({ reset: true })
    expect(late.live).toEqual({ [keyIn(3, 1)]: 1 })
    const current = late.answers.length
    peers.writeTo('a', 3, 5, 2)
    peers.run()
    late.catchUp()
    expect(late.answers.slice(current).every(({ reset }) => !reset)).toBe(true)
    expect(late.live).toEqual({ [keyIn(3, 1)]: 1, [keyIn(3, 2)]: 5 })
  })
})
