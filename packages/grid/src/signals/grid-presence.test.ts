import { PRESENCE_MAX_BYTES } from '@gossipgrid/core'
import { afterEach, expect, test } from 'vitest'
import type { Grid } from '../grid.ts'
import { openGrid } from '../open-grid.ts'
import { TestGrids, until } from '../rig/test-grids.ts'

interface State {
  readonly name: string
  readonly typing?: boolean
}

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

function seen(grid: Grid): Record<string, State> {
  return Object.fromEntries(grid.presence<State>())
}

/** Waits until every peer sees the same. */
async function allSee(expected: Record<string, State>, ...all: Grid[]): Promise<void> {
  const text = (entries: Record<string, State>): string =>
    JSON.stringify(Object.entries(entries).toSorted(([x], [y]) => (x < y ? -1 : 1)))
  await until(() => all.every((grid) => text(seen(grid)) === text(expected)), `all see ${text(expected)}`)
}

test('peers see each other’s state, its changes, and who goes', async () => {
  const [a, b, c] = [await grids.open(), await grids.open(), await grids.open()]
  a.presence<State>().set({ name: 'Ada' })
  b.presence<State>().set({ name: 'Bob' })
  expect(a.presence().get(a.peerId)).toEqual({ name: 'Ada' })
  await allSee({ [a.peerId]: { name: 'Ada' }, [b.peerId]: { name: 'Bob' } }, a, b, c)
  expect(c.presence<State>().get(b.peerId)).toEqual({ name: 'Bob' })
  expect(c.presence().get(c.peerId)).toBeUndefined()
  expect(c.metrics().present).toBe(2)
  a.presence<State>().set({ name: 'Ada', typing: true })
  await allSee({ [a.peerId]: { name: 'Ada', typing: true }, [b.peerId]: { name: 'Bob' } }, a, b, c)
  a.presence<State>().set(null)
  await allSee({ [b.peerId]: { name: 'Bob' } }, a, b, c)
  await b.close()
  await allSee({}, a, c)
})

test('one that comes later sees who is there already', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  a.presence().set('first')
  b.presence().set('second')
  await until(() => a.presence().entries().length === 2, 'they see each other')
  const late = await grids.open()
  await until(() => late.presence().entries().length === 2, 'the newcomer sees both')
  const states = late.presence<string>().entries()
  expect(new Set(states.map(([, state]) => state))).toEqual(new Set(['first', 'second']))
})

test('changes come in a loop and to listeners, after those that are there if wanted', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  const presence = a.presence<State>()
  presence.set({ name: 'Ada' })
  const loop = presence.changes({ initial: true })
  expect((await loop.next()).value).toEqual({ type: 'set', peerId: a.peerId, state: { name: 'Ada' }, missed: 0 })
  const reported: unknown[] = []
  presence.on('change', ({ type, state }) => reported.push([type, state]))
  b.presence<State>().set({ name: 'Bob' })
  expect((await loop.next()).value).toEqual({ type: 'set', peerId: b.peerId, state: { name: 'Bob' }, missed: 0 })
  b.presence<State>().set(undefined)
  await until(() => reported.length > 0 && (reported.at(-1) as unknown[])[0] === 'gone', 'it is reported')
  expect(reported.slice(-2)).toEqual([
    ['set', { name: 'Bob' }],
    ['gone', undefined],
  ])
  const slow = presence.changes({ bufferMax: 1 })
  for (let i = 0; i < 5; i++) {
    presence.set({ name: `${i}` })
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect((await slow.next()).value).toMatchObject({ state: { name: '0' } })
  expect((await slow.next()).value).toEqual({ type: 'lagged', peerId: '', state: undefined, missed: 4 })
})

test('a state that cannot be one is refused, and the one before stays', async () => {
  const grid = await grids.open()
  const presence = grid.presence<unknown>()
  presence.set('sound')
  expect(() => presence.set(() => 1)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
  expect(() => presence.set('x'.repeat(PRESENCE_MAX_BYTES))).toThrow(
    expect.objectContaining({ code: 'VALUE_TOO_LARGE' }),
  )
  expect(() => presence.changes({ bufferMax: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  expect(presence.entries()).toEqual([[grid.peerId, 'sound']])
  await grid.close()
  expect(() => presence.set('late')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

test('peers on the real network see each other come and go', async () => {
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const options = { name: 'presence', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent }
  await using a = await openGrid(options)
  a.presence<State>().set({ name: 'Ada' })
  const b = await openGrid({ ...options, join: a.addresses })
  b.presence<State>().set({ name: 'Bob' })
  await allSee({ [a.peerId]: { name: 'Ada' }, [b.peerId]: { name: 'Bob' } }, a, b)
  b.presence<State>().set({ name: 'Bob', typing: true })
  await until(() => a.presence<State>().get(b.peerId)?.typing === true, 'the change has come')
  await b.close()
  await allSee({ [a.peerId]: { name: 'Ada' } }, a)
})
