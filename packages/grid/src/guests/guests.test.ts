import { listenForGuests } from '@gossipgrid/network/guest-listener'
import { describe, expect, it } from 'vitest'
import type { Grant } from './grants.ts'
import { decodeGuestMessage, encodeMemberMessage } from './messages.ts'
import { openGrid } from '../open-grid.ts'
import {
  HOUR_MS,
  SECRET,
  answered,
  closeAfterEach,
  copyOf,
  openGuest,
  openMember,
  passOf,
  refusedOf,
  silent,
} from '../rig/guest-grids.ts'
import { diskInMemory, until } from '../rig/test-grids.ts'

closeAfterEach()

const OWN: readonly Grant[] = [
  { map: 'todos', prefix: '42/', may: 'write' },
  { map: 'news', may: 'read' },
]

describe('a guest reads', () => {
  it('what its pass covers, and follows it', async () => {
    const member = await openMember()
    await member.map('todos').set('42/milk', 1)
    await member.map('todos').set('43/secret', 2)
    await member.map('news').set('today', 'sun')
    await member.map('salaries').set('bob', 3)
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    expect(guest.map('todos').snapshot()).toEqual([['42/milk', 1]])
    expect(await guest.map('news').get('today')).toBe('sun')
    await member.map('todos').set('42/bread', { two: 2 })
    await member.map('todos').set('43/more', 1)
    await member.map('todos').delete('42/milk')
    await until(() => guest.map('todos').peek('42/bread') !== undefined, 'the change')
    await until(() => guest.map('todos').peek('42/milk') === undefined, 'the delete')
    expect(guest.map('todos').size).toBe(1)
    expect(
      guest
        .collections()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['news', 'todos'])
  })
})

