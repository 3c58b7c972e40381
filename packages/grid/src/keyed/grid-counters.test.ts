import { COUNTER_DELETE_KEPT_MS } from '@gossipgrid/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { byKey } from '../maps/snapshots.ts'
import { madeUpFrame } from '../rig/made-up-rows.ts'
import { TestGrids, collect, diskInMemory, until } from '../rig/test-grids.ts'

const MAX = Number.MAX_SAFE_INTEGER
const COUNTERS = 7

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('counting', () => {
  it('an increment counts at once, up and down, under its key alone', async () => {
    const visits = (await grids.open()).counters('visits')
    expect(visits.peek('/')).toBeUndefined()
    const counting = visits.increment('/')
    expect(visits.peek('/')).toBe(1)
    await counting
    await visits.increment('/', 5)
    await visits.decrement('/', 10)
    await visits.increment('/about', 0)
    expect([visits.peek('/'), await visits.get('/about'), await visits.get('/none')]).toEqual([-4, 0, undefined])
    expect([await visits.has('/'), await visits.has('/about'), await visits.has('/none')]).toEqual([true, true, false])
    expect(visits.size).toBe(2)
  })

  it('looking whether a key is there writes nothing', async () => {
    const grid = await grids.open()
    const visits = grid.counters('visits')
    const counting = visits.increment('/')
    const looking = visits.has('/')
    expect(grid.metrics().writes.sets).toBe(0)
    expect(await looking).toBe(true)
    await counting
  })

  it('a read without options is of the moment of its call', async () => {
    const visits = (await grids.open()).counters('visits')
    const reading = Promise.all([visits.get('/'), visits.has('/')])
    void visits.increment('/')
    expect(await reading).toEqual([undefined, false])
  })

  it('two peers count at once, apart from each other, and nothing is lost', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    grids.split([0], [1])
    await Promise.all([first.counters('visits').increment('/', 3), second.counters('visits').increment('/', 4)])
    await second.counters('visits').decrement('/')
    grids.heal()
    await until(() => [first, second].every((grid) => grid.counters('visits').peek('/') === 6), 'both know all')
  })

  it('what came before they were opened here counts, also from the own disk', async () => {
    const disk = diskInMemory()
    const first = await grids.open({ storage: disk })
    await first.counters('visits').increment('/', 7)
    const second = await grids.open()
    await until(() => second.status().collections[0]?.rows === 1, 'the row has come')
    expect(second.counters('visits').peek('/')).toBe(7)
    await first.close()
    const again = await grids.open({ storage: disk })
    await again.counters('visits').increment('/', 3)
    expect(again.counters('visits').peek('/')).toBe(10)
    expect(again.status().collections[0]).toMatchObject({ name: 'visits', kind: 'counters', rows: 2 })
  })

  it('increments of a key in one turn share one row and one promise', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const visits = grid.counters('visits')
    const counting = Array.from({ length: 1000 }, (_, i) => visits.increment(i % 2 === 0 ? 'a' : 'b'))
    expect(new Set(counting).size).toBe(2)
    expect([visits.peek('a'), visits.peek('b')]).toEqual([500, 500])
    expect(await counting[0]).toMatchObject({ durable: true, copies: 1 })
    expect(grid.metrics().writes.sets).toBe(2)
    await expect(visits.increment('a', 1, { copies: 2, timeoutMs: 20 })).rejects.toMatchObject({
      code: 'COPIES_TIMEOUT',
    })
    expect(visits.peek('a')).toBe(501)
  })

  it('by what is no whole number, under what is no key, or past the range, is refused and counts nothing', async () => {
    const grid = await grids.open()
    const visits = grid.counters('visits')
    await visits.increment('/', MAX)
    const refused: [Promise<unknown>, string][] = [
      [visits.increment('/', -1), 'INVALID_VALUE'],
      [visits.increment('/', 0.5), 'INVALID_VALUE'],
      [visits.increment('/'), 'COUNTER_RANGE'],
      [visits.increment(''), 'INVALID_KEY'],
      [visits.increment('a\u0000'), 'INVALID_KEY'],
      [visits.increment('a\u0001'), 'INVALID_KEY'],
      [visits.increment('a'.repeat(961)), 'INVALID_KEY'],
      [visits.increment(7 as unknown as string), 'INVALID_KEY'],
      [visits.increment('/', 1, { copie: 1 } as object), 'INVALID_OPTION'],
      [visits.increment('/', 1, { signal: AbortSignal.abort() }), 'ABORTED'],
    ]
    for (const [promise, code] of refused) await expect(promise).rejects.toMatchObject({ code })
    await visits.increment('ä'.repeat(480))
    expect([visits.peek('/'), visits.size]).toEqual([MAX, 2])
    await grid.close()
    await expect(visits.increment('/')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => visits.peek('/')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('that several peers drive out of range throws where it is read, and is reported in changes all the same', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const changes = first.counters('visits').changes({ key: '/' })
    grids.split([0], [1])
    await first.counters('visits').increment('/', MAX)
    await second.counters('visits').increment('/', 2)
    grids.heal()
    const [, past] = await collect(changes, 2)
    expect(() => past!.value).toThrow(expect.objectContaining({ code: 'COUNTER_RANGE' }))
    expect(past!.delta).toBe(2)
    expect(() => first.counters('visits').peek('/')).toThrow(/is at 9007199254740993/)
    await first.counters('visits').decrement('/', 3)
    expect(first.counters('visits').peek('/')).toBe(MAX - 1)
  })
})

