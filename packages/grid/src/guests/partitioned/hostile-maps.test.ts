import { encodeValue, hlcFromWall } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { closeAfterEach, openMember } from '../../rig/guest-grids.ts'
import { RawGuest, closeRawGuests } from '../../rig/raw-guest.ts'
import { until } from '../../rig/test-grids.ts'
import { GUEST_REQUESTS_MAX } from '../guest-limits.ts'
import type { MemberMessage } from '../messages.ts'

closeAfterEach()
afterEach(closeRawGuests)

const OF = { mode: 'partitioned', partitions: 16, owners: 3 } as const
const ASKED = { map: 'users', kind: 1, partitions: 16, owners: 3, timeoutMs: 2000 }
const MARK = 'a value of bob'

type Reply = Extract<MemberMessage, { type: 'reply' }>

let member: Grid

beforeEach(async () => {
  member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0'] } })
  const users = member.map('users', OF)
  await users.set('{ada}:1', 'mine')
  for (let i = 0; i < 30; i++) await users.set(`{bob}:${i}`, `${MARK} ${i}`)
  await member.map('salaries', OF).set('{ada}:1', MARK)
})

async function entered(): Promise<RawGuest> {
  const grants = [{ map: 'users', prefix: '{ada}:', may: 'write' as const }]
  return RawGuest.entered(member, await member.issuePass({ subject: 'ada', expiresInMs: 3_600_000, grants }))
}

let number = 0
async function ask(guest: RawGuest, request: object): Promise<Reply> {
  number += 1
  await guest.send({ type: 'ask', number, request: encodeValue(request, 1024 * 1024) })
  const found = (): Reply | undefined =>
    guest.received.find((each): each is Reply => each.type === 'reply' && each.number === number)
  await until(() => found() !== undefined || guest.ended !== '', 'the reply')
  if (found() === undefined) throw new Error(`ended: ${guest.ended}`)
  return found()!
}

const write = (key: string, value: unknown = 'bad'): object => ({
  ...{ ...ASKED, op: 'write', key, dateHlc: hlcFromWall(Date.now()), again: false },
  ...(value === undefined ? {} : { bytes: encodeValue(value, 100) }),
})