describe('a guest writes', () => {
  it('to what its pass covers: at once here, and soon at members', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.map('todos').set('42/milk', 1)
    expect(guest.map('todos').peek('42/milk')).toBe(1)
    await answered(guest)
    expect(member.map('todos').peek('42/milk')).toBe(1)
    await guest.map('todos').delete('42/milk')
    await answered(guest)
    expect(member.map('todos').peek('42/milk')).toBeUndefined()
    expect(guest.map('todos').size).toBe(0)
  })

  it('fields of an object, which merge with those of others', async () => {
    const member = await openMember()
    const users = member.map('todos', { merge: 'fields' })
    await users.set('42/a', { title: 'tea', done: false })
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    await guest.disconnect()
    const own = guest.map<Record<string, unknown>>('todos', { merge: 'fields' })
    await own.update('42/a', (todo) => ({ ...todo, done: true }))
    await users.update('42/a', (todo) => ({ ...(todo as object), title: 'green tea' }))
    await guest.connect()
    await until(() => own.peek('42/a')?.['title'] === 'green tea', 'the title')
    await answered(guest)
    expect(own.peek('42/a')).toEqual({ title: 'green tea', done: true })
    expect(users.peek('42/a')).toEqual({ title: 'green tea', done: true })
  })

  it('nothing that its pass does not cover', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    for (const [map, key] of [
      ['todos', '43/milk'],
      ['todos', '42'],
      ['news', 'x'],
      ['salaries', 'bob'],
      ['Todos', '42/milk'],
    ] as const) {
      await expect(guest.map(map).set(key, 1), `${map} ${key}`).rejects.toMatchObject({ code: 'FORBIDDEN' })
    }
    const batch = guest.map('todos').transact((todos) => {
      todos.set('42/fine', 1)
      todos.set('43/not', 1)
    })
    await expect(batch).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(guest.map('todos').size).toBe(0)
    expect(guest.status().guest?.waitingWrites).toBe(0)
  })

  it('what a member refuses is gone again, also when the guest did not know its grants', async () => {
    const member = await openMember()
    await member.map('todos').set('42/milk', 'theirs')
    const pass = await passOf(member, [{ map: 'todos', prefix: '42/', may: 'read' }])
    const disk = diskInMemory()
    const guest = await openGuest(member, () => Promise.reject(new Error('offline')), disk)
    const refused = refusedOf(guest)
    await guest.map('todos').set('42/milk', 'mine')
    await guest.map('todos').set('43/phantom', 'mine')
    await until(() => guest.status().guest?.problem === 'offline', 'the problem')
    expect(guest.status().guest).toMatchObject({ state: 'offline', waitingWrites: 2 })
    await guest.close()
    const again = await openGuest(member, pass, disk)
    const more = refusedOf(again)
    await until(() => more.length === 2, 'both refusals')
    expect(more.map(({ code }) => code)).toEqual(['FORBIDDEN', 'FORBIDDEN'])
    expect(refused).toEqual([])
    expect(again.map('todos').snapshot()).toEqual([['42/milk', 'theirs']])
    await again.close()
    expect(member.map('todos').snapshot()).toEqual([['42/milk', 'theirs']])
    const last = await openGuest(member, pass, disk)
    expect(last.map('todos').snapshot()).toEqual([['42/milk', 'theirs']])
  })

  it('what the application of a member does not authorize is refused', async () => {
    const asked: unknown[] = []
    const member = await openMember({
      guests: {
        listen: ['/ip4/127.0.0.1/tcp/0/ws'],
        authorize: async (request) => {
          asked.push(request)
          return request.value !== 'bad'
        },
      },
    })
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    const refused = refusedOf(guest)
    await guest.map('todos').set('42/a', 'good')
    await answered(guest)
    await guest.map('todos').set('42/a', 'bad')
    await until(() => refused.length === 1, 'the refusal')
    expect(refused).toEqual([{ code: 'FORBIDDEN', key: '42/a' }])
    expect(guest.map('todos').peek('42/a')).toBe('good')
    expect(member.map('todos').peek('42/a')).toBe('good')
    const pass = expect.objectContaining({ subject: 'ada' }) as unknown
    expect(asked).toEqual([
      { pass, map: 'todos', key: '42/a', field: undefined, value: 'good', previous: undefined },
      { pass, map: 'todos', key: '42/a', field: undefined, value: 'bad', previous: 'good' },
    ])
    expect(member.status().guests).toMatchObject({ connected: 1, writesTaken: 1, writesRefused: 1 })
  })

  it('offline, and members get it when the guest is back, each of the last writes once', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    await guest.disconnect()
    for (let i = 0; i < 20; i++) await guest.map('todos').set('42/count', i)
    await guest.map('todos').set('42/other', true)
    await member.map('news').set('meanwhile', 1)
    expect(guest.status()).toMatchObject({
      guest: { state: 'offline', waitingWrites: 2 },
      convergence: { state: 'alone' },
    })
    await guest.connect()
    await answered(guest)
    await until(() => guest.map('news').peek('meanwhile') === 1, 'what came meanwhile')
    expect(member.map('todos').snapshot()).toEqual([
      ['42/count', 19],
      ['42/other', true],
    ])
    expect(member.status().guests?.writesTaken).toBe(2)
    await until(() => guest.status().convergence.state === 'equal', 'the state')
  })

  it('and shows its own write until a member has answered, whatever comes meanwhile', async () => {
    const release = Promise.withResolvers<void>()
    const authorize = (): Promise<boolean> => release.promise.then(() => true)
    const member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    await guest.disconnect()
    await member.map('todos').set('42/a', 'theirs')
    await new Promise((resolve) => setTimeout(resolve, 20))
    await guest.map('todos').set('42/a', 'mine')
    const shown: unknown[] = []
    guest.map('todos').on('change', ({ value }) => shown.push(value))
    await guest.connect()
    await member.map('news').set('mark', 1)
    await until(() => guest.map('news').peek('mark') === 1, 'the rows of the member')
    expect(guest.map('todos').peek('42/a')).toBe('mine')
    release.resolve()
    await answered(guest)
    expect(member.map('todos').peek('42/a')).toBe('mine')
    expect(shown).toEqual([])
  })

  it('a later write of a member wins over an earlier one of a guest that was offline', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    await guest.disconnect()
    await guest.map('todos').set('42/a', 'earlier')
    await new Promise((resolve) => setTimeout(resolve, 20))
    await member.map('todos').set('42/a', 'later')
    await guest.connect()
    await answered(guest)
    expect(member.map('todos').peek('42/a')).toBe('later')
    expect(guest.map('todos').peek('42/a')).toBe('later')
  })
})

