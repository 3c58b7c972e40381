import fc from 'fast-check'
import MiniSearch from 'minisearch'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../grid.ts'
import type { GridMap } from '../maps/grid-map.ts'
import { TestGrids } from '../rig/test-grids.ts'

interface Note {
  title?: string
  body?: string | string[]
  city?: string
  rank?: number
}

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

const NOTES: Readonly<Record<string, Note>> = {
  river: { title: 'The river', body: 'a long river runs to the sea', city: 'Lyon', rank: 3 },
  sea: { title: 'The sea', body: ['waves', 'and a river mouth'], city: 'Nice', rank: 1 },
  hill: { title: 'A hill', body: 'no water at all', city: 'Lyon', rank: 2 },
  blank: { rank: 9 },
}

async function notes(grid: Grid): Promise<GridMap<Note>> {
  const map = grid.map<Note>('notes')
  await map.setMany(Object.entries(NOTES))
  return map
}

async function keysOf(map: GridMap<Note>, query: Parameters<GridMap<Note>['query']>[0]): Promise<string[]> {
  return (await map.query(query)).rows.map(({ key }) => key)
}

describe('words in a query', () => {
  it('find entries, the best first, also beside other conditions', async () => {
    const map = await notes(await grids.open())
    const index = await map.textIndex(['title', 'body'], { engine: MiniSearch, boost: { title: 3 } })
    expect([index.names, index.size]).toEqual([['title', 'body'], 3])
    expect(await keysOf(map, { where: { $text: 'river' } })).toEqual(['river', 'sea'])
    expect(await keysOf(map, { where: { $text: 'SEA Mouth!' } })).toEqual(['sea', 'river'])
    expect(await keysOf(map, { where: { $text: 'river', city: 'Nice' } })).toEqual(['sea'])
    expect(await keysOf(map, { where: { $text: 'river', $or: [{ rank: 3 }, { rank: 2 }] } })).toEqual(['river'])
    expect(await keysOf(map, { where: { $text: 'riv' } })).toEqual([])
    expect(await keysOf(map, { where: { $text: '?!' } })).toEqual([])
    const best = await map.query({ where: { $text: 'river' }, limit: 1, select: 'city' })
    expect(best).toEqual({ rows: [{ key: 'river', value: { city: 'Lyon' } }], complete: true, next: undefined })
  })

  it('are a filter with orderBy, and then there are pages', async () => {
    const map = await notes(await grids.open())
    await map.index('rank')
    await map.textIndex(['title', 'body'], { engine: MiniSearch })
    const first = await map.query({ where: { $text: 'river hill' }, orderBy: 'rank', limit: 2 })
    expect(first.rows.map(({ key }) => key)).toEqual(['sea', 'hill'])
    const query = { where: { $text: 'river hill' }, orderBy: 'rank', limit: 2, after: first.next } as const
    expect(await keysOf(map, query)).toEqual(['river'])
  })

  it('work in count, aggregate and explain', async () => {
    const map = await notes(await grids.open())
    await map.index('rank')
    await map.textIndex(['title', 'body'], { engine: MiniSearch })
    expect(await map.count({ $text: 'river' })).toBe(2)
    const { rows } = await map.aggregate({ where: { $text: 'a' }, groupBy: 'city', count: true })
    expect(rows).toEqual([
      { group: { city: 'Lyon' }, count: 2 },
      { group: { city: 'Nice' }, count: 1 },
    ])
    const plan = { index: ['title', 'body'], looked: 2, given: 1 }
    expect(await map.explain({ where: { $text: 'river', city: 'Lyon' } })).toEqual({ ...plan, ordered: true })
    expect(await map.explain({ where: { $text: 'river', city: 'Lyon' }, orderBy: 'rank' })).toEqual({
      ...{ ...plan, ordered: false },
    })
  })

  it('can be beginnings of words, and have faults', async () => {
    const map = await notes(await grids.open())
    await map.textIndex('body', { engine: MiniSearch, prefix: true, fuzzy: 0.25 })
    expect(await keysOf(map, { where: { $text: 'riv' } })).toEqual(['sea', 'river'])
    expect(await keysOf(map, { where: { $text: 'watre' } })).toEqual([])
    expect(await keysOf(map, { where: { $text: 'wader' } })).toEqual(['hill'])
  })

  it('find what is there now: not what was changed, deleted, or has expired', async () => {
    const [here, there] = [await grids.open(), await grids.open()]
    const map = await notes(here)
    const theirs = there.map<Note>('notes')
    const index = await map.textIndex(['title', 'body'], { engine: MiniSearch })
    const find = (): Promise<string[]> => keysOf(map, { where: { $text: 'river' }, orderBy: 'rank' })
    await theirs.set('brief', { body: 'river', rank: 5 }, { ttlMs: 2000 })
    await expect.poll(find).toEqual(['sea', 'river', 'brief'])
    await expect.poll(find).toEqual(['sea', 'river'])
    await map.set('sea', { title: 'dry' })
    await map.delete('river')
    expect(await find()).toEqual([])
    expect([await map.count({ $text: 'dry' }), index.size]).toEqual([1, 2])
  })
})

