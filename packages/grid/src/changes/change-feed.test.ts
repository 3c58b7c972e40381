import { expect, it } from 'vitest'
import { ChangeFeed } from './change-feed.ts'
import type { UnreadChange } from './unread-change.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

interface Step {
  readonly step: number
}

function unread(step: number): UnreadChange<Step> {
  const change: UnreadChange<Step> = { key: `${step}`, sizeBytes: 0, kept: () => change, read: () => ({ step }) }
  return change
}

function makeFeed(): { feed: ChangeFeed<Step>; uses: boolean[] } {
  const uses: boolean[] = []
  const feed = new ChangeFeed<Step>({
    logger: silent,
    lagged: (missed) => ({ step: -missed }),
    used: () => uses.push(feed.wanted),
  })
  return { feed, uses }
}

it('loops and listeners hear of every change while they follow', async () => {
  const { feed, uses } = makeFeed()
  const heard: number[] = []
  expect(feed.wanted).toBe(false)
  feed.pushAndEmit(unread(1))
  const loop = feed.changes({})
  const off = feed.on('change', ({ step }) => heard.push(step))
  feed.pushAndEmit(unread(2))
  off()
  feed.pushAndEmit(unread(3))
  expect(await loop.next()).toEqual({ done: false, value: { step: 2 } })
  expect(await loop.next()).toEqual({ done: false, value: { step: 3 } })
  await loop.return()
  feed.pushAndEmit(unread(4))
  expect(heard).toEqual([2])
  expect(uses).toEqual([true, true, false])
})

it('a loop that does not read costs no more than its buffer, and learns how much it missed', async () => {
  const { feed } = makeFeed()
  const loop = feed.changes({ bufferMax: 2 })
  for (let step = 1; step <= 5; step++) feed.pushAndEmit(unread(step))
  const steps: number[] = []
  for await (const { step } of loop) if (steps.push(step) === 3) break
  expect(steps).toEqual([1, 2, -3])
  expect(() => feed.changes({ bufferMax: 0 })).toThrow(/bufferMax/)
})

it('closing ends loops quietly, an aborted signal ends them with ABORTED, also one aborted before', async () => {
  const { feed } = makeFeed()
  const stop = new AbortController()
  const stopped = feed.changes({ signal: stop.signal }).next()
  stop.abort()
  await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
  const late = feed.changes({ signal: stop.signal })
  expect(feed.wanted).toBe(false)
  await expect(late.next()).rejects.toMatchObject({ code: 'ABORTED' })
  const open = feed.changes({})
  feed.close()
  expect(await open.next()).toEqual({ done: true, value: undefined })
  expect(feed.wanted).toBe(false)
})