describe('deleting', () => {
  it('takes away what is there, and counting starts over', async () => {
    const visits = (await grids.open()).counters('visits')
    await visits.increment('/', 5)
    void visits.increment('/', 2)
    expect(await visits.delete('/')).toMatchObject({ copies: 0 })
    expect([visits.peek('/'), await visits.has('/'), visits.size]).toEqual([undefined, false, 0])
    expect(await visits.delete('/')).toBeUndefined()
    await visits.increment('/', 3)
    expect(visits.peek('/')).toBe(3)
    await visits.delete('/')
    await visits.increment('/')
    expect(visits.peek('/')).toBe(1)
  })

  it('takes away what its peer had seen of another one, and nothing that it had not seen', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const [here, there] = [first.counters('visits'), second.counters('visits')]
    await here.increment('/', 10)
    await until(() => there.peek('/') === 10, 'it has come')
    grids.split([0], [1])
    await there.delete('/')
    await here.increment('/', 3)
    await here.increment('/', 4)
    expect([here.peek('/'), there.peek('/')]).toEqual([17, undefined])
    grids.heal()
    await until(() => here.peek('/') === 7 && there.peek('/') === 7, 'the later increments stay')
    await there.increment('/')
    await until(() => here.peek('/') === 8, 'counting goes on')
    await here.delete('/')
    await until(() => there.peek('/') === undefined, 'all of it is gone')
    expect(here.size).toBe(0)
  })

  it('by two peers at once, which had seen different amounts, takes away the larger one', async () => {
    const peers = [await grids.open(), await grids.open(), await grids.open()] as const
    await Promise.all(peers.slice(1).map((grid) => grid.ready()))
    const [a, b, c] = [peers[0].counters('visits'), peers[1].counters('visits'), peers[2].counters('visits')]
    await a.increment('/', 5)
    await until(() => b.peek('/') === 5 && c.peek('/') === 5, 'all know it')
    grids.split([0, 1], [2])
    await a.increment('/', 2)
    await until(() => b.peek('/') === 7, 'one more knows it')
    await c.delete('/')
    grids.split([0], [1], [2])
    await b.delete('/')
    await a.increment('/', 1)
    grids.heal()
    await until(() => [a, b, c].every((each) => each.peek('/') === 1), 'one increment had not been seen')
  })

  it('leaves tombstones, and one row for each slot', async () => {
    const grid = await grids.open()
    const visits = grid.counters('visits')
    for (let i = 0; i < 10; i++) await visits.increment(`page ${i}`)
    for (let i = 0; i < 10; i++) await visits.delete(`page ${i}`)
    expect(grid.status().collections[0]).toMatchObject({ rows: 10, tombstones: 10 })
  })

  it('removes what deletes of 90 days ago had seen, and nothing that still counts', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const [disk, options] = [diskInMemory(), { name: 'days' }]
      const first = await grids.open({ storage: disk, ...options })
      const visits = first.counters('visits')
      for (const page of ['gone', 'again', 'stays']) await visits.increment(page, 5)
      for (const page of ['gone', 'again']) await visits.delete(page)
      await visits.increment('again', 2)
      const visited = (): unknown => first.status().collections.find(({ name }) => name === 'visits')
      expect(visited()).toMatchObject({ rows: 4, tombstones: 2 })
      vi.setSystemTime(Date.now() + COUNTER_DELETE_KEPT_MS - 60_000)
      await visits.increment('later')
      await visits.delete('later')
      expect(visited()).toMatchObject({ rows: 5, tombstones: 3 })
      vi.setSystemTime(Date.now() + 120_000)
      await visits.increment('last')
      await visits.delete('last')
      expect(visited()).toMatchObject({ rows: 4, tombstones: 6 })
      const shown = (await collect(visits.entries())).toSorted(byKey)
      expect(shown).toEqual([
        ['again', 2],
        ['stays', 5],
      ])
      await first.close()
      const reopened = await grids.open({ storage: disk, ...options })
      expect((await collect(reopened.counters('visits').entries())).toSorted(byKey)).toEqual(shown)
    } finally {
      vi.useRealTimers()
    }
  })

  it('of all keys leaves what was counted since the call', async () => {
    const visits = (await grids.open()).counters('visits')
    for (let i = 0; i < 3000; i++) void visits.increment(`page ${i}`, 2)
    const clearing = visits.clear()
    void visits.increment('page 2999')
    void visits.increment('another')
    expect(await clearing).toBe(3000)
    expect(await collect(visits.entries())).toEqual([
      ['page 2999', 1],
      ['another', 1],
    ])
    expect(await visits.clear({ signal: new AbortController().signal })).toBe(2)
    await expect(visits.clear({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('following', () => {
  it('keys and entries come by prefix, with what is not written yet', async () => {
    const visits = (await grids.open()).counters('visits')
    await visits.increment('a/1')
    void visits.increment('a/2', 2)
    void visits.increment('b/1', 3)
    expect((await collect(visits.keys())).sort()).toEqual(['a/1', 'a/2', 'b/1'])
    expect((await collect(visits.entries({ prefix: 'a/' }))).toSorted(byKey)).toEqual([
      ['a/1', 1],
      ['a/2', 2],
    ])
    expect(() => visits.keys({ pre: '' } as object)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  it('changes tell of keys, one change for what is written in one piece', async () => {
    const grid = await grids.open()
    const visits = grid.counters('visits')
    await visits.increment('old', 4)
    const heard: unknown[] = []
    const off = visits.on('change', ({ type, key, value, delta }) => heard.push([type, key, value, delta]))
    const all = visits.changes({ initial: true })
    const only = visits.changes({ key: 'b' })
    const prefixed = visits.changes({ prefix: 'o', initial: true })
    const first = collect(all, 5)
    await visits.increment('b', 2)
    await visits.decrement('b')
    await visits.increment('b', 0)
    await visits.delete('old')
    await grid.transact((batch) => {
      batch.counters('visits').delete('b')
      batch.counters('visits').increment('b', 7)
    })
    const reported = [
      ['change', 'b', 2, 2],
      ['change', 'b', 1, -1],
      ['delete', 'old', undefined, -4],
      ['change', 'b', 7, 6],
    ]
    const shown = (changes: readonly { type: string; key: string; value: number | undefined; delta: number }[]) =>
      changes.map(({ type, key, value, delta }) => [type, key, value, delta])
    expect(shown(await first)).toEqual([['change', 'old', 4, 4], ...reported])
    expect(heard).toEqual(reported)
    expect(shown(await collect(only, 3))).toEqual([reported[0], reported[1], reported[3]])
    await visits.increment('often')
    // The loop starts now: what was deleted before does not show.
    expect(shown(await collect(prefixed, 1))).toEqual([['change', 'often', 1, 1]])
    off()
  })

  it('a loop ends with its signal and with the grid, and a reader that is too slow gets a mark', async () => {
    const grid = await grids.open()
    const visits = grid.counters('visits')
    const stop = new AbortController()
    const aborted = visits.changes({ signal: stop.signal }).next()
    stop.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    const slow = visits.changes({ bufferMax: 2 })
    const open = visits.changes()
    for (let i = 0; i < 5; i++) await visits.increment('a')
    const lagged = (await collect(slow, 3)).find(({ type }) => type === 'lagged')
    expect(lagged).toMatchObject({ type: 'lagged', key: '', value: undefined, delta: 0 })
    expect(lagged!.missed).toBeGreaterThan(0)
    void grid.close()
    expect(await collect(open)).toHaveLength(5)
  })
})

describe('a batch', () => {
  it('counts and deletes in one piece, and reads what it has written', async () => {
    const grid = await grids.open()
    const visits = grid.counters('visits')
    await visits.increment('a', 5)
    void visits.increment('b', 2)
    await grid.transact((batch) => {
      const counted = batch.counters('visits')
      counted.increment('a', 2)
      counted.decrement('a')
      expect([counted.get('a'), counted.delete('b'), counted.get('b'), counted.has('b')]).toEqual([
        6,
        true,
        undefined,
        false,
      ])
      counted.increment('b', 9)
      counted.increment('c')
      expect([counted.get('b'), counted.delete('none'), visits.peek('b'), visits.peek('a')]).toEqual([9, false, 2, 5])
    })
    expect((await collect(visits.entries())).toSorted(byKey)).toEqual([
      ['a', 6],
      ['b', 9],
      ['c', 1],
    ])
    await grid.transact((batch) => {
      batch.counters('visits').increment('c')
      batch.counters('visits').delete('c')
    })
    expect(await visits.has('c')).toBe(false)
  })

  it('that is refused writes nothing', async () => {
    const grid = await grids.open()
    const visits = grid.counters('visits')
    await visits.increment('a', MAX)
    for (const [by, code] of [
      [1, 'COUNTER_RANGE'],
      [-1, 'INVALID_VALUE'],
    ] as const) {
      const writing = grid.transact((batch) => {
        batch.counters('visits').increment('b')
        batch.counters('visits').increment('a', by)
      })
      await expect(writing).rejects.toMatchObject({ code })
    }
    const large = grid.transact((batch) => {
      for (let i = 0; i < 1001; i++) batch.counters('visits').increment(`${i}`)
    })
    await expect(large).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    expect(visits.size).toBe(1)
  })
})

it('thousands of made-up rows under one key cost no more than as many keys', async () => {
  const grid = await grids.open()
  const visits = grid.counters('visits')
  visits.on('change', () => undefined)
  const member = await grids.openBareMember()
  const slots = Array.from({ length: 8000 }, (_, i) => i.toString(16).padStart(16, '0'))
  const startMs = performance.now()
  await member.publish(
    madeUpFrame(
      'visits',
      COUNTERS,
      slots.map((slot) => [`k\u0000${slot}`, Uint8Array.of(0x82, 1, 0)]),
    ),
  )
  await until(() => visits.peek('k') === 8000, 'all are here')
  await member.publish(
    madeUpFrame(
      'visits',
      COUNTERS,
      slots.map((slot) => [`k\u0000${slot}-${slot}`, Uint8Array.of(0x82, 1, 0)]),
    ),
  )
  await until(() => visits.peek('k') === undefined, 'all are deleted')
  expect(performance.now() - startMs).toBeLessThan(15_000)
})