describe('words are refused with their place', () => {
  const asked = async (map: { query(query: never): Promise<unknown> }, query: unknown): Promise<string> => {
    const error = (await map.query(query as never).catch((caught: unknown) => caught)) as Error
    expect(error).toMatchObject({ code: 'INVALID_QUERY' })
    return error.message
  }

  it('without a text index, elsewhere than at the top, and if they are none', async () => {
    const map = await notes(await grids.open())
    expect(await asked(map, { where: { $text: 'x' } })).toMatch(/^where\.\$text: the map has no text index/)
    const index = await map.textIndex('title', { engine: MiniSearch })
    expect(await asked(map, { where: { $and: [{ $text: 'x' }] } })).toMatch(/^where\.\$and\[0\]\.\$text: .* top level/)
    expect(await asked(map, { where: { title: { $text: 'x' } } })).toMatch(/^where\.title\.\$text: .* top level/)
    for (const none of ['', 5, null, { $search: 'x' }])
      expect(await asked(map, { where: { $text: none } })).toMatch(/^where\.\$text: the words to look for/)
    expect(await asked(map, { where: { $text: 'é'.repeat(513) } })).toBe('where.$text: larger than 1 KiB')
    expect(await keysOf(map, { where: { $text: 'é'.repeat(512) } })).toEqual([])
    const { next } = await map.query({ limit: 1 })
    expect(await asked(map, { where: { $text: 'x' }, after: next })).toMatch(/^after: rows by relevance have no pages/)
    expect([index.drop(), index.drop()]).toEqual([true, false])
    expect(await asked(map, { where: { $text: 'river' } })).toMatch(/^where\.\$text: the map has no text index/)
  })

  it('in live queries, and in queries of partitioned maps', async () => {
    const grid = await grids.open()
    const map = await notes(grid)
    await map.textIndex('title', { engine: MiniSearch })
    expect(await asked({ query: (query) => map.live(query) }, { where: { $text: 'x' } })).toMatch(/^where\.\$text: /)
    const parts = grid.map<Note>('parts', { mode: 'partitioned' })
    for (const call of ['query', 'live', 'explain', 'aggregate'] as const)
      expect(
        await asked(
          { query: (query) => parts[call](query) },
          { where: { $text: 'x' }, ...(call === 'aggregate' ? { count: true } : {}) },
        ),
      ).toMatch(/^where\.\$text: /)
    expect(await asked({ query: () => parts.count({ $text: 'x' } as never) }, {})).toMatch(/^where\.\$text: /)
  })
})