describe('a pass', () => {
  it('that is expired, revoked, of another grid, for another peer, or no pass lets no guest in', async () => {
    const member = await openMember()
    const other = await openMember({ secret: `${SECRET}x`, guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] } })
    const revoked = await passOf(member, OWN)
    await member.revokePass(revoked)
    const bound = await member.issuePass({ subject: 'ada', expiresInMs: HOUR_MS, grants: OWN, peerId: 'someone else' })
    const [head, , signature] = (await passOf(member, OWN)).split('.')
    const none = btoa(JSON.stringify({ alg: 'none', typ: 'gossipgrid-pass+jwt', jwk: JSON.parse(atob(head!)).jwk }))
    const [, payload] = (await passOf(member, [{ map: 'salaries', may: 'write' }])).split('.')
    const passes = {
      'no member of this grid': await passOf(other, OWN),
      revoked,
      'another peer': bound,
      'no pass of a grid': `${none.replaceAll('=', '')}.${payload}.`,
      'has signed it': `${head}.${payload}.${signature}`,
    }
    await member.map('salaries').set('bob', 3)
    for (const [problem, pass] of Object.entries(passes)) {
      const guest = await openGuest(member, pass)
      await until(() => guest.status().guest?.problem.includes(problem) === true, problem)
      expect(guest.collections()).toEqual([])
      await guest.close()
    }
    expect(member.status().guests?.connected).toBe(0)
  })

  it('is shown to no server that cannot prove that it is a member', async () => {
    const member = await openMember()
    const received: string[] = []
    const server = await listenForGuests({
      gridName: 'shop',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      guestsMax: 10,
      onConnection: (connection) => {
        connection.listen({
          message: (bytes) => {
            received.push(decodeGuestMessage(bytes).type)
            void connection.send(encodeMemberMessage({ type: 'proof', signature: new Uint8Array(64) }))
          },
          ended: () => undefined,
        })
      },
    })
    const pass = await passOf(member, OWN)
    const guest = await openGuest([], pass, undefined, { join: server.addresses() })
    await until(() => guest.status().guest?.problem.includes('is no member') === true, 'the problem')
    await guest.close()
    await server.stop()
    expect(new Set(received)).toEqual(new Set(['hello']))
  })

  it('that ends cuts the guest off, which goes on offline and comes back with another one', async () => {
    const member = await openMember()
    let issue = (): Promise<string> => passOf(member, OWN, 'ada', 1000)
    const guest = await openGuest(member, () => issue())
    await guest.ready()
    issue = () => Promise.reject(new Error('not logged in'))
    await until(() => guest.status().guest?.state === 'offline', 'the end of the pass')
    await guest.map('todos').set('42/a', 1)
    expect(member.map('todos').size).toBe(0)
    issue = () => passOf(member, OWN)
    await answered(guest)
    expect(member.map('todos').peek('42/a')).toBe(1)
  })

  it('is renewed before it ends, without losing the connection', async () => {
    const member = await openMember()
    let issued = 0
    const guest = await openGuest(member, () => {
      issued += 1
      return passOf(member, issued > 1 ? [...OWN, { map: 'extra', may: 'read' }] : OWN, 'ada', 2000)
    })
    await member.map('extra').set('a', 1)
    await guest.ready()
    const states: string[] = []
    const timer = setInterval(() => states.push(guest.status().guest!.state), 20)
    await until(() => guest.collections().some(({ name }) => name === 'extra'), 'what the second pass covers')
    expect(guest.map('extra').peek('a')).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 2500))
    clearInterval(timer)
    expect(new Set(states)).toEqual(new Set(['connected']))
    expect(issued).toBeGreaterThanOrEqual(2)
  }, 30_000)

  it('that is revoked ends the connection at once, at every member', async () => {
    const first = await openMember()
    const second = await openMember({ join: first.addresses })
    await second.ready()
    const pass = await passOf(first, OWN)
    const guest = await openGuest(second, pass)
    await guest.ready()
    await first.revokePass(pass)
    await until(() => guest.status().guest?.problem.includes('revoked') === true, 'the end')
    await first.map('news').set('later', 1)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(guest.map('news').peek('later')).toBeUndefined()
  })
})

