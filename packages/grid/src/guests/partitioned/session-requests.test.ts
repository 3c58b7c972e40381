import { encodeValue } from '@gossipgrid/core'
import { afterEach, expect, it, vi } from 'vitest'
import { closeAfterEach, openMember, passOf } from '../../rig/guest-grids.ts'
import { RawGuest, closeRawGuests } from '../../rig/raw-guest.ts'
import { until } from '../../rig/test-grids.ts'
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