describe('a text index', () => {
  it('is one a map, and its options are checked', async () => {
    const grid = await grids.open()
    const map = await notes(grid)
    const opening = [1, 2].map(() => map.textIndex(['title', 'body'], { engine: MiniSearch, fuzzy: 0.2 }))
    const [one, other] = await Promise.all(opening)
    const wrong: [unknown, unknown][] = [
      ['title', { engine: MiniSearch, fuzzy: 0.2 }],
      [['title', 'body'], { engine: MiniSearch }],
      ['title', {}],
      ['title', undefined],
      ['title', { engine: 'minisearch' }],
      ['title', { engine: MiniSearch, prefix: 1 }],
      ['title', { engine: MiniSearch, fuzzy: 1 }],
      ['title', { engine: MiniSearch, boost: { body: 2 } }],
      ['title', { engine: MiniSearch, boost: { title: -1 } }],
      ['title', { engine: MiniSearch, boost: 2 }],
    ]
    for (const [fields, options] of wrong)
      await expect(map.textIndex(fields as never, options as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(map.textIndex('title', {} as never)).rejects.toThrow(/npm install minisearch/)
    const fields = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    for (const names of [[], fields])
      await expect(map.textIndex(names as never, { engine: MiniSearch })).rejects.toMatchObject({
        code: 'INVALID_QUERY',
      })
    const widest = await grid.map<Note>('wide').textIndex(fields.slice(1) as never, { engine: MiniSearch })
    expect(widest.names).toHaveLength(8)
    // They are the same index.
    expect([one!.drop(), other!.drop()]).toEqual([true, false])
    expect((await map.textIndex('title', { engine: MiniSearch })).size).toBe(3)
  })

  it('is built while the event loop has its turns and entries change', async () => {
    const map = (await grids.open()).map<Note>('notes')
    await map.setMany(
      Array.from({ length: 3000 }, (_, i): [string, Note] => [
        `n${i}`,
        { body: `common words of number${i} ${'x y '.repeat(20)}` },
      ]),
    )
    let isBuilt = false
    const building = map.textIndex('body', { engine: MiniSearch }).finally(() => (isBuilt = true))
    let turns = 0
    while (!isBuilt) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      if (turns++ < 5) await map.set(`n${3000 - turns}`, { body: 'changed' })
    }
    expect(turns).toBeGreaterThan(5)
    expect((await building).size).toBe(3000)
    expect([await map.count({ $text: 'changed' }), await map.count({ $text: 'common' })]).toEqual([5, 2995])
  })

  it('takes long texts in piece by piece, and finds and forgets all of their words', async () => {
    const map = (await grids.open()).map<Note>('notes')
    const long = (mark: string): string =>
      Array.from({ length: 20_000 }, (_, i) => `${mark}${i}${i % 7 === 0 ? 'é' : ''}`).join(' ')
    await map.set('long', { title: 'short', body: [long('a'), 'x'.repeat(9000), long('b')] })
    await map.set('other', { body: 'a17 b17' })
    let units = 0
    let mostUnits = 0
    /** Counts what the engine takes in within one turn of the event loop. */
    class Counting extends MiniSearch {
      override add(document: { texts: readonly string[] }): void {
        units += document.texts.join('').length
        mostUnits = Math.max(mostUnits, units)
        super.add(document)
      }
    }
    let nowMs = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 10))
    let isOver = false
    const countTurn = (): void => {
      units = 0
      if (!isOver) setImmediate(countTurn)
    }
    countTurn()
    const index = await map.textIndex(['title', 'body'], { engine: Counting as never })
    isOver = true
    clock.mockRestore()
    expect(mostUnits).toBeGreaterThan(3000)
    expect(mostUnits).toBeLessThan(3 * 4096)
    expect(index.size).toBe(2)
    for (const word of ['short', 'a0é', 'a19998', 'b12345', 'b19998'])
      expect(await keysOf(map, { where: { $text: word } })).toEqual(['long'])
    expect((await keysOf(map, { where: { $text: 'a17 b17' } })).toSorted()).toEqual(['long', 'other'])
    await map.set('long', { body: 'a17' })
    expect(await keysOf(map, { where: { $text: 'b12345' } })).toEqual([])
    expect((await keysOf(map, { where: { $text: 'a17' } })).toSorted()).toEqual(['long', 'other'])
    await map.delete('long')
    await map.delete('other')
    expect(await keysOf(map, { where: { $text: 'a17 short a19998' } })).toEqual([])
    expect(index.size).toBe(0)
  })

  it('takes in what is written without a search, and closes with the grid', async () => {
    const grid = await grids.open()
    const map = grid.map<Note>('notes')
    const index = await map.textIndex('title', { engine: MiniSearch })
    await map.set('a', { title: 'x' })
    await expect.poll(() => index.size).toBe(1)
    void map.set('b', { title: 'y' }).catch(() => undefined)
    await grid.close()
    await expect(map.count({ $text: 'x' })).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(map.textIndex('title', { engine: MiniSearch })).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('gives rows of one moment while entries change', async () => {
    const map = (await grids.open()).map<Note>('notes')
    await map.setMany(Array.from({ length: 20_000 }, (_, i): [string, Note] => [`n${i}`, { body: 'word' }]))
    await map.textIndex('body', { engine: MiniSearch })
    // Never is there an entry with the word and the rank 2.
    const move = (to: Note): Promise<unknown> =>
      map.transact((batch) => {
        batch.set('a', to)
        batch.set('z', to)
      })
    await move({ body: 'word', rank: 1 })
    let [isOver, moves] = [false, 0]
    const moving = (async () => {
      for (; !isOver; moves++) {
        await move(moves % 2 === 0 ? { body: 'gone', rank: 2 } : { body: 'word', rank: 1 })
        await new Promise((resolve) => setTimeout(resolve))
      }
    })()
    for (let round = 0; round < 8; round++) {
      const before = moves
      const { rows } = await map.query({ where: { $text: 'word', rank: { $ne: 3 } } })
      expect(rows.every(({ value }) => value.body === 'word')).toBe(true)
      const keys = new Set(rows.map((row) => row.key))
      expect(keys.size).toBeGreaterThanOrEqual(20_000)
      expect(keys.has('a')).toBe(keys.has('z'))
      expect(await map.count({ $text: 'word', rank: { $ne: 1 }, city: { $exists: false } })).toBe(20_000)
      expect(moves).toBeGreaterThan(before)
    }
    isOver = true
    await moving
  })

  it('knows the fields by their types', async () => {
    const map = (await grids.open()).map<{ title: string; author: { name: string } }>('typed')
    await map.textIndex(['title', 'author.name'], { engine: MiniSearch, boost: { 'author.name': 2 } })
    const wrong = [
      // @ts-expect-error there is no such field
      (): unknown => map.textIndex('titel', { engine: MiniSearch }),
      // @ts-expect-error no field of this index
      (): unknown => map.textIndex('title', { engine: MiniSearch, boost: { author: 2 } }),
      // @ts-expect-error the class is missing
      (): unknown => map.textIndex('title', {}),
      // @ts-expect-error words are text
      (): unknown => map.query({ where: { $text: 5 } }),
      // @ts-expect-error only at the top level
      (): unknown => map.query({ where: { $and: [{ $text: 'x' }] } }),
      // @ts-expect-error not in live queries
      (): unknown => map.live({ where: { $text: 'x' } }),
    ]
    expect(wrong.length).toBe(6)
  })
})

const word = fc.constantFrom('ada', 'adam', 'bob', 'bobby', 'eve', 'évé', 'x1')
const words = fc.array(word, { maxLength: 4 }).map((all) => all.join(' '))
const note = fc.record(
  { title: words, body: fc.oneof(words, fc.array(word, { maxLength: 3 })), rank: fc.integer({ min: 0, max: 3 }) },
  { requiredKeys: [], noNullPrototype: true },
)
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const edits = fc.array(fc.tuple(key, fc.option(note, { nil: undefined })), { maxLength: 40 })
const given = fc.record({
  edits: fc.tuple(edits, edits),
  asked: fc.array(
    words.filter((text) => text !== ''),
    { minLength: 1, maxLength: 4 },
  ),
  prefix: fc.boolean(),
  fuzzy: fc.constantFrom(0, 0.3),
})

it.each(['value', 'fields'] as const)(
  'after any edits of a map with merge %s, the index finds what a new MiniSearch of the entries does, in its order',
  async (merge) => {
    const grid = await grids.open()
    let maps = 0
    await fc.assert(
      fc.asyncProperty(given, async ({ edits: [before, after], asked, prefix, fuzzy }) => {
        const map = grid.map<Note>(`notes ${++maps}`, { merge })
        const apply = async (all: typeof before): Promise<void> => {
          for (const [each, value] of all) await (value === undefined ? map.delete(each) : map.set(each, value))
        }
        await apply(before)
        const boost = { title: 2 }
        const index = await map.textIndex(['title', 'body'], { engine: MiniSearch, prefix, fuzzy, boost })
        await apply(after)
        const fresh = new MiniSearch<{ id: string; title: string; body: string }>({ fields: ['title', 'body'] })
        for (const [id, { title = '', body = '' }] of map.peekEntries()) {
          const text = typeof body === 'string' ? body : body.join('\n')
          if (title !== '' || text !== '') fresh.add({ id, title, body: text })
        }
        for (const $text of asked) {
          const scores = new Map(
            fresh.search($text, { prefix, fuzzy, boost }).map(({ id, score }) => [id as string, score]),
          )
          const keys = await keysOf(map, { where: { $text } })
          expect(keys.toSorted()).toEqual([...scores.keys()].toSorted())
          // Sums in another order differ in their last digits.
          const inOrder = keys.map((each) => Number(scores.get(each)!.toPrecision(9)))
          expect(inOrder).toEqual(inOrder.toSorted((one, other) => other - one))
          expect(await map.count({ $text })).toBe(keys.length)
        }
        expect(index.size).toBe(fresh.documentCount)
        await grid.dropCollection(map.name)
      }),
      { numRuns: 100 },
    )
  },
)