describe('a guest that comes back', () => {
  it('to another member gets what it lacks, and nothing twice', async () => {
    const first = await openMember()
    const second = await openMember({ join: first.addresses })
    await second.ready()
    for (let i = 0; i < 50; i++) await first.map('news').set(`n${i}`, i)
    await until(() => second.map('news').size === 50, 'the news')
    const pass = await passOf(first, OWN)
    const disk = diskInMemory()
    const guest = await openGuest(first, pass, disk)
    await guest.ready()
    await guest.close()
    await second.map('news').delete('n7')
    await second.map('news').set('n8', 'changed')
    const again = await openGuest(second, pass, disk)
    const changes: string[] = []
    again.map('news').on('change', ({ key, type }) => changes.push(`${type} ${key}`))
    expect(again.map('news').size).toBe(50)
    await again.ready()
    expect(changes.toSorted()).toEqual(['delete n7', 'set n8'])
    expect(again.map('news').size).toBe(49)
  })

  it('to a member that is behind keeps what it has, and misses nothing that is written there or comes later', async () => {
    const first = await openMember()
    const second = await openMember({ join: first.addresses })
    await second.ready()
    const [news, behind] = [first.map('news'), second.map('news')]
    for (const key of ['a', 'b', 'c', 'd']) await news.set(key, 'old')
    await until(() => behind.size === 4, 'the old ones')
    await second.disconnect()
    await news.set('a', 'new')
    await news.delete('b')
    await news.set('e', 'new')
    const disk = diskInMemory()
    const pass = await passOf(first, OWN)
    const guest = await openGuest(first, pass, disk)
    await guest.ready()
    await guest.close()
    // It does not know of what is new there, and goes on by itself.
    await behind.set('c', 'there')
    await behind.delete('d')
    const there = await openGuest(second, pass, disk)
    const shown = there.map('news')
    await there.ready()
    expect(shown.peekEntries()).toEqual([
      ['a', 'new'],
      ['c', 'there'],
      ['e', 'new'],
    ])
    await second.connect()
    await until(
      () => news.peek('c') === 'there' && behind.peek('a') === 'new' && behind.peek('e') === 'new',
      'equality',
    )
    await news.set('f', 'last')
    await until(() => shown.peek('f') === 'last', 'the last one')
    expect(shown.peekEntries()).toEqual(news.peekEntries())
    await there.close()
    const back = await openGuest(first, pass, disk)
    await back.ready()
    expect(back.map('news').peekEntries()).toEqual(news.peekEntries())
  })

  it('to a member that is behind, and refuses a write of it, gets what is newer again later', async () => {
    const first = await openMember()
    const guests = { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize: () => false }
    const second = await openMember({ join: first.addresses, guests })
    await second.ready()
    await first.map('todos').setMany([
      ['42/a', 'old'],
      ['42/b', 'old'],
    ])
    await until(() => second.map('todos').size === 2, 'the old ones')
    await second.disconnect()
    await first.map('todos').set('42/a', 'new')
    await first.map('todos').set('42/c', 'new')
    const disk = diskInMemory()
    const pass = await passOf(first, OWN)
    const guest = await openGuest(first, pass, disk)
    await guest.ready()
    await guest.disconnect()
    for (const key of ['42/a', '42/b', '42/c']) await guest.map('todos').set(key, 'mine')
    await guest.close()
    const there = await openGuest(second, pass, disk)
    await answered(there)
    expect(there.map('todos').peekEntries()).toEqual(second.map('todos').peekEntries())
    await there.close()
    const back = await openGuest(first, pass, disk)
    await back.ready()
    expect(back.map('todos').peekEntries()).toEqual(first.map('todos').peekEntries())
  })

  it('after a write that was taken, and whose answer was lost, is answered again, and later writes of others stay', async () => {
    const first = await openMember()
    const second = await openMember({ join: first.addresses })
    await second.ready()
    const pass = await passOf(first, OWN)
    const disk = diskInMemory()
    const guest = await openGuest(first, pass, disk)
    await guest.ready()
    // As if the answer came too late to be stored.
    await guest.disconnect()
    await guest.map('todos').set('42/a', 'mine')
    const old = await copyOf(disk)
    await guest.connect()
    await answered(guest)
    await guest.close()
    await until(() => second.map('todos').peek('42/a') === 'mine', 'the write')
    await second.map('todos').set('42/a', 'theirs')
    const again = await openGuest(second, pass, old)
    expect(again.status().guest?.waitingWrites).toBe(1)
    await answered(again)
    await again.ready()
    expect(again.map('todos').peek('42/a')).toBe('theirs')
    expect(second.map('todos').peek('42/a')).toBe('theirs')
  })

  it('far ahead of the time has each write dated once, also when the answer is lost and another member takes it again', async () => {
    const { promise: isReleased, resolve: release } = Promise.withResolvers<boolean>()
    let asked = 0
    const authorize = (): Promise<boolean> => ((asked += 1), isReleased)
    const first = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    const second = await openMember({ join: first.addresses })
    await second.ready()
    await second.disconnect()
    const pass = await passOf(first, OWN, 'ada', 72 * HOUR_MS)
    const disk = diskInMemory()
    const clock = { wallMs: () => Date.now() + 24 * HOUR_MS }
    const guest = await openGuest(first, pass, disk, clock)
    await guest.map('todos').set('42/a', 'mine')
    await until(() => asked > 0, 'the write')
    const beforeAnswer = await copyOf(disk)
    release(true)
    await answered(guest)
    await guest.close()
    await second.map('todos').set('42/a', 'theirs')
    const again = await openGuest(second, pass, beforeAnswer, clock)
    expect(again.status().guest?.waitingWrites).toBe(1)
    await answered(again)
    expect(second.map('todos').peek('42/a')).toBe('theirs')
    expect(again.map('todos').peek('42/a')).toBe('theirs')
    await again.map('todos').set('42/a', 'later')
    await answered(again)
    expect(second.map('todos').peek('42/a')).toBe('later')
    await second.connect()
    await until(() => first.map('todos').peek('42/a') === 'later', 'equality')
  })

  it('with smaller grants has the rest no more, with larger ones gets what is new', async () => {
    const member = await openMember()
    await member.map('todos').set('42/a', 1)
    await member.map('todos').set('43/b', 2)
    await member.map('news').set('n', 3)
    const disk = diskInMemory()
    const guest = await openGuest(member, await passOf(member, OWN), disk)
    await guest.ready()
    await guest.close()
    const larger = await passOf(member, [
      { map: 'todos', prefix: '42/', may: 'write' },
      { map: 'todos', prefix: '43/', may: 'read' },
    ])
    const again = await openGuest(member, larger, disk)
    await again.ready()
    expect(again.map('todos').snapshot()).toEqual([
      ['42/a', 1],
      ['43/b', 2],
    ])
    expect(again.map('news').size).toBe(0)
    await again.close()
    const smaller = await openGuest(member, await passOf(member, [{ map: 'todos', prefix: '43/', may: 'read' }]), disk)
    await smaller.ready()
    expect(smaller.map('todos').snapshot()).toEqual([['43/b', 2]])
  })

  it('has nothing left of a map that was dropped, and all of the next one of its name', async () => {
    const member = await openMember()
    for (const key of ['a', 'b']) await member.map('news').set(key, 1)
    const disk = diskInMemory()
    const pass = await passOf(member, OWN)
    const guest = await openGuest(member, pass, disk)
    await guest.ready()
    await member.dropCollection('news')
    await until(() => guest.map('news').size === 0, 'the drop')
    await member.map('news').set('c', 2)
    await until(() => guest.map('news').peek('c') === 2, 'the next one')
    await guest.close()
    await member.dropCollection('news')
    await member.map('news').set('d', 3)
    const again = await openGuest(member, pass, disk)
    await again.ready()
    expect(again.map('news').peekEntries()).toEqual([['d', 3]])
  })

  it('as another subject has nothing of the former one, and sends nothing of it', async () => {
    const member = await openMember()
    const disk = diskInMemory()
    const guest = await openGuest(member, await passOf(member, OWN), disk)
    await guest.ready()
    await guest.map('todos').set('42/a', 1)
    await answered(guest)
    await guest.disconnect()
    await guest.map('todos').set('42/b', 2)
    await guest.close()
    // The other one may write there as well, but not in the name of the first one.
    const other = await openGuest(member, await passOf(member, OWN, 'bob'), disk)
    await other.ready()
    await answered(other)
    expect(other.map('todos').peekEntries()).toEqual([['42/a', 1]])
    expect(member.map('todos').peekEntries()).toEqual([['42/a', 1]])
  })
})

