import { decodeValue, encodeValue } from '@gossipgrid/core'
import { afterEach, expect, it, vi } from 'vitest'
import { closeAfterEach, openMember, passOf } from '../../rig/guest-grids.ts'
import { RawGuest, closeRawGuests } from '../../rig/raw-guest.ts'
import { until } from '../../rig/test-grids.ts'
import { GUEST_REPLY_PAGE_MAX_BYTES, GUEST_REQUEST_MAX_MS } from '../guest-limits.ts'
import { ServedMap } from './served-map.ts'

closeAfterEach()
afterEach(closeRawGuests)
afterEach(() => void vi.restoreAllMocks())

const REQUEST = { map: 'users', kind: 1, partitions: 16, owners: 3, timeoutMs: 2000 }

it.each([
  ['a key', { op: 'read', keys: ['a/1'], all: false }, 'read'],
  ['keys with a prefix', { op: 'walk', prefix: '' }, 'walk'],
  ['a query', { op: 'query', asked: {} }, 'query'],
] as const)('what was read of %s is not sent if the pass covers it no more', async (_, question, method) => {
  const member = await openMember()
  await member.map('users', { mode: 'partitioned', partitions: 16 }).set('a/1', 'a value')
  const pass = await passOf(member, [{ map: 'users', prefix: 'a/', may: 'read' }])
  const smaller = await passOf(member, [{ map: 'users', prefix: 'a/2', may: 'read' }])
  const guest = await RawGuest.entered(member, pass)
  const going = Promise.withResolvers<void>()
  const whole = ServedMap.prototype[method] as (...parts: unknown[]) => Promise<object>
  let isRead = false
  vi.spyOn(ServedMap.prototype, method).mockImplementation(async function (this: ServedMap, ...parts: unknown[]) {
    const found = await whole.apply(this, parts)
    isRead = true
    await going.promise
    return found
  })
  await guest.send({ type: 'ask', number: 1, request: encodeValue({ ...REQUEST, ...question }, 1000) })
  await until(() => isRead, 'the read')
  await guest.send({ type: 'pass', pass: smaller })
  await until(() => guest.received.filter(({ type }) => type === 'welcome').length === 2, 'the smaller pass')
  going.resolve()
  expect(await guest.until('reply')).toMatchObject({ number: 1, code: 'FORBIDDEN' })
  expect(guest.text).not.toContain('a value')
})

it('a member works on a request for a minute at most, however long the guest would wait', async () => {
  const member = await openMember()
  await member.map('users', { mode: 'partitioned', partitions: 16 }).set('a/1', 'a value')
  const guest = await RawGuest.entered(member, await passOf(member, [{ map: 'users', prefix: 'a/', may: 'read' }]))
  const query = vi.spyOn(ServedMap.prototype, 'query')
  const request = encodeValue({ ...REQUEST, timeoutMs: 1e9, op: 'query', asked: {} }, 1000)
  await guest.send({ type: 'ask', number: 1, request })
  expect(await guest.until('reply')).toMatchObject({ code: '' })
  expect(query.mock.calls.map(([, , timeoutMs]) => timeoutMs)).toEqual([GUEST_REQUEST_MAX_MS])
})

it.each([
  ['a walk', { op: 'walk', prefix: '' }, 'rows'],
  ['a query', { op: 'query', asked: {} }, 'rows'],
  ['a read', { op: 'read', keys: Array.from({ length: 20 }, (_, i) => `a/${i}`), all: false }, 'entries'],
] as const)('a reply to %s has values of 512 KiB, and one value more at most', async (_, question, part) => {
  const member = await openMember()
  const users = member.map('users', { mode: 'partitioned', partitions: 16 })
  const valueBytes = 60_000
  for (let i = 0; i < 20; i++) await users.set(`a/${i}`, 'x'.repeat(valueBytes))
  const guest = await RawGuest.entered(member, await passOf(member, [{ map: 'users', prefix: 'a/', may: 'read' }]))
  await guest.send({ type: 'ask', number: 1, request: encodeValue({ ...REQUEST, ...question }, 10_000) })
  const { reply } = (await guest.until('reply')) as { readonly reply: Uint8Array }
  expect((decodeValue(reply) as Record<string, unknown[]>)[part]!.length).toBeGreaterThan(0)
  expect(reply.length).toBeGreaterThan(valueBytes)
  expect(reply.length).toBeLessThan(GUEST_REPLY_PAGE_MAX_BYTES + 2 * valueBytes)
})
