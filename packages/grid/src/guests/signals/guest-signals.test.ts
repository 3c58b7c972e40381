import { memoryStorage } from '@gossipgrid/storage'
import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { openGrid } from '../../open-grid.ts'
import type { OpenGridOptions } from '../../open-grid-options.ts'
import { until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'

const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const guests = { listen: ['/ip4/127.0.0.1/tcp/0/ws'] }

const open: Grid[] = []
afterEach(async () => {
  for (const grid of open.splice(0).toReversed()) await grid.close()
})

async function openMember(join: readonly string[] = []): Promise<Grid> {
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const grid = await openGrid({ name: 'shop', secret: SECRET, listen, join, mdns: false, logger: silent, guests })
  open.push(grid)
  return grid
}

async function openTwo(): Promise<[Grid, Grid]> {
  const first = await openMember()
  const second = await openMember(first.addresses)
  await until(() => [first, second].every(({ members }) => members.length === 2), 'both have met')
  // Gossip between them begins to work a moment later.
  await until(async () => {
    let isHeard = false
    const end = second.topic('warm').on('message', () => (isHeard = true))
    await first.topic('warm').publish(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    end()
    return isHeard
  }, 'messages arrive')
  return [first, second]
}

const passOf = (member: Grid, subject: string, grants: readonly Grant[]): Promise<string> =>
  member.issuePass({ subject, expiresInMs: 3_600_000, grants })

async function openGuest(member: Grid, pass: NonNullable<OpenGridOptions['pass']>): Promise<Grid> {
  const join = member.status().guests!.addresses
  const grid = await openGrid({ name: 'shop', pass, join, storage: memoryStorage(), logger: silent })
  open.push(grid)
  await grid.ready()
  return grid
}

const CHAT: readonly Grant[] = [
  { topic: 'chat/', may: 'write' },
  { topic: 'news', may: 'read' },
]

function heard(grid: Grid, topic: string): [subject: string | undefined, value: unknown, from: string][] {
  const list: [string | undefined, unknown, string][] = []
  grid.topic(topic).on('message', ({ from, subject, value }) => list.push([subject, value, from]))
  return list
}

/** A moment in which everything that is on its way arrives. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300))

describe('a guest', () => {
  it('publishes and listens through its member, and every peer and guest sees whose message it is, once', async () => {
    const [first, second] = await openTwo()
    const ada = await openGuest(first, await passOf(first, 'ada', CHAT))
    const bob = await openGuest(second, await passOf(second, 'bob', CHAT))
    const lists = [first, second, ada, bob].map((grid) => heard(grid, 'chat/1'))
    await settled()
    await ada.topic('chat/1').publish('from ada')
    await until(() => lists.every(({ length }) => length === 1), 'the message')
    await second.topic('chat/1').publish('from a member')
    await until(() => lists.every(({ length }) => length === 2), 'the other one')
    await settled()
    const [, , ofAda] = lists
    for (const list of lists) {
      expect(list.map(([subject, value]) => [subject, value])).toEqual([
        ['ada', 'from ada'],
        [undefined, 'from a member'],
      ])
      expect(list[0]![2]).toBe(list === ofAda ? ada.peerId : first.peerId)
      expect(list[1]![2]).toBe(second.peerId)
    }
  })

  it('opens and publishes to nothing that its pass does not cover, and is sent nothing of it', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, 'ada', CHAT))
    for (const topic of ['chat', 'Chat/1', 'secret', 'newsroom'.slice(0, 3)])
      expect(() => guest.topic(topic), topic).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
    const [news, secret] = [heard(guest, 'news'), heard(member, 'secret')]
    await expect(guest.topic('news').publish('mine')).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(() => guest.presence()).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
    await settled()
    await member.topic('news').publish('sun')
    await until(() => news.length === 1, 'the news')
    expect(secret).toEqual([])
  })

  it('whose pass covers less after a while hears nothing more of the rest, and cannot publish there', async () => {
    const member = await openMember()
    let issued = 0
    const guest = await openGuest(member, () => {
      issued += 1
      const grants: readonly Grant[] = issued === 1 ? [...CHAT, { presence: true }] : [{ topic: 'news', may: 'read' }]
      return member.issuePass({ subject: 'ada', expiresInMs: 2000, grants })
    })
    const chat = guest.topic('chat/1')
    const [news, list] = [heard(guest, 'news'), heard(guest, 'chat/1')]
    member.presence().set('here')
    await until(() => guest.presence().get(member.peerId) === 'here', 'the state')
    const presence = guest.presence()
    presence.set('me')
    await until(() => member.presence().get(guest.peerId) === 'me', 'the state of the guest')
    await until(() => issued > 1 && presence.entries().length < 2, 'the smaller pass')
    await member.topic('chat/1').publish('secret')
    await member.topic('news').publish('sun')
    await until(() => news.length === 1, 'the news')
    expect(list).toEqual([])
    await expect(chat.publish('mine')).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await until(() => member.presence().get(guest.peerId) === undefined, 'its state is gone')
    expect(() => guest.presence()).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
  }, 20_000)

  it('loses what it publishes offline, and listens again when it is back', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, 'ada', CHAT))
    const [mine, theirs] = [heard(guest, 'chat/1'), heard(member, 'chat/1')]
    await guest.disconnect()
    await until(() => guest.status().guest?.state === 'offline', 'offline')
    await guest.topic('chat/1').publish('lost')
    await guest.connect()
    await until(() => guest.status().guest?.state === 'connected', 'connected')
    await settled()
    await member.topic('chat/1').publish('again')
    await until(() => mine.length === 2, 'the message')
    expect(mine.map(([, value]) => value)).toEqual(['lost', 'again'])
    expect(theirs.map(([, value]) => value)).toEqual(['again'])
  })

  it('publishes many messages at once, and all arrive in order', async () => {
    const member = await openMember()
    const guest = await openGuest(member, await passOf(member, 'ada', CHAT))
    const list = heard(member, 'chat/1')
    const numbers = Array.from({ length: 600 }, (_, i) => i)
    await Promise.all(numbers.map((i) => guest.topic('chat/1').publish(i)))
    await until(() => list.length === 600, 'all')
    expect(list.map(([, value]) => value)).toEqual(numbers)
  })
})

describe('presence', () => {
  it('shows a guest to all with its subject, and all to the guest, until it leaves', async () => {
    const [first, second] = await openTwo()
    const presence: Grant = { presence: true }
    const ada = await openGuest(first, await passOf(first, 'ada', [presence]))
    const bob = await openGuest(second, await passOf(second, 'bob', [presence]))
    const eve = await openGuest(second, await passOf(second, 'eve', CHAT))
    const changes: unknown[] = []
    second.presence().on('change', ({ peerId, state, subject, type }) => changes.push([type, peerId, state, subject]))
    second.presence().set('member')
    ada.presence().set({ at: 1 })
    await until(() => bob.presence().get(ada.peerId) !== undefined, 'the state of a guest at another one')
    await until(() => ada.presence().get(second.peerId) === 'member', 'the state of a member')
    for (const grid of [first, second, bob]) {
      expect(grid.presence().get(ada.peerId)).toEqual({ at: 1 })
      expect(grid.presence().subjectOf(ada.peerId)).toBe('ada')
      expect(grid.presence().subjectOf(second.peerId)).toBeUndefined()
    }
    expect(ada.presence().entries()).toEqual([
      [ada.peerId, { at: 1 }],
      [second.peerId, 'member'],
    ])
    ada.presence().set({ at: 2 })
    await until(() => bob.presence<{ at: number }>().get(ada.peerId)?.at === 2, 'the change')
    await ada.close()
    await until(
      () => [first, second, bob].every((grid) => grid.presence().get(ada.peerId) === undefined),
      'it has left',
    )
    expect(changes).toEqual([
      ['set', second.peerId, 'member', undefined],
      ['set', ada.peerId, { at: 1 }, 'ada'],
      ['set', ada.peerId, { at: 2 }, 'ada'],
      ['gone', ada.peerId, undefined, 'ada'],
    ])
    expect(() => eve.presence()).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
  })

  it('of a guest has at most 1 KiB, and what a guest has set comes with it to the next member', async () => {
    const [first, second] = await openTwo()
    const pass = await passOf(first, 'ada', [{ presence: true }])
    const guest = await openGuest(first, pass)
    expect(() => guest.presence().set('x'.repeat(1025))).toThrow(expect.objectContaining({ code: 'VALUE_TOO_LARGE' }))
    guest.presence().set('here')
    await until(() => second.presence().get(guest.peerId) === 'here', 'the state')
    await guest.disconnect()
    await until(() => second.presence().get(guest.peerId) === undefined, 'it is gone')
    await guest.connect()
    await until(() => second.presence().get(guest.peerId) === 'here', 'it is back')
  })
})
