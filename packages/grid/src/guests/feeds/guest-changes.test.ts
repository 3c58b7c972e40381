import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../../grid.ts'
import type { PartitionChange, PartitionFeed } from '../../partitioned/changes/partition-changes.ts'
import type { PartitionedMap } from '../../partitioned/partitioned-map.ts'
import { HOUR_MS, closeAfterEach, openGuest, openMember, passOf } from '../../rig/guest-grids.ts'
import { until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'

closeAfterEach()
afterEach(() => void vi.restoreAllMocks())

const OF = { mode: 'partitioned', partitions: 16, owners: 3 } as const

const carts = (grid: Grid): PartitionedMap<number> => grid.map<number>('carts', OF)
const grantsOf = (...prefixes: readonly string[]): readonly Grant[] => {
  return prefixes.map((prefix) => ({ map: 'carts', prefix, may: 'write' }))
}

async function members(count: number): Promise<Grid[]> {
  const opened: Grid[] = []
  while (opened.length < count)
    opened.push(await openMember({ join: opened.flatMap(({ addresses }) => [...addresses]) }))
  for (const member of opened) carts(member)
  await until(() => opened.every((member) => member.status().partitions.whole === 16), 'copies')
  return opened
}

type Change = PartitionChange<number> & { readonly cursor?: string | undefined }

/** A picture of the map, from its changes. */
class Picture {
  readonly seen: string[] = []
  readonly entries = new Map<string, number>()
  readonly #partitions = new Map<string, number>()
  readonly done: Promise<unknown>
  readonly feed: PartitionFeed<Change>
  cursor: string | undefined

  constructor(feed: PartitionFeed<Change>) {
    this.feed = feed
    this.done = this.#run().catch((error: unknown) => error)
  }

  async #run(): Promise<void> {
    for await (const { cursor, key, partition, type, value } of this.feed) {
      this.seen.push(`${type} ${type === 'reset' ? '' : key}${value === undefined ? '' : `=${value}`}`)
      if (type === 'reset') for (const [each, of] of this.#partitions) if (of === partition) this.entries.delete(each)
      if (type === 'delete') this.entries.delete(key)
      if (type === 'set') this.entries.set(key, value!)
      this.#partitions.set(key, partition)
      this.cursor = cursor ?? this.cursor
    }
  }

  has(expected: Readonly<Record<string, number>>): boolean {
    const wanted = Object.entries(expected)
    return wanted.length === this.entries.size && wanted.every(([key, value]) => this.entries.get(key) === value)
  }

  until(expected: Readonly<Record<string, number>>): Promise<void> {
    return until(() => this.has(expected), `the picture, not ${JSON.stringify([...this.entries])}`)
  }
}

describe('the changes of a partitioned map at a guest', () => {
  it('are those of what its pass covers: what is there, and each write and delete of any peer', async () => {
    const [first, second] = (await members(2)) as [Grid, Grid]
    for (const key of ['a/1', 'a/2', 'b/1', '{c}:1', '{c}:2']) await carts(first).set(key, 1, { copies: 'all' })
    const guest = await openGuest(first, await passOf(first, grantsOf('a/', '{c}:'), 'ada'))
    const all = new Picture(carts(guest).changes({ initial: true }))
    const one = new Picture(carts(guest).changes({ key: 'a/1', initial: true }))
    const tagged = new Picture(carts(guest).changes({ prefix: '{c}:', initial: true }))
    await all.until({ 'a/1': 1, 'a/2': 1, '{c}:1': 1, '{c}:2': 1 })
    await tagged.until({ '{c}:1': 1, '{c}:2': 1 })
    await until(() => all.feed.complete && one.feed.complete && tagged.feed.complete, 'the answers')
    await carts(second).set('b/2', 5)
    await carts(second).set('a/1', 2)
    await carts(second).delete('{c}:1')
    await carts(guest).set('a/3', 3)
    await all.until({ 'a/1': 2, 'a/2': 1, 'a/3': 3, '{c}:2': 1 })
    await tagged.until({ '{c}:2': 1 })
    await one.until({ 'a/1': 2 })
    expect(one.seen).toEqual(['set a/1=1', 'set a/1=2'])
    expect(tagged.seen.toSorted()).toEqual(['delete {c}:1', 'set {c}:1=1', 'set {c}:2=1'])
    expect(all.seen.some((change) => change.includes('b/'))).toBe(false)
    for (const picture of [all, one, tagged]) await picture.feed.return?.()
    await Promise.all([all, one, tagged].map(({ done }) => done))
    await expect(carts(guest).changes({ key: 'b/1' }).next()).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(carts(guest).changes({ prefix: 'b/' }).next()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('say which subject wrote, and which writes are its own', async () => {
    const [first] = (await members(1)) as [Grid]
    const pass = (subject: string): Promise<string> => passOf(first, grantsOf('a/'), subject)
    const ada = await openGuest(first, await pass('ada'))
    const bob = await openGuest(first, await pass('bob'))
    const seen: string[] = []
    const feed = carts(ada).changes()
    const follow = async (): Promise<void> => {
      for await (const { at, key, local, subject, type } of feed) {
        expect(Math.abs(at!.getTime() - Date.now())).toBeLessThan(10_000)
        seen.push(`${type} ${key} ${subject ?? '-'}${local ? ' here' : ''}`)
      }
    }
    const followed = follow()
    await until(() => feed.complete, 'the feed')
    const write = async (work: Promise<unknown>): Promise<void> => {
      const { length } = seen
      await work
      await until(() => seen.length > length, 'the change')
    }
    await write(carts(bob).set('a/1', 1))
    await write(carts(ada).set('a/1', 2))
    await write(carts(first).set('a/1', 3))
    await write(carts(bob).delete('a/1'))
    await write(carts(ada).set('a/2', 1, { ttlMs: 1000 }))
    await until(() => seen.length === 6, 'the end')
    expect(seen).toEqual([
      'set a/1 bob',
      'set a/1 - here',
      'set a/1 -',
      'delete a/1 bob',
      'set a/2 - here',
      'delete a/2 -',
    ])
    await feed.return?.()
    await followed
  })

  it('go on at another member, with what came meanwhile, and nothing twice', async () => {
    const [first, second] = (await members(2)) as [Grid, Grid]
    await carts(first).set('a/gone', 1, { copies: 'all' })
    for (let i = 0; i < 30; i++) await carts(first).set(`a/${i}`, i, { copies: 'all' })
    const guest = await openGuest([first, second], await passOf(first, grantsOf('a/'), 'ada'))
    const picture = new Picture(carts(guest).changes({ initial: true }))
    const fresh = new Picture(carts(guest).changes())
    await until(() => picture.entries.size === 31 && picture.feed.complete && fresh.feed.complete, 'all')
    await first.close()
    expect(picture.feed.complete).toBe(false)
    await carts(second).set('a/0', 100)
    await carts(second).delete('a/gone')
    await until(() => picture.entries.size === 30 && picture.entries.get('a/0') === 100, 'what came meanwhile')
    await until(() => fresh.seen.length === 2, 'the same')
    expect(fresh.seen.toSorted()).toEqual(['delete a/gone', 'set a/0=100'])
    expect(picture.seen.length).toBe(33)
    await until(() => picture.feed.complete && fresh.feed.complete, 'all answers')
  })

  it('go on after a cursor, at another guest too, but not after one of a pass that covered something else', async () => {
    const [first, second] = (await members(2)) as [Grid, Grid]
    await carts(first).set('a/1', 1, { copies: 'all' })
    const pass = await passOf(first, grantsOf('a/'), 'ada')
    const ada = await openGuest(first, pass)
    const picture = new Picture(carts(ada).watch())
    await until(() => picture.has({ 'a/1': 1 }) && picture.feed.complete, 'the entry')
    await carts(first).set('a/2', 2, { copies: 'all' })
    await until(() => picture.cursor !== undefined && picture.entries.size === 2, 'a cursor')
    const { cursor } = picture
    await ada.close()
    await carts(first).delete('a/1', { copies: 'all' })
    const again = await openGuest(second, pass)
    const later = new Picture(carts(again).watch({ since: cursor }))
    await until(() => later.seen.length > 0, 'the delete')
    await until(() => later.feed.complete, 'all answers')
    expect(later.seen).toEqual(['delete a/1'])
    const wider = await openGuest(first, await passOf(first, grantsOf('a/', 'b/'), 'ada'))
    const reset = new Picture(carts(wider).watch({ since: cursor }))
    await until(() => reset.feed.complete && reset.seen.length > 16, 'all of it')
    expect(reset.seen.toSorted()).toEqual([...Array.from({ length: 16 }, () => 'reset '), 'set a/2=2'])
    await expect(carts(first).watch({ since: cursor }).next()).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
    await expect(carts(again).watch({ since: 'x' }).next()).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
  })

  it('begin again when the pass covers more or less, and end when it covers nothing of the map', async () => {
    const [first] = (await members(1)) as [Grid]
    for (const key of ['a/1', 'b/1', 'c/1']) await carts(first).set(key, 1)
    let grants = grantsOf('a/', 'b/')
    let asked = 0
    const guest = await openGuest(first, async () => {
      asked += 1
      return first.issuePass({ subject: 'ada', expiresInMs: asked === 1 ? 4000 : HOUR_MS, grants })
    })
    const picture = new Picture(carts(guest).changes({ initial: true }))
    await picture.until({ 'a/1': 1, 'b/1': 1 })
    grants = grantsOf('b/', 'c/')
    await picture.until({ 'b/1': 1, 'c/1': 1 })
    await carts(first).set('a/1', 2)
    await carts(first).set('c/1', 2)
    await picture.until({ 'b/1': 1, 'c/1': 2 })
    expect(picture.seen).not.toContain('set a/1=2')
  })
})
