import { decodeValue, encodeValue } from '@gossipgrid/core'
import { expect, it } from 'vitest'
import { GUEST_REQUESTS_MAX, GUEST_REQUESTS_WAITING_MAX } from '../guest-limits.ts'
import { GuestFeeds } from '../feeds/guest-feeds.ts'
import type { GuestMessage } from '../messages.ts'
import { GuestMap } from './guest-map.ts'
import { GuestRequests } from './guest-requests.ts'

type Ask = Extract<GuestMessage, { type: 'ask' }>

function rig(): { requests: GuestRequests; map: GuestMap<unknown>; closing: AbortController } {
  let date = 1000
  const closing = new AbortController()
  const requests = new GuestRequests({ closing: closing.signal, date: () => (date += 1) })
  const descriptor = { name: 'users', kind: 'map', mode: 'partitioned', partitions: 16, owners: 3 } as const
  const feeds = new GuestFeeds(closing.signal)
  const deps = { requests, feeds, descriptor, pump: undefined as never, schema: undefined, mapTtlMs: undefined }
  return { requests, closing, map: new GuestMap(deps) }
}

const requestIn = ({ request }: Ask): unknown => decodeValue(request)

const replyTo = ({ number }: Ask, reply: object): Parameters<GuestRequests['replied']>[0] => {
  return { type: 'reply', number, code: '', text: '', reply: encodeValue(reply, 1000), hlc: 0 }
}

it('what was not answered is sent again at the next member, with the date of the first time', async () => {
  const { map, requests } = rig()
  const first: Ask[] = []
  requests.welcome(16, (message) => first.push(message as Ask))
  const written = map.set('a', 1, {})
  const read = map.get('b', {})
  await Promise.resolve()
  expect(first.map(requestIn)).toMatchObject([{ op: 'write', again: false, dateHlc: 1001 }, { op: 'read' }])
  requests.ended()
  // It comes too late.
  requests.replied(replyTo(first[0]!, { receipt: 'lost' }))
  const second: Ask[] = []
  requests.welcome(16, (message) => second.push(message as Ask))
  expect(second.map(requestIn)).toMatchObject([{ op: 'write', again: true, dateHlc: 1001 }, { op: 'read' }])
  requests.replied(replyTo(second[1]!, { entries: [{ bytes: encodeValue('value', 100) }] }))
  requests.replied(replyTo(second[0]!, { receipt: 'kept' }))
  expect(await read).toBe('value')
  expect(await written).toBe('kept')
})

it('no more are under way than a member takes, also when callers wait no more', async () => {
  const { map, requests } = rig()
  const sent: Ask[] = []
  requests.welcome(100, (message) => sent.push(message as Ask))
  const gone = new AbortController()
  const given = Array.from({ length: 40 }, () => map.get('a', { signal: gone.signal }).catch(() => 'ended'))
  await Promise.resolve()
  expect(sent.length).toBe(GUEST_REQUESTS_MAX)
  gone.abort()
  expect(await Promise.all(given)).toEqual(given.map(() => 'ended'))
  const later = map.get('b', {})
  await Promise.resolve()
  expect(sent.length).toBe(GUEST_REQUESTS_MAX)
  requests.replied(replyTo(sent[0]!, { entries: [{}] }))
  expect(sent.length).toBe(GUEST_REQUESTS_MAX + 1)
  requests.replied(replyTo(sent.at(-1)!, { entries: [{}] }))
  expect(await later).toBeUndefined()
})

it('what waits has a bound, in number and in bytes', async () => {
  const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
    promise.catch(({ code }: { code: string }) => code)
  for (const [ask, countMax] of [
    [(map: GuestMap<unknown>) => map.get('a', {}), GUEST_REQUESTS_WAITING_MAX],
    // Of one key they would wait for each other.
    [(map: GuestMap<unknown>, n: number) => map.set(`a${n}`, new Uint8Array(1_000_000), {}), 67],
  ] as const) {
    const { closing, map } = rig()
    const codes = Array.from({ length: countMax + 1 }, (_, n) => codeOf(ask(map, n)))
    expect(await codes.at(-1)).toBe('BACKLOG_FULL')
    closing.abort()
    expect(new Set(await Promise.all(codes.slice(0, -1)))).toEqual(new Set(['CLOSED']))
  }
})

it('a member of an older version is not asked', async () => {
  const { map, requests } = rig()
  requests.welcome(undefined, () => expect.unreachable())
  await expect(map.get('a', {})).rejects.toMatchObject({ code: 'FORBIDDEN' })
})