describe('a hostile guest of partitioned maps', () => {
  it('reads, writes and deletes nothing outside of its grants, and learns nothing by trying', async () => {
    const guest = await entered()
    const outside = [
      '{bob}:1',
      '{bob}:none',
      '{ada}',
      '{ada};',
      '{Ada}:1',
      '\u007bada\u007d\u2236a',
      '{ad\u0061\u0301}:1',
    ]
    const place = { prefix: '{bob}:', partition: 0, after: '' }
    const requests = [
      ...outside.map((key) => ({ ...ASKED, op: 'read', keys: [key], all: false })),
      ...outside.map((key) => ({ ...ASKED, op: 'read', keys: ['{ada}:1', key], all: false })),
      ...outside.map((key) => ({ ...ASKED, op: 'read', keys: [key], all: true })),
      ...outside.map((key) => write(key)),
      ...outside.map((key) => write(key, undefined)),
      ...['{bob}:', '{b', '{ada}_'].map((prefix) => ({ ...ASKED, op: 'walk', prefix })),
      { ...ASKED, op: 'walk', prefix: '{bob}:', place },
      { ...ASKED, map: 'salaries', op: 'read', keys: ['{ada}:1'], all: false },
      { ...ASKED, map: 'none', op: 'read', keys: ['{ada}:1'], all: false },
      { ...ASKED, map: 'salaries', op: 'walk', prefix: '' },
      { ...ASKED, map: 'salaries', op: 'query', asked: {} },
      { ...ASKED, map: 'salaries', op: 'groups', asked: { count: true } },
    ]
    const answers: Reply[] = []
    for (const request of requests) answers.push(await ask(guest, request))
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['FORBIDDEN']))
    const texts = answers.map(({ text }) => text.replace(/'.*'/, ''))
    expect(new Set(texts).size).toBe(1)
    expect(answers.every(({ reply }) => reply === undefined)).toBe(true)
    expect((await member.map('users', OF).size()).size).toBe(31)
    expect(guest.text).not.toContain(MARK)
  })

  it('gets no row, count or sum of others, whatever it asks', async () => {
    const guest = await entered()
    const place = { prefix: '', partition: 0, after: '' }
    const questions = [
      { op: 'walk', prefix: '' },
      { op: 'walk', prefix: '{' },
      { op: 'walk', prefix: '', place },
      { op: 'walk', prefix: '', place: { ...place, after: '{ada}:' } },
      { op: 'walk', prefix: '', place: { ...place, prefix: '{bob}:' } },
      { op: 'query', asked: {} },
      { op: 'query', asked: { orderBy: [], limit: 100_000 } },
      { op: 'query', asked: { where: { $or: [{ a: 1 }, { b: null }] } } },
      { op: 'groups', asked: { count: true } },
    ]
    for (const question of questions) await ask(guest, { ...ASKED, ...question })
    const count = await ask(guest, { ...ASKED, op: 'groups', asked: { count: true } })
    expect(Buffer.from(count.reply!).includes(Buffer.from(encodeValue({ count: 1 }, 100).subarray(1)))).toBe(true)
    expect(guest.text).not.toContain(MARK)
    expect(guest.text).not.toContain('{bob}')
  })

  it('is refused what makes no sense, and goes on', async () => {
    const guest = await entered()
    const later = hlcFromWall(Date.now() - 2 * 3_600_000)
    const asked = [
      [{ ...ASKED, op: 'query', asked: { where: { $where: 1 } } }, 'INVALID_QUERY'],
      [{ ...ASKED, op: 'query', asked: { limit: 'all' } }, 'INVALID_QUERY'],
      [{ ...ASKED, op: 'query', asked: { within: [''] } }, 'INVALID_QUERY'],
      [{ ...ASKED, op: 'query', asked: { after: 'x' } }, 'INVALID_QUERY'],
      [{ ...ASKED, op: 'groups', asked: { within: [''], count: true } }, 'INVALID_QUERY'],
      [{ ...ASKED, owners: 2, op: 'query', asked: {} }, 'COLLECTION_MISMATCH'],
      [{ ...ASKED, kind: 2, op: 'query', asked: {} }, 'COLLECTION_MISMATCH'],
      [{ ...write('{ada}:2'), ttlMs: 0 }, 'INVALID_OPTION'],
      [{ ...write('{ada}:2'), copies: 1000 }, 'INVALID_OPTION'],
      [{ ...write('{ada}:2'), expiresAtMs: 1 }, 'INVALID_OPTION'],
      [{ ...write('{ada}:2'), dateHlc: later }, 'QUOTA_EXCEEDED'],
    ] as const
    for (const [request, code] of asked) expect((await ask(guest, request)).code, JSON.stringify(request)).toBe(code)
    expect(await member.map('users', OF).get('{ada}:2')).toBeUndefined()
    expect((await ask(guest, write('{ada}:2', 'fine'))).code).toBe('')
    expect(await member.map('users', OF).get('{ada}:2')).toBe('fine')
  })

  it('is not sent it as a replicated map, and does not write to it as to one', async () => {
    const guest = await entered()
    const rows = guest.received.filter((each) => each.type === 'rows')
    expect(rows).toEqual([])
    const dateHlc = hlcFromWall(Date.now())
    const bytes = encodeValue('bad', 100)
    const row = { map: 'users', kind: 1, rowKey: '{ada}:1', hlc: dateHlc, number: dateHlc, again: false, bytes }
    await guest.send({ type: 'writes', writes: [row] })
    expect((await guest.answers(1)).map(({ bytes: now, code }) => [code, now])).toEqual([
      ['COLLECTION_MISMATCH', undefined],
    ])
    expect(await member.map('users', OF).get('{ada}:1')).toBe('mine')
    expect(await member.map('users', OF).size()).toMatchObject({ size: 31 })
  })

  it('dates no write later than now', async () => {
    const guest = await entered()
    const dateHlc = hlcFromWall(Date.now() + 7 * 24 * 3_600_000)
    expect((await ask(guest, { ...write('{ada}:1', 'late'), dateHlc })).code).toBe('')
    await member.map('users', OF).set('{ada}:1', 'later')
    expect(await member.map('users', OF).get('{ada}:1')).toBe('later')
  })

  it.each([
    ['bytes that are no value', { type: 'ask', number: 1, request: new Uint8Array([255, 0, 1]) }],
    ['no bytes', { type: 'ask', number: 1 }],
    ['no number', { type: 'ask', request: encodeValue({ ...ASKED, op: 'query', asked: {} }, 1000) }],
    ['an operation that there is not', { ...ASKED, op: 'drop' }],
    ['a query that is none', { ...ASKED, op: 'query', asked: [] }],
    ['no keys', { ...ASKED, op: 'read', keys: [], all: false }],
    ['too many keys', { ...ASKED, op: 'read', keys: Array.from({ length: 257 }, () => '{ada}:1'), all: false }],
    ['all owners for several keys', { ...ASKED, op: 'read', keys: ['{ada}:1', '{ada}:2'], all: true }],
    ['keys that are no texts', { ...ASKED, op: 'read', keys: [1], all: false }],
    ['the rows of documents', { ...ASKED, map: '\ue000documents', op: 'query', asked: {} }],
    ['a set', { ...ASKED, map: '\ue000set tags', op: 'query', asked: {} }],
    ['a place that is none', { ...ASKED, op: 'walk', prefix: '', place: { prefix: '', partition: -1, after: '' } }],
    ['an answer to no request', { type: 'reply', number: 1, code: '', text: '', hlc: 0 }],
  ])('is sent away for %s', async (_, sent) => {
    const guest = await entered()
    const isMessage = 'type' in sent
    await guest.sendAny({
      version: 1,
      ...(isMessage ? sent : { type: 'ask', number: 1, request: encodeValue(sent, 1024 * 1024) }),
    })
    expect(await guest.until('end')).toMatchObject({ code: 'MESSAGE_MALFORMED' })
    expect(await guest.isSentAway()).toBe(true)
  })

  it('is sent away when it does not wait for replies', async () => {
    const grants = [{ map: 'nowhere', may: 'read' as const }]
    const pass = await member.issuePass({ subject: 'ada', expiresInMs: 3_600_000, grants })
    const guest = await RawGuest.entered(member, pass)
    // The member waits until it hears of such a map.
    const request = encodeValue({ ...ASKED, timeoutMs: 60_000, map: 'nowhere', op: 'query', asked: {} }, 1000)
    for (let i = 0; i < GUEST_REQUESTS_MAX; i++) await guest.send({ type: 'ask', number: i, request })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(guest.received.some(({ type }) => type === 'end')).toBe(false)
    await guest.send({ type: 'ask', number: GUEST_REQUESTS_MAX, request })
    expect(await guest.until('end')).toMatchObject({ code: 'MESSAGE_MALFORMED' })
    expect(await member.map('users', OF).get('{ada}:1')).toBe('mine')
  })

  it('that sends a write again at another member changes nothing', async () => {
    const second = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0'] }, join: [...member.addresses] })
    const users = second.map('users', OF)
    await until(() => second.status().partitions.whole > 0, 'copies')
    const first = await entered()
    const request = write('{ada}:1', 'once')
    expect((await ask(first, request)).code).toBe('')
    await users.set('{ada}:1', 'after it', { copies: 2 })
    const pass = await member.issuePass({
      ...{ subject: 'ada', expiresInMs: 3_600_000 },
      grants: [{ map: 'users', prefix: '{ada}:', may: 'write' }],
    })
    const again = await RawGuest.entered(second, pass)
    expect((await ask(again, { ...request, again: true })).code).toBe('')
    expect((await ask(first, { ...request, again: true })).code).toBe('')
    for (const grid of [member, second])
      expect(await grid.map('users', OF).get('{ada}:1', { from: 'all' })).toBe('after it')
  })
})
