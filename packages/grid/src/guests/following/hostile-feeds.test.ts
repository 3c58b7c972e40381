import { decodeValue, encodeValue } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../../grid.ts'
import { FollowedPartitions } from '../../partitioned/changes/followed-partitions.ts'
import { closeAfterEach, openMember, passOf } from '../../rig/guest-grids.ts'
import { RawGuest, closeRawGuests } from '../../rig/raw-guest.ts'
import { until } from '../../rig/test-grids.ts'
import { FollowedQuery } from '../../partitioned/live/followed-query.ts'
import { PartAsking } from '../../partitioned/queries/part-asking.ts'
import type { Grant } from '../grants.ts'
import { GUEST_FEEDS_MAX } from '../guest-limits.ts'
import type { MemberReply } from '../messages.ts'
import type { ChangesPage, FeedPage, RowsPage } from '../feeds/feed-request.ts'
import { ServedChanges } from './served-changes.ts'

closeAfterEach()
afterEach(closeRawGuests)
afterEach(() => void vi.restoreAllMocks())

const OF = { mode: 'partitioned', partitions: 16, owners: 3 } as const
const ASKED = { map: 'users', kind: 1, partitions: 16, owners: 3, timeoutMs: 2000 }
const CHANGES = { ...ASKED, op: 'changes', prefix: '', exact: false, initial: true, since: [], lost: [] }
const LIVE = { ...ASKED, op: 'live', asked: {} }
const MARK = 'a value of bob'
const OWN: readonly Grant[] = [{ map: 'users', prefix: '{ada}:', may: 'read' }]

let member: Grid

beforeEach(async () => {
  member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0'] } })
  const users = member.map('users', OF)
  await users.set('{ada}:1', 'mine')
  for (let i = 0; i < 30; i++) await users.set(`{bob}:${i}`, `${MARK} ${i}`)
  await users.set('bare', MARK)
  await member.map('salaries', OF).set('{ada}:1', MARK)
})

let guests = 0
const entered = async (grants: readonly Grant[] = OWN): Promise<RawGuest> =>
  RawGuest.entered(member, await passOf(member, grants), String((guests += 1)).padStart(32, '0'))

let number = 0
async function send(guest: RawGuest, request: object): Promise<number> {
  number += 1
  await guest.send({ type: 'follow', number, request: encodeValue(request, 1024 * 1024) })
  return number
}

async function reply(guest: RawGuest, of: number): Promise<MemberReply> {
  const found = (): MemberReply | undefined =>
    guest.received.find((each) => each.type === 'followed' && each.number === of) as MemberReply | undefined
  await until(() => found() !== undefined || guest.ended !== '', 'the reply')
  if (found() === undefined) throw new Error(`ended: ${guest.ended}`)
  return found()!
}

const ask = async (guest: RawGuest, request: object): Promise<MemberReply> => reply(guest, await send(guest, request))

async function page<Page extends FeedPage>(guest: RawGuest, request: object): Promise<Page> {
  const { code, reply: bytes } = await ask(guest, request)
  expect(code).toBe('')
  return decodeValue(bytes!) as Page
}

/** All pages until the member has no more. */
async function allOf(guest: RawGuest, feed: number, request: object): Promise<ChangesPage[]> {
  const pages = [await page<ChangesPage>(guest, { ...request, feed })]
  while (!pages.at(-1)!.isCaughtUp) pages.push(await page<ChangesPage>(guest, { op: 'more', feed }))
  return pages
}

const keysIn = (pages: readonly ChangesPage[]): string[] =>
  pages.flatMap(({ parts }) => parts.flatMap(({ entries }) => entries.map(({ key }) => key)))

const pause = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs))