describe('a guest has', () => {
  it('what its pass covers, and nothing else, and says so', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    const calls: (() => unknown)[] = [
      () => guest.counter('a1').increment(),
      () => guest.set('a2').add(1),
      () => guest.counters('a3').increment('k'),
      () => guest.sets('a4').add('k', 1),
      () => guest.counter('a', { mode: 'partitioned' }),
      () => guest.set('a', { mode: 'partitioned' }),
      () => guest.counters('a', { mode: 'partitioned' }),
      () => guest.sets('a', { mode: 'partitioned' }),
      () => guest.doc('a'),
      () => guest.topic('a'),
      () => guest.presence(),
      () => guest.map('a', { mode: 'partitioned' }).get('a'),
      () => guest.dropCollection('a'),
    ]
    for (const call of calls) {
      await expect((async () => call())()).rejects.toMatchObject({ code: 'FORBIDDEN' })
    }
    for (const write of [
      () => guest.map('todos').set('42/a', 1, { copies: 2 }),
      () => guest.map('todos').setMany([['42/a', 1]], { copies: 'all' }),
    ]) {
      await expect(write()).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
    await expect(passOf(guest, OWN)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  it('no option of members', async () => {
    for (const wrong of [
      { secret: SECRET },
      { open: true },
      { listen: [4001] },
      { role: 'storage' },
      { pass: 5 },
      { join: [] },
    ]) {
      const options = { name: 'shop', pass: 'x', join: ['/ip4/127.0.0.1/tcp/1'], logger: silent, ...wrong }
      await expect(openGrid(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
    const guests = { listen: ['/ip4/127.0.0.1/tcp/0/ws'] }
    await expect(openGrid({ name: 'shop', logger: silent, guests })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(
      openGrid({ name: 'shop', secret: SECRET, logger: silent, guests: { ...guests, most: 1 } } as never),
    ).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})
