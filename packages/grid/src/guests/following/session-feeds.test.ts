import { GridError, encodeValue } from '@gossipgrid/core'
import { afterEach, expect, it, vi } from 'vitest'
import { OVER } from '../feeds/feed-request.ts'
import {
  GUESTS_FOLLOWED_PARTITIONS_MAX,
  GUEST_FEEDS_MAX,
  GUEST_FEED_IDLE_MAX_MS,
  GUEST_FOLLOWED_PARTITIONS_MAX,
} from '../guest-limits.ts'
import type { PassContent } from '../pass-text.ts'
import { FeedRoom } from './feed-room.ts'
import type { ServedFeed } from './served-feed.ts'
import { SessionFeeds } from './session-feeds.ts'
import type { SessionFeedsDeps } from './session-feeds.ts'

afterEach(() => void vi.useRealTimers())

const PASS = { subject: 'ada', grants: [{ map: 'users', may: 'read' }] } as unknown as PassContent
const ASKED = { map: 'users', kind: 1, partitions: 16, owners: 3, timeoutMs: 2000 }
const CHANGES = { ...ASKED, op: 'changes', prefix: '', exact: false, initial: true, since: [], lost: [] }

/** Feeds that have something new whenever they are asked, until they are stopped. */
function rig(open?: () => Promise<ServedFeed>): { feeds: SessionFeeds; room: FeedRoom; stopped: () => number } {
  let stopped = 0
  const served: ServedFeed = {
    partitionCount: 16,
    next: async () => ({ parts: [], unanswered: [], isCaughtUp: true }),
    stop: () => (stopped += 1),
  }
  const room = new FeedRoom()
  const deps = {
    pump: { wallMs: 0, peer: { time: { hybridClock: { last: 0 } } } },
    feeds: { room, open: open ?? (async () => served) },
    pass: () => PASS,
    wake: () => undefined,
    failed: (error: unknown) => {
      throw error
    },
  }
  return { feeds: new SessionFeeds(deps as unknown as SessionFeedsDeps), room, stopped: () => stopped }
}

async function ask(feeds: SessionFeeds, request: object): Promise<Uint8Array | undefined> {
  await feeds.take({ type: 'follow', number: 1, request: encodeValue(request, 10_000) })
  await vi.advanceTimersByTimeAsync(1000)
  const reply = feeds.next(PASS)
  return reply?.type === 'followed' ? reply.reply : undefined
}

const isOver = (reply: Uint8Array | undefined): boolean =>
  Buffer.from(reply!).equals(Buffer.from(encodeValue(OVER, 100)))

it('what a guest does not ask for any more is followed for half a minute, and then no more', async () => {
  vi.useFakeTimers()
  const { feeds, room, stopped } = rig()
  expect(isOver(await ask(feeds, { ...CHANGES, feed: 1 }))).toBe(false)
  await vi.advanceTimersByTimeAsync(GUEST_FEED_IDLE_MAX_MS - 2000)
  expect(isOver(await ask(feeds, { op: 'more', feed: 1 }))).toBe(false)
  expect(stopped()).toBe(0)
  await vi.advanceTimersByTimeAsync(GUEST_FEED_IDLE_MAX_MS)
  expect(stopped()).toBe(1)
  expect(isOver(await ask(feeds, { op: 'more', feed: 1 }))).toBe(true)
  expect(isOver(await ask(feeds, { ...CHANGES, feed: 1 }))).toBe(false)
  feeds.close()
  expect(stopped()).toBe(2)
  // All room is free again.
  for (let taken = 0; taken < GUESTS_FOLLOWED_PARTITIONS_MAX; taken += 16) room.take(16, 0)
  expect(() => room.take(1, 0)).toThrow(expect.objectContaining({ code: 'QUOTA_EXCEEDED' }))
  room.give(1)
  room.take(1, GUEST_FOLLOWED_PARTITIONS_MAX - 1)
  room.give(1)
  expect(() => room.take(1, GUEST_FOLLOWED_PARTITIONS_MAX)).toThrow(expect.objectContaining({ code: 'QUOTA_EXCEEDED' }))
})

it('a page that waits to be sent is not sent if the pass covers something else by then', async () => {
  vi.useFakeTimers()
  const { feeds } = rig()
  await feeds.take({ type: 'follow', number: 1, request: encodeValue({ ...CHANGES, feed: 1 }, 10_000) })
  await vi.advanceTimersByTimeAsync(1000)
  const other = { ...PASS, grants: [{ map: 'users', prefix: 'a', may: 'read' }] } as const
  const reply = feeds.next(other)
  expect(reply?.type === 'followed' && isOver(reply.reply)).toBe(true)
  feeds.close()
})

it('a guest that asks and asks without waiting for replies is sent away', async () => {
  const { feeds } = rig()
  const more = encodeValue({ op: 'more', feed: 7 }, 100)
  const flood = async (): Promise<void> => {
    for (let i = 0; i < 1000; i++) await feeds.take({ type: 'follow', number: i, request: more })
  }
  await expect(flood()).rejects.toMatchObject({ code: 'MESSAGE_MALFORMED' })
})

it('a guest gets the next page when the last one was sent, so that one page of each feed waits for it', async () => {
  vi.useFakeTimers()
  const { feeds } = rig()
  const send = (request: object): Promise<void> =>
    feeds.take({ type: 'follow', number: 1, request: encodeValue(request, 10_000) })
  await send({ ...CHANGES, feed: 1 })
  await vi.advanceTimersByTimeAsync(1000)
  expect(feeds.hasReplies).toBe(true)
  await expect(send({ op: 'more', feed: 1 })).rejects.toMatchObject({ code: 'MESSAGE_MALFORMED' })
  feeds.close()
})

it('the page of a feed that the guest has ended waits for it no more', async () => {
  vi.useFakeTimers()
  const { feeds } = rig()
  await feeds.take({ type: 'follow', number: 1, request: encodeValue({ ...CHANGES, feed: 1 }, 10_000) })
  await vi.advanceTimersByTimeAsync(1000)
  await feeds.take({ type: 'follow', number: 2, request: encodeValue({ op: 'end', feed: 1 }, 10_000) })
  const reply = feeds.next(PASS)
  expect(reply?.type === 'followed' && isOver(reply.reply)).toBe(true)
})

it('a guest that begins and ends feeds by the thousand has few of them opened at a time', async () => {
  const opening: PromiseWithResolvers<ServedFeed>[] = []
  const { feeds } = rig(() => {
    opening.push(Promise.withResolvers())
    return opening.at(-1)!.promise
  })
  const storm = (async () => {
    for (let feed = 0; feed < 1000; feed++)
      for (const request of [
        { ...CHANGES, feed },
        { op: 'end', feed },
      ]) {
        await feeds.take({ type: 'follow', number: feed, request: encodeValue(request, 10_000) })
        feeds.next(PASS)
      }
  })()
  const most = 4 * GUEST_FEEDS_MAX
  for (let opened = most; opened <= 1000; opened += 1) {
    await vi.waitFor(() => expect(opening.length).toBe(opened), { interval: 1 })
    opening[opened - most]!.reject(new GridError('ABORTED', 'the guest has ended it'))
  }
  await storm
})