describe('a hostile guest that follows partitioned maps', () => {
  it('follows nothing outside of its grants, and learns nothing by trying', async () => {
    const guest = await entered()
    const outside = ['{bob}:1', '{ada}', '{ada};', '{Ada}:1', 'bare', '{ad\u0061\u0301}:1']
    const requests = [
      // Of the second one, something is covered.
      ...outside.toSpliced(1, 1).map((prefix) => ({ ...CHANGES, prefix })),
      ...outside.map((prefix) => ({ ...CHANGES, prefix, exact: true })),
      { ...CHANGES, map: 'salaries' },
      { ...CHANGES, map: 'none' },
      { ...LIVE, map: 'salaries' },
      { ...LIVE, map: 'none' },
    ]
    const answers: MemberReply[] = []
    for (const [feed, request] of requests.entries()) answers.push(await ask(guest, { ...request, feed }))
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['FORBIDDEN']))
    expect(new Set(answers.map(({ text }) => text.replace(/'.*'/, ''))).size).toBe(1)
    expect(answers.every((each) => each.reply === undefined)).toBe(true)
  })

  it('is given no row of others, and no message when others write', async () => {
    const guest = await entered([...OWN, { map: 'users', prefix: 'b/', may: 'read' }])
    const best = { ...LIVE, asked: { orderBy: 'a', limit: 1 } }
    const asked = [CHANGES, { ...CHANGES, prefix: '{' }, LIVE, best]
    for (const [feed, request] of asked.entries()) {
      if (request.op === 'changes') expect(keysIn(await allOf(guest, feed, request))).toEqual(['{ada}:1'])
      else {
        let { isComplete } = await page<RowsPage>(guest, { ...request, feed })
        while (!isComplete) ({ isComplete } = await page<RowsPage>(guest, { op: 'more', feed }))
      }
      await send(guest, { op: 'more', feed })
    }
    await pause(200)
    const { length } = guest.received
    const users = member.map('users', OF)
    for (let i = 0; i < 30; i++) await users.set(`{bob}:${i}`, `${MARK} again ${i}`)
    await users.delete('{bob}:1')
    await users.set('bare', `${MARK} too`)
    await pause(400)
    expect(guest.received.length).toBe(length)
    expect(guest.text).not.toContain(MARK)
    expect(guest.text).not.toContain('{bob}')
    await users.set('{ada}:1', 'changed')
    await until(() => guest.received.length === length + asked.length, 'the change')
  })

  it('goes on from no place that members have not sealed for what it may see now', async () => {
    const guest = await entered()
    const [first] = await allOf(guest, 1, CHANGES)
    const { partition, sealed } = first!.parts[0]!
    expect(sealed!.length).toBe(256 + 28)
    const good = await page<ChangesPage>(guest, { ...CHANGES, feed: 2, since: [[partition, sealed]] })
    expect(good).toMatchObject({ parts: [{ partition, isReset: false, entries: [] }], isCaughtUp: true })
    const changed = Uint8Array.from(sealed!)
    changed[40]! ^= 1
    const other = await entered([{ map: 'users', may: 'read' }])
    const [ofAll] = await allOf(other, 1, { ...CHANGES, prefix: '{ada}:', exact: false })
    const wide = (await allOf(other, 2, CHANGES))
      .flatMap(({ parts }) => parts)
      .find((each) => each.partition === partition)
    const salaries = await entered([{ map: 'salaries', prefix: '{ada}:', may: 'read' }])
    const ofOther = await allOf(salaries, 1, { ...CHANGES, map: 'salaries' })
    const places = [changed, new Uint8Array(300), new Uint8Array(0), wide!.sealed!, ofOther[0]!.parts[0]!.sealed!]
    for (const [i, place] of places.entries()) {
      const pages = await allOf(guest, 10 + i, { ...CHANGES, since: [[partition, place]] })
      expect(
        pages.flatMap(({ parts }) => parts.map(({ isReset }) => isReset)),
        String(i),
      ).toEqual([true])
      expect(keysIn(pages)).toEqual(['{ada}:1'])
      await send(guest, { op: 'end', feed: 10 + i })
    }
    // The same may be seen.
    expect(ofAll!.parts[0]).toMatchObject({ partition })
    const foreign = await allOf(guest, 30, { ...CHANGES, since: [[(partition + 1) % 16, sealed]], lost: [4095] })
    expect(keysIn(foreign)).toEqual(['{ada}:1'])
  })

  it('is not sent what was read for a pass that it has no more', async () => {
    const guest = await entered()
    await allOf(guest, 1, CHANGES)
    const smaller = await passOf(member, [{ map: 'users', prefix: '{ada}:2', may: 'read' }])
    const going = Promise.withResolvers<void>()
    const next = ServedChanges.prototype.next
    let isRead = false
    vi.spyOn(ServedChanges.prototype, 'next').mockImplementation(async function (this: ServedChanges, holdMs) {
      const found = await next.call(this, holdMs)
      isRead = true
      await going.promise
      return found
    })
    const asked = await send(guest, { op: 'more', feed: 1 })
    await member.map('users', OF).set('{ada}:1', 'a secret')
    await until(() => isRead, 'the change')
    await guest.send({ type: 'pass', pass: smaller })
    await until(() => guest.received.filter(({ type }) => type === 'welcome').length === 2, 'the smaller pass')
    going.resolve()
    const { reply: bytes } = await reply(guest, asked)
    expect(decodeValue(bytes!)).toEqual({ isOver: true })
    expect(await page(guest, { op: 'more', feed: 1 })).toEqual({ isOver: true })
    expect(guest.text).not.toContain('a secret')
  })

  it('is followed for no more when its pass is revoked, or its connection ends', async () => {
    const beganAtMs = performance.now()
    const pass = await passOf(member, OWN)
    const stop = vi.spyOn(FollowedPartitions.prototype, 'stop')
    const guest = await RawGuest.entered(member, pass)
    await allOf(guest, 1, CHANGES)
    await send(guest, { op: 'more', feed: 1 })
    await member.revokePass(pass)
    expect(await guest.isSentAway()).toBe(true)
    await until(() => stop.mock.calls.length === 1, 'the end')
    expect(performance.now() - beganAtMs, 'at once').toBeLessThan(10_000)
    const other = await entered()
    await allOf(other, 1, CHANGES)
    other.connection.end('it goes')
    await until(() => stop.mock.calls.length === 2, 'the end')
    await member.map('users', OF).set('{ada}:1', 'a secret')
    expect(guest.text).not.toContain('a secret')
  })

  it.each([
    ['bytes that are no value', new Uint8Array([255, 0, 1])],
    ['no feed', { op: 'more' }],
    ['an operation that there is not', { ...CHANGES, op: 'all', feed: 1 }],
    ['no prefix', { ...CHANGES, feed: 1, prefix: undefined }],
    ['an empty key', { ...CHANGES, feed: 1, exact: true }],
    ['places that are none', { ...CHANGES, feed: 1, since: [[1]] }],
    ['places that are too large', { ...CHANGES, feed: 1, since: [[1, new Uint8Array(70_000)]] }],
    ['partitions that are no numbers', { ...CHANGES, feed: 1, lost: [-1] }],
    ['too many partitions', { ...CHANGES, feed: 1, lost: Array.from({ length: 4097 }, () => 1) }],
    ['a query that is none', { ...LIVE, feed: 1, asked: [] }],
    ['the rows of documents', { ...LIVE, feed: 1, map: '\ue000documents' }],
  ])('is sent away for %s', async (_, sent) => {
    const guest = await entered()
    const request = sent instanceof Uint8Array ? sent : encodeValue(sent, 1024 * 1024)
    await guest.send({ type: 'follow', number: 1, request })
    expect(await guest.until('end')).toMatchObject({ code: 'MESSAGE_MALFORMED' })
  })

  it.each([
    [
      'begins a feed twice',
      [
        { ...CHANGES, feed: 1 },
        { ...CHANGES, feed: 1 },
      ],
    ],
    [
      'asks twice at a time',
      [
        { ...CHANGES, feed: 1 },
        { op: 'more', feed: 1 },
      ],
    ],
    ['begins too many', Array.from({ length: GUEST_FEEDS_MAX + 1 }, (__, feed) => ({ ...CHANGES, feed }))],
  ])('is sent away when it %s', async (_, requests) => {
    const guest = await entered()
    for (const request of requests) await send(guest, request)
    expect(await guest.until('end')).toMatchObject({ code: 'MESSAGE_MALFORMED' })
  })

  it('is refused queries that make no sense, and what is of another kind, and goes on', async () => {
    const guest = await entered()
    const asked = [
      [{ ...LIVE, asked: { where: { $where: 1 } } }, 'INVALID_QUERY'],
      [{ ...LIVE, asked: { within: [''] } }, 'INVALID_QUERY'],
      [{ ...LIVE, asked: { after: 'x' } }, 'INVALID_QUERY'],
      [{ ...LIVE, owners: 2 }, 'COLLECTION_MISMATCH'],
      [{ ...CHANGES, kind: 2 }, 'COLLECTION_MISMATCH'],
    ] as const
    for (const [request, code] of asked) expect((await ask(guest, { ...request, feed: 1 })).code).toBe(code)
    expect(keysIn(await allOf(guest, 1, CHANGES))).toEqual(['{ada}:1'])
  })

  it('has no more partitions followed for it than its room', async () => {
    const big = { ...OF, partitions: 4096 } as const
    member.map('big', big)
    const guest = await entered([{ map: 'big', may: 'read' }])
    const request = { ...LIVE, map: 'big', partitions: 4096 }
    expect((await ask(guest, { ...request, feed: 1 })).code).toBe('')
    expect((await ask(guest, { ...request, feed: 2 })).code).toBe('QUOTA_EXCEEDED')
    await send(guest, { op: 'end', feed: 1 })
    expect((await ask(guest, { ...request, feed: 2 })).code).toBe('')
  })

  it('has its live queries begun one after another, and those that it has ended not at all', async () => {
    const begin = FollowedQuery.prototype.begin
    const going = Promise.withResolvers<void>()
    let atOnce = 0
    let most = 0
    const begun = vi.spyOn(FollowedQuery.prototype, 'begin').mockImplementation(async function (
      this: FollowedQuery,
      options,
    ) {
      most = Math.max(most, (atOnce += 1))
      await going.promise
      await begin.call(this, options)
      atOnce -= 1
    })
    const guest = await entered()
    const live = (feed: number): object => ({ ...LIVE, feed, asked: { where: { a: { $ne: feed } } } })
    const asked: number[] = []
    for (let feed = 0; feed < 10; feed++) asked.push(await send(guest, live(feed)))
    for (let feed = 2; feed < 10; feed++) await send(guest, { op: 'end', feed })
    // Another subject does not wait for it.
    const pass = await member.issuePass({ subject: 'bob', expiresInMs: 3_600_000, grants: OWN })
    const bob = await RawGuest.entered(member, pass, 'b'.repeat(32))
    const ofBob = await send(bob, live(20))
    await until(() => begun.mock.calls.length === 2, 'the live query of bob')
    going.resolve()
    for (const each of asked) await reply(guest, each)
    await reply(bob, ofBob)
    expect(begun).toHaveBeenCalledTimes(3)
    expect(most).toBe(2)
  })

  it('has no more read for a live query than it may show', async () => {
    const users = member.map('users', OF)
    const large = 'x'.repeat(1_000_000)
    for (let i = 0; i < 40; i++) await users.set(`{ada}:${i}`, large)
    const guest = await entered()
    const ask = vi.spyOn(PartAsking.prototype, 'ask')
    const number = await send(guest, { ...LIVE, feed: 1 })
    expect(await reply(guest, number)).toMatchObject({ code: 'QUERY_TOO_LARGE' })
    const parts = await Promise.all(ask.mock.results.map(({ value }) => value as ReturnType<PartAsking['ask']>))
    const rowCount = parts.flatMap((each) => each.parts.flatMap(({ keys }) => keys)).length
    expect(rowCount).toBeGreaterThan(0)
    expect(rowCount).toBeLessThan(20)
  })
})
