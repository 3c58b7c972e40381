import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../grid.ts'
import type { GridMap } from '../maps/grid-map.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})

afterEach(async () => {
  vi.useRealTimers()
  await grids.close()
})

type Shown = Map<string, unknown>

/** Follows a map into `shown` until `enough`, and returns the last cursor. */
async function follow(
  map: GridMap<unknown>,
  shown: Shown,
  since: string | undefined,
  enough: (count: number) => boolean,
): Promise<string | undefined> {
  let [cursor, count] = [since, 0]
  for await (const change of map.watch({ since })) {
    if (change.type === 'set') shown.set(change.key, change.value)
    else shown.delete(change.key)
    cursor = change.cursor ?? cursor
    if (enough(++count)) return cursor
  }
  return cursor
}

const entriesOf = (map: GridMap<unknown>): Shown => new Map(map.peekEntries())
const sorted = (shown: Shown): [string, unknown][] => [...shown].toSorted(([a], [b]) => (a < b ? -1 : 1))

async function pair(): Promise<[Grid, Grid]> {
  const [a, b] = [await grids.open({ storage: diskInMemory() }), await grids.open({ storage: diskInMemory() })]
  await b.ready()
  return [a, b]
}

describe('a watch', () => {
  it('begins with the entries, goes on with changes, and resumes where it was, also at another peer', async () => {
    const [a, b] = await pair()
    const map = a.map<unknown>('m')
    await map.setMany([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ])
    const shown: Shown = new Map()
    const cursor = await follow(map, shown, undefined, (count) => count === 3)
    expect(shown).toEqual(entriesOf(map))
    await map.set('a', 2)
    await map.set('a', 3)
    await map.delete('b')
    await map.set('d', 1)
    const other = b.map<unknown>('m')
    await until(() => other.peek('d') === 1, 'all came')
    const types: string[] = []
    let last: string | undefined
    for await (const change of other.watch({ since: cursor, prefix: '' })) {
      types.push(`${change.type} ${change.key}`)
      if (change.type === 'set') shown.set(change.key, change.value)
      else shown.delete(change.key)
      if ((last = change.cursor) !== undefined && types.length >= 3) break
    }
    expect(types.toSorted()).toEqual(['delete b', 'set a', 'set d'])
    expect(shown).toEqual(entriesOf(map))
    // Nothing has changed since: the next change comes first.
    const waiting = other.watch({ since: last }).next()
    await map.set('e', 1)
    expect((await waiting).value).toMatchObject({
      type: 'set',
      key: 'e',
      by: a.peerId,
      cursor: expect.any(String) as string,
    })
  })

  it('has a cursor where no more changes wait, and only there', async () => {
    const map = (await grids.open()).map<unknown>('m')
    const watching = map.watch()
    const first = watching.next()
    await new Promise((resolve) => setTimeout(resolve, 50))
    for (let i = 0; i < 3; i++) void map.set('k', i)
    const cursors = [await first, await watching.next(), await watching.next()].map(({ value }) => value!.cursor)
    expect(cursors.map((cursor) => cursor === undefined)).toEqual([true, true, false])
    await watching.return()
  })

  it('finds what it had to leave out by itself, when its reader is slow', async () => {
    const map = (await grids.open()).map<unknown>('m')
    await map.set('start', 0)
    const shown: Shown = new Map()
    const watching = map.watch({ bufferMax: 2 })
    await watching.next()
    await map.setMany(Array.from({ length: 20 }, (_, i) => [`k${i}`, i] as const))
    await map.delete('k3')
    for await (const change of watching) {
      expect(change.type).not.toBe('lagged')
      if (change.type === 'set') shown.set(change.key, change.value)
      else shown.delete(change.key)
      if (shown.size === 19 && change.cursor !== undefined) break
    }
    shown.set('start', 0)
    expect(sorted(shown)).toEqual(map.peekEntries())
  })

  it('tells of entries that expired meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const map = (await grids.open()).map<unknown>('m')
    await map.set('stays', 1)
    await map.set('goes', 1, { ttlMs: 60_000 })
    const shown: Shown = new Map()
    const cursor = await follow(map, shown, undefined, (count) => count === 2)
    vi.setSystemTime(Date.now() + 60_001)
    await follow(map, shown, cursor, () => true)
    expect(shown).toEqual(new Map([['stays', 1]]))
  })

  it('waits until its peer has what the cursor has seen, so that it misses no delete', async () => {
    const [a, b] = await pair()
    await a.map('m').set('k', 1)
    await until(() => b.map('m').size === 1, 'it came')
    grids.split([0], [1])
    const shown: Shown = new Map()
    const cursor = await follow(a.map('m'), shown, undefined, () => true)
    await a.map('m').delete('k')
    const later = await follow(a.map('m'), shown, cursor, () => true)
    await a.map('m').set('l', 1)
    await expect(b.map('m').watch({ since: later, timeoutMs: 30 }).next()).rejects.toMatchObject({
      code: 'TOKEN_TIMEOUT',
    })
    const next = b.map('m').watch({ since: later }).next()
    await new Promise((resolve) => setTimeout(resolve, 30))
    grids.heal()
    expect((await next).value).toMatchObject({ type: 'set', key: 'l' })
  })

  it('that cannot be resumed says so: deletes were purged since', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map<unknown>('m')
    await map.set('k', 1)
    const cursor = await follow(map, new Map(), undefined, () => true)
    await map.delete('k')
    const { replica } = map['partition']
    const { ids } = grid['writes'].pump.peer.collections
    const entries = [...replica.vector.writers()].map((writer) => {
      return { replicaId: ids.id(writer), head: replica.vector.head(writer), ranges: [] }
    })
    replica.raiseFloor(replica.floor.with(entries, Date.now()))
    await expect(map.watch({ since: cursor }).next()).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' })
    await map.set('l', 1)
    const fresh = await follow(map, new Map(), undefined, () => true)
    await map.set('n', 1)
    const shown: Shown = new Map()
    await follow(map, shown, fresh, () => true)
    expect(shown).toEqual(new Map([['n', 1]]))
  })

  it('that cannot be resumed says so: the map was dropped since, and is there again or not, as fields or as it was', async () => {
    const [a, b] = await pair()
    const map = a.map<unknown>('m')
    await map.set('k', 1)
    const cursor = await follow(map, new Map(), undefined, () => true)
    await until(() => b.map('m').size === 1, 'it came')
    await a.dropCollection('m')
    const expired = {
      code: 'CURSOR_EXPIRED',
      message: expect.stringMatching(/dropped since.*watch again without since/),
    }
    await expect(map.watch({ since: cursor }).next()).rejects.toMatchObject(expired)
    await expect(a.map('m').watch({ since: cursor }).next()).rejects.toMatchObject(expired)
    await a.map('m').set('k', 2)
    await expect(a.map('m').watch({ since: cursor }).next()).rejects.toMatchObject(expired)
    await until(() => b.map('m').peek('k') === 2, 'the drop came')
    await expect(b.map('m').watch({ since: cursor }).next()).rejects.toMatchObject(expired)
    await a.dropCollection('m')
    const fields = a.map('m', { merge: 'fields' })
    await expect(fields.watch({ since: cursor }).next()).rejects.toMatchObject(expired)
    await expect(a.map('n').watch({ since: cursor }).next()).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
  })

  it('with a cursor from after a drop waits until its peer knows of the drop', async () => {
    const [a, b] = await pair()
    await a.map('m').set('k', 1)
    await until(() => b.map('m').size === 1, 'it came')
    grids.split([0], [1])
    await a.dropCollection('m')
    await a.map('m').set('k', 2)
    const cursor = await follow(a.map('m'), new Map(), undefined, () => true)
    const before = b.map('m')
    await expect(before.watch({ since: cursor, timeoutMs: 30 }).next()).rejects.toMatchObject({ code: 'TOKEN_TIMEOUT' })
    const next = before.watch({ since: cursor }).next()
    grids.heal()
    await expect(next).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' })
    await a.map('m').set('k', 3)
    expect((await b.map('m').watch({ since: cursor }).next()).value).toMatchObject({ key: 'k', value: 3 })
  })

  it('ends with its signal and with its grid', async () => {
    const grid = await grids.open()
    const stop = new AbortController()
    const [aborted, closed] = [grid.map('m').watch({ signal: stop.signal }).next(), grid.map('m').watch().next()]
    await new Promise((resolve) => setTimeout(resolve, 50))
    stop.abort('enough')
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    await grid.close()
    expect(await closed).toMatchObject({ done: true })
  })

  it.each([5, null, {}])('since %j is refused', async (since) => {
    const map = (await grids.open()).map('m')
    await expect(map.watch({ since } as never).next()).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
  })

  it('refuses text that is no cursor, a token too, and says that it is none', async () => {
    const grid = await grids.open()
    const map = grid.map<unknown>('m')
    const { token } = await map.set('k', 1)
    const cursor = (await follow(map, new Map(), undefined, () => true))!
    for (const since of [
      '',
      'x',
      'AAAA',
      'hello',
      token,
      `C${cursor.slice(1)}`,
      cursor.slice(0, -3),
      `${cursor}AAAA`,
    ]) {
      const message = 'since is no cursor that this version reads: pass what a change has as cursor, unchanged'
      await expect(map.watch({ since }).next(), since).rejects.toMatchObject({ code: 'INVALID_TOKEN', message })
    }
  })

  it('refuses the cursor of another map and of another grid, and other options', async () => {
    const grid = await grids.open()
    await grid.map('m').set('k', 1)
    const cursor = await follow(grid.map('m'), new Map(), undefined, () => true)
    await expect(grid.map('n').watch({ since: cursor }).next()).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
    const other = await new TestGrids().open({ name: 'other' })
    await expect(other.map('m').watch({ since: cursor }).next()).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
    await other.close()
    for (const options of [{ timeoutMs: 0 }, { prefix: 5 }, { sinze: cursor }, { bufferMax: 0 }, null])
      await expect(
        grid
          .map('m')
          .watch(options as never)
          .next(),
      ).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})

