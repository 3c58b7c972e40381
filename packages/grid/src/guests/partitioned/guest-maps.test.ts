import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../../grid.ts'
import type { PartitionedMap } from '../../partitioned/partitioned-map.ts'
import { HOUR_MS, closeAfterEach, openGuest, openMember, passOf } from '../../rig/guest-grids.ts'
import { collect, until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'
import { SessionRequests } from './session-requests.ts'

closeAfterEach()
afterEach(() => void vi.restoreAllMocks())

const OF = { mode: 'partitioned', partitions: 16, owners: 3 } as const

interface User {
  readonly name: string
  readonly age: number
}

const users = (grid: Grid, owners: number = 3): PartitionedMap<User> => grid.map<User>('users', { ...OF, owners })
const user = (name: string, age: number): User => ({ name, age })

const grantsOf = (prefix: string): readonly Grant[] => [{ map: 'users', prefix, may: 'write' }]

/** Three members that know the map, and are its owners. */
async function threeMembers(options: Parameters<typeof openMember>[0] = {}, owners?: number): Promise<Grid[]> {
  const first = await openMember(options)
  const second = await openMember({ ...options, join: [...first.addresses] })
  const third = await openMember({ ...options, join: [...first.addresses, ...second.addresses] })
  const members = [first, second, third]
  for (const member of members) users(member, owners)
  await until(() => members.every((member) => member.status().partitions.whole > 0), 'copies')
  await until(async () => (await first.owners('users')).length === 3, 'owners')
  return members
}

/** Entries of ada, bob and eve. */
async function fill(map: PartitionedMap<User>): Promise<void> {
  for (const [i, subject] of ['ada', 'bob', 'eve'].entries())
    for (let n = 0; n < 20; n++) await map.set(`${subject}/${n}`, user(subject, 10 * i + n), { copies: 'all' })
}

describe('a guest with a part of a partitioned map', () => {
  it('reads and writes what its pass covers through any member, and nothing else', async () => {
    const members = await threeMembers()
    await fill(users(members[0]!))
    const ada = await openGuest(members[1]!, await passOf(members[0]!, grantsOf('ada/'), 'ada'))
    const bob = await openGuest(members[2]!, await passOf(members[0]!, grantsOf('bob/'), 'bob'))
    const [ofAda, ofBob] = [users(ada), users(bob)]
    expect(await ofAda.get('ada/3')).toEqual(user('ada', 3))
    expect(await ofAda.get('ada/3', { from: 'all' })).toEqual(user('ada', 3))
    expect(await ofAda.get('ada/none')).toBeUndefined()
    expect(await ofAda.has('ada/3')).toBe(true)
    expect(await ofAda.has('ada/none')).toBe(false)
    const many = await ofAda.getMany(['ada/1', 'ada/2', 'ada/none'])
    expect([...many]).toEqual([
      ['ada/1', user('ada', 1)],
      ['ada/2', user('ada', 2)],
    ])
    expect(many.complete).toBe(true)
    const receipt = await ofAda.set('ada/new', user('ada', 99), { copies: 'all' })
    expect(receipt).toMatchObject({ hinted: false, copies: 3 })
    expect(await users(members[0]!).get('ada/new')).toEqual(user('ada', 99))
    expect(await ofAda.update('ada/new', (before) => ({ ...before!, age: before!.age + 1 }))).toBeDefined()
    expect(await ofAda.get('ada/new')).toEqual(user('ada', 100))
    expect(await ofAda.delete('ada/new')).toBeDefined()
    expect(await ofAda.delete('ada/new')).toBeUndefined()
    expect(await ofAda.get('ada/new')).toBeUndefined()
    for (const call of [
      () => ofAda.get('bob/1'),
      () => ofAda.get('ada'),
      () => ofAda.get('none/1'),
      () => ofAda.has('bob/1'),
      () => ofAda.getMany(['ada/1', 'bob/1']),
      () => ofAda.set('bob/1', user('ada', 1)),
      () => ofAda.delete('bob/1'),
      () => ofAda.touch('bob/1', 1000),
      () => ofAda.update('bob/1', () => undefined),
      () => collect(ofAda.keys({ prefix: 'bob/' })),
      () => ada.map('other', OF).get('ada/1'),
      () => ada.map('other', OF).query(),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(await ofBob.get('bob/1')).toEqual(user('bob', 11))
  })

  it('walks through it, and asks for it, as if there were nothing else', async () => {
    const members = await threeMembers()
    await fill(users(members[0]!))
    const ada = users(await openGuest(members[1]!, await passOf(members[0]!, grantsOf('ada/'), 'ada')))
    const keys = Array.from({ length: 20 }, (_, n) => `ada/${n}`)
    expect((await collect(ada.keys())).toSorted()).toEqual(keys.toSorted())
    expect((await collect(ada.keys({ prefix: 'ada/1' }))).toSorted()).toEqual(
      keys.filter((key) => key.startsWith('ada/1')).toSorted(),
    )
    expect(await collect(ada.entries({ prefix: 'ada/7' }))).toEqual([['ada/7', user('ada', 7)]])
    expect(await ada.size()).toEqual({ size: 20, complete: true, unanswered: [] })
    expect(await ada.count()).toMatchObject({ count: 20, complete: true })
    expect(await ada.count({ age: { $lt: 15 } })).toMatchObject({ count: 15 })
    // Those of bob and eve are older.
    const oldest = await ada.query({ orderBy: '-age', limit: 3 })
    expect(oldest.rows.map(({ key }) => key)).toEqual(['ada/19', 'ada/18', 'ada/17'])
    const next = await ada.query({ orderBy: '-age', limit: 3, after: oldest.next! })
    expect(next.rows.map(({ key }) => key)).toEqual(['ada/16', 'ada/15', 'ada/14'])
    expect(await ada.query({ where: { name: 'bob' } })).toMatchObject({ rows: [], complete: true })
    const { rows } = await ada.aggregate({ groupBy: 'name', count: true, max: 'age' })
    expect(rows).toEqual([{ group: { name: 'ada' }, count: 20, max: { age: 19 } }])
    const selected = await ada.query({ where: { age: 5 }, select: 'age' })
    expect(selected.rows).toEqual([{ key: 'ada/5', value: { age: 5 } }])
  })

  it('has all of several grants, page by page', async () => {
    const [member] = await threeMembers()
    const map = users(member!)
    await map.setMany(Array.from({ length: 700 }, (_, n) => [`${'abc'[n % 3]}/${n}`, user('x', n)] as const))
    const grants: Grant[] = [
      { map: 'users', prefix: 'a/', may: 'read' },
      { map: 'users', prefix: 'b/', may: 'write' },
      { map: 'users', prefix: 'b/1', may: 'write' },
    ]
    const guest = users(await openGuest(member!, await passOf(member!, grants)))
    const mine = Array.from({ length: 700 }, (_, n) => n).filter((n) => n % 3 < 2)
    const keys = (await collect(guest.keys())).toSorted()
    expect(keys).toEqual(mine.map((n) => `${'abc'[n % 3]}/${n}`).toSorted())
    const all = await guest.query({ orderBy: 'age' })
    expect(all.rows.map(({ value }) => value.age)).toEqual(mine)
    expect((await guest.query({ orderBy: '-age', limit: 600 })).rows.length).toBe(mine.length)
    await expect(guest.set('a/0', user('x', 0))).rejects.toMatchObject({ code: 'FORBIDDEN' })
    const big = await guest.getMany(mine.map((n) => `${'abc'[n % 3]}/${n}`))
    expect(big.size).toBe(mine.length)
  })

  it('asks a member that owns none of it', async () => {
    const members = await threeMembers({}, 1)
    await fill(users(members[0]!, 1))
    const guest = await openGuest(members[2]!, await passOf(members[0]!, grantsOf('ada/')))
    const map = users(guest, 1)
    await map.set('ada/new', user('ada', 50))
    expect((await map.query({ orderBy: '-age', limit: 1 })).rows).toEqual([{ key: 'ada/new', value: user('ada', 50) }])
    expect(await map.count()).toMatchObject({ count: 21 })
    expect((await collect(map.keys())).length).toBe(21)
    expect(await users(members[1]!, 1).get('ada/new')).toEqual(user('ada', 50))
  })

  it('has objects of fields, times to live and a schema', async () => {
    const member = await openMember()
    const options = { ...OF, merge: 'fields' } as const
    const people = member.map<User>('people', options)
    await people.set('a', user('ada', 1))
    const pass = await passOf(member, [{ map: 'people', may: 'write' }])
    const guest = (await openGuest(member, pass)).map<User>('people', options)
    await guest.update('a', (before) => ({ ...before!, age: 2 }))
    expect(await people.get('a')).toEqual(user('ada', 2))
    await guest.set('b', user('bob', 3), { ttlMs: 60_000 })
    const endsInMs = (await people.expiresAt('b'))!.getTime() - Date.now()
    expect(endsInMs).toBeGreaterThan(50_000)
    expect(endsInMs).toBeLessThanOrEqual(60_000)
    expect((await guest.expiresAt('b'))?.getTime()).toBe((await people.expiresAt('b'))?.getTime())
    await guest.touch('b', 120_000)
    expect((await people.expiresAt('b'))!.getTime() - Date.now()).toBeGreaterThan(60_000)
    await expect(guest.set('c', 'text' as unknown as User)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  })

  it('sets many entries, all of them checked before the first one, and clears what it may write and nothing else', async () => {
    const member = await openMember()
    await fill(users(member))
    const readable: Grant = { map: 'users', prefix: 'bob/', may: 'read' }
    const opened = await openGuest(member, await passOf(member, [...grantsOf('ada/'), readable]))
    await opened.ready()
    const guest = users(opened)
    const many = Array.from({ length: 150 }, (_, i): [string, User] => [`ada/new ${i}`, user('ada', i)])
    await expect(guest.setMany([...many, ['bob/1', user('ada', 1)]])).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(guest.setMany([...many, ['', user('ada', 1)]])).rejects.toMatchObject({ code: 'INVALID_KEY' })
    expect((await users(member).size()).size).toBe(60)
    const progress: number[] = []
    const onProgress = ({ written }: { readonly written: number }): void => void progress.push(written)
    expect(await guest.setMany(many, { onProgress, ttlMs: HOUR_MS })).toMatchObject({ written: 150 })
    expect(progress).toEqual([64, 128, 150])
    expect(await users(member).expiresAt('ada/new 149')).toBeInstanceOf(Date)
    async function* some(): AsyncGenerator<[string, User]> {
      yield ['ada/new 0', user('ada', 1000)]
      yield ['bob/1', user('ada', 1000)]
    }
    await expect(guest.setMany(some())).rejects.toMatchObject({ code: 'FORBIDDEN' })
    const abort = AbortSignal.abort()
    await expect(guest.setMany(many, { signal: abort })).rejects.toMatchObject({ code: 'ABORTED' })
    expect((await users(member).size()).size).toBe(210)
    expect(await guest.clear()).toMatchObject({ deleted: 170, complete: true })
    expect((await users(member).size()).size).toBe(40)
    expect((await guest.size()).size).toBe(20)
  })

  it('is not given what only members have', async () => {
    const member = await openMember()
    users(member)
    const guest = await openGuest(member, await passOf(member, grantsOf('ada/')))
    const map = users(guest)
    for (const call of [
      () => map.transact(() => undefined),
      () => map.explain(),
      () => map.index('age'),
      () => map.indexes(),
      () => guest.owners('users'),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(map.transact(() => undefined)).rejects.toThrow('use setMany')
    for (const open of [() => guest.set('tags', OF), () => guest.counters('likes', OF)])
      expect(open).toThrow(
        expect.objectContaining({ code: 'FORBIDDEN', message: expect.stringContaining('replicated') }),
      )
  })

  it('learns which members know the map, and with which options', async () => {
    const member = await openMember()
    users(member)
    await member.map('todos').set('a', 1)
    const grants = (['users', 'none', 'todos'] as const).map((map): Grant => ({ map, may: 'write' }))
    const guest = await openGuest(member, await passOf(member, grants))
    const brief = { timeoutMs: 300 }
    await expect(guest.map('none', OF).get('a', brief)).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    await expect(guest.map('none', OF).set('a', 1, brief)).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    await expect(guest.map('todos', OF).get('a')).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    const other = await openGuest(member, await passOf(member, grants, 'bob'))
    await expect(users(other, 2).get('a')).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    expect(member.collections().some(({ name }) => name === 'none')).toBe(false)
  })

  it('says so while it has no connection, and goes on later', async () => {
    const member = await openMember()
    await users(member).set('ada/1', user('ada', 1))
    const guest = await openGuest(member, await passOf(member, grantsOf('ada/')))
    const map = users(guest)
    await map.get('ada/1')
    await guest.disconnect()
    const brief = { timeoutMs: 200 }
    await expect(map.get('ada/1', brief)).rejects.toMatchObject({ code: 'NETWORK_NOT_CONNECTED' })
    await expect(map.set('ada/2', user('ada', 2), brief)).rejects.toMatchObject({ code: 'NETWORK_NOT_CONNECTED' })
    const aborted = map.get('ada/1', { signal: AbortSignal.abort() })
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    const later = map.get('ada/1')
    await guest.connect()
    expect(await later).toEqual(user('ada', 1))
    expect(await users(member).get('ada/2')).toBeUndefined()
    const closed = guest.disconnect().then(() => map.get('ada/1'))
    closed.catch(() => undefined)
    await guest.close()
    await expect(closed).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('is asked about by the application of a member', async () => {
    const asked: unknown[] = []
    const authorize = (request: { value: unknown }): boolean => {
      asked.push(request)
      return (request.value as User | undefined)?.age !== 13
    }
    const member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    await users(member).set('ada/1', user('ada', 1))
    const pass = await member.issuePass({ subject: 'ada', expiresInMs: HOUR_MS, grants: grantsOf('ada/'), id: 'p1' })
    const map = users(await openGuest(member, pass))
    await map.set('ada/1', user('ada', 2))
    await expect(map.set('ada/1', user('ada', 13))).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await map.delete('ada/1')
    const rest = { pass: { id: 'p1', subject: 'ada' }, map: 'users', key: 'ada/1', field: undefined }
    expect(asked).toEqual([
      { ...rest, value: user('ada', 2), previous: user('ada', 1) },
      { ...rest, value: user('ada', 13), previous: user('ada', 2) },
      { ...rest, value: undefined, previous: user('ada', 2) },
    ])
    expect(member.status().guests).toMatchObject({ writesTaken: 2, writesRefused: 1 })
  })
})

describe('a request of a guest', () => {
  it('whose pass was revoked in the middle writes and gives nothing', async () => {
    let isAsked = false
    const going = Promise.withResolvers<void>()
    const authorize = async (): Promise<boolean> => {
      isAsked = true
      await going.promise
      return true
    }
    const member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    users(member)
    const pass = await passOf(member, grantsOf('ada/'))
    const guest = await openGuest(member, pass)
    const written = users(guest).set('ada/1', user('ada', 1), { timeoutMs: 1500 })
    written.catch(() => undefined)
    await until(() => isAsked, 'the question')
    await member.revokePass(pass)
    going.resolve()
    await expect(written).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    expect(await users(member).get('ada/1')).toBeUndefined()
    await until(() => guest.status().guest?.problem.includes('revoked') === true, 'the reason')
  })

  it('whose answer is lost is made once, when the guest goes on at another member', async () => {
    const asked: unknown[] = []
    const authorize = ({ previous, value }: { previous: unknown; value: unknown }): boolean => {
      asked.push([previous, value])
      return true
    }
    const members = await threeMembers({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    const [first, second, third] = members as [Grid, Grid, Grid]
    await users(third).set('ada/1', user('ada', 1), { copies: 'all' })
    const guest = await openGuest([first, second], await passOf(third, grantsOf('ada/')))
    const map = users(guest)
    await map.get('ada/1')
    const next = SessionRequests.prototype.next
    let isLost = false
    vi.spyOn(SessionRequests.prototype, 'next').mockImplementation(function (this: SessionRequests, pass) {
      const reply = next.call(this, pass)
      if (asked.length === 0 || isLost) return reply
      isLost = true
      return undefined
    })
    const counted = map.update('ada/1', (before) => ({ ...before!, age: before!.age + 1 }), { timeoutMs: 30_000 })
    await until(() => isLost, 'the loss')
    await until(async () => (await users(third).get('ada/1'))?.age === 2, 'the write')
    // It is later than the lost one, and stays.
    await users(third).set('ada/1', user('ada', 40), { copies: 'all' })
    await first.close()
    await counted
    expect(await users(third).get('ada/1', { from: 'all' })).toEqual(user('ada', 40))
    expect(await map.update('ada/1', (before) => ({ ...before!, age: before!.age + 1 }))).toBeDefined()
    expect(await users(third).get('ada/1', { from: 'all' })).toEqual(user('ada', 41))
  })

  it('has a date of now if the clock of the guest is hours behind, and is taken', async () => {
    const member = await openMember()
    await users(member).set('ada/1', user('ada', 1))
    const clock = { wallMs: () => Date.now() - 3 * HOUR_MS }
    const guest = await openGuest(member, await passOf(member, grantsOf('ada/')), undefined, clock)
    await users(guest).set('ada/1', user('ada', 2))
    expect(await users(member).get('ada/1')).toEqual(user('ada', 2))
  })
})

it.each(['value', 'fields'] as const)('a change of a map that merges by %s says which subject wrote', async (merge) => {
  const options = { mode: 'partitioned', partitions: 16, merge } as const
  const first = await openMember()
  const second = await openMember({ join: [...first.addresses] })
  const at = (grid: Grid): PartitionedMap<{ x?: number; y?: number }> =>
    grid.map<{ x?: number; y?: number }>('users', options)
  for (const member of [first, second]) at(member)
  await until(async () => (await first.owners('users')).length === 2, 'owners')
  await until(() => [first, second].every((grid) => grid.status().partitions.whole === 16), 'copies')
  const seen: string[] = []
  const follow = async (): Promise<void> => {
    for await (const { key, local, subject, type } of at(second).changes())
      seen.push(`${type} ${key} ${subject ?? '-'}${local ? ' here' : ''}`)
  }
  const followed = follow()
  const ada = await openGuest(first, await passOf(first, grantsOf('a/'), 'ada'))
  const bob = await openGuest(second, await passOf(first, grantsOf('a/'), 'bob'))
  const says = async (change: string): Promise<void> => {
    await until(() => seen.length > 0, change)
    expect(seen.splice(0)).toEqual([change])
  }
  const write = async (guest: Grid, value: { x: number }, ttlMs?: number): Promise<void> => {
    await at(guest).set('a/1', value, ttlMs === undefined ? {} : { ttlMs })
  }
  await write(ada, { x: 1 })
  await says('set a/1 ada')
  expect(await at(first).get('a/1')).toEqual({ x: 1 })
  expect(await at(bob).get('a/1')).toEqual({ x: 1 })
  expect((await at(second).query({ where: { x: 1 } })).rows).toHaveLength(1)
  await at(bob).delete('a/1')
  await says('delete a/1 bob here')
  expect(await at(first).get('a/1')).toBeUndefined()
  expect((await at(first).size()).size).toBe(0)
  await at(first).set('a/1', { x: 2 })
  await says('set a/1 -')
  await write(ada, { x: 3 }, 1500)
  await says('set a/1 ada')
  await says('delete a/1 -')
  await write(ada, { x: 4 })
  await says('set a/1 ada')
  await at(second).update('a/1', (before) => ({ ...before, y: 1 }))
  await says('set a/1 - here')
  expect(await at(ada).get('a/1')).toEqual({ x: 4, y: 1 })
  await second.close()
  await followed
})