it('whatever is written by two peers, and wherever a reader is interrupted, what it has is what is there', async () => {
  const [a, b] = await pair()
  const key = fc.constantFrom('a', 'b', 'c')
  const write = fc.tuple(fc.nat({ max: 1 }), key, fc.option(fc.nat({ max: 9 })))
  const round = fc.record({
    writes: fc.array(write, { maxLength: 8 }),
    reader: fc.nat({ max: 1 }),
    count: fc.nat({ max: 6 }),
  })
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(round, { maxLength: 6 }), fc.constantFrom('value', 'fields'), async (rounds, merge) => {
      const name = `m${run++}`
      const maps = [a, b].map((grid) => grid.map<object>(name, { merge }))
      const shown: Shown = new Map()
      let cursor: string | undefined
      for (const { writes, reader, count } of [...rounds, { writes: [], reader: 0, count: Infinity }]) {
        for (const [peer, written, value] of writes)
          await (value === null ? maps[peer]!.delete(written) : maps[peer]!.set(written, { value }))
        await until(
          () =>
            a.status().collections.find((each) => each.name === name)?.fingerprint ===
            b.status().collections.find((each) => each.name === name)?.fingerprint,
          'they are equal',
        )
        // A last write of its own, so that the watch has something to end with.
        await maps[reader]!.set('end', { run: Math.random() })
        const end = maps[reader]!.peek('end')
        let seen = 0
        const before = new Map(shown)
        for await (const change of maps[reader]!.watch({ since: cursor })) {
          if (change.type === 'set') shown.set(change.key, change.value)
          else shown.delete(change.key)
          if (change.cursor !== undefined) {
            cursor = change.cursor
            before.clear()
            for (const [k, v] of shown) before.set(k, v)
          }
          const isAtEnd = change.cursor !== undefined && JSON.stringify(shown.get('end')) === JSON.stringify(end)
          if (++seen > count || isAtEnd) break
        }
        // What came after the last cursor is lost with the reader.
        shown.clear()
        for (const [k, v] of before) shown.set(k, v)
      }
      expect(sorted(shown)).toEqual(maps[0]!.peekEntries())
    }),
    { numRuns: 25 },
  )
})
