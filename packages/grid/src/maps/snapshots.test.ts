import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { TestGrids, until } from '../rig/test-grids.ts'
import { userSchema } from '../rig/test-schemas.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('a snapshot', () => {
  it('is the same array until something in it changes', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.setMany([
      ['b', 2],
      ['a1', 1],
      ['a2', 2],
    ])
    const [all, some, none] = [map.snapshot(), map.snapshot({ prefix: 'a' }), map.snapshot({ prefix: 'x' })]
    expect(all).toEqual([
      ['a1', 1],
      ['a2', 2],
      ['b', 2],
    ])
    expect(some).toEqual(all.slice(0, 2))
    expect([map.snapshot(), map.snapshot({}), map.snapshot({ prefix: '' })].every((each) => each === all)).toBe(true)
    void map.set('b', 3)
    expect(map.snapshot({ prefix: 'a' })).toBe(some)
    expect(map.snapshot({ prefix: 'x' })).toBe(none)
    const next = map.snapshot()
    expect(next).toEqual([...all.slice(0, 2), ['b', 3]])
    // What did not change is the same, so that a list of memoized rows draws one row.
    expect(next[0]).toBe(all[0])
    expect(next[1]).toBe(all[1])
    expect(all[2]).toEqual(['b', 2])
  })

  it('does not change for a key that came and went, and is fresh when a listener is called', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('a', 1)
    const before = map.snapshot()
    void map.set('b', 2)
    void map.delete('b')
    expect(map.snapshot()).toBe(before)
    const seen: unknown[] = []
    map.on('change', () => seen.push(map.snapshot().length))
    void map.set('c', 3)
    void map.delete('a')
    expect(seen).toEqual([2, 1])
  })

  it('is frozen, with its entries and values', async () => {
    const map = (await grids.open()).map<{ tags: string[]; at: Date; bytes: Uint8Array }>('m')
    await map.set('a', { tags: ['x'], at: new Date(5), bytes: Uint8Array.of(1) })
    const [[, value]] = map.snapshot() as never as [[string, { tags: string[] }]]
    expect([map.snapshot(), map.snapshot()[0], value, value.tags].every((each) => Object.isFrozen(each))).toBe(true)
    expect(() => value.tags.push('y')).toThrow(TypeError)
    // Other readers have values of their own.
    map.peek('a')!.tags.push('y')
    expect(map.snapshot()[0]![1]).toEqual({ tags: ['x'], at: new Date(5), bytes: Uint8Array.of(1) })
  })

  it('changes with what other peers write, with fields, and with what expires', async () => {
    const [a, b] = [await grids.open(), await grids.open()]
    const [here, there] = [a, b].map((grid) => grid.map<object>('f', { merge: 'fields' }))
    const first = here!.snapshot()
    await there!.set('k', { x: 1, y: 2 })
    await until(() => here!.snapshot() !== first, 'it came')
    expect(here!.snapshot()).toEqual([['k', { x: 1, y: 2 }]])
    await here!.set('short', { x: 1 }, { ttlMs: 3000 })
    expect(here!.snapshot()).toHaveLength(2)
    const later = here!.snapshot()
    await until(() => here!.snapshot() !== later, 'it is gone')
    expect(here!.snapshot()).toEqual([['k', { x: 1, y: 2 }]])
  })

  it('leaves out what is not valid by the schema', async () => {
    const [a, b] = [await grids.open(), await grids.open()]
    await b.map('m').set('bad', 'no object')
    await b.map('m').set('good', { name: 'Ada', age: 1 })
    const map = a.map('m', { schema: userSchema })
    await until(() => map.size === 1, 'it came')
    expect(map.snapshot()).toEqual([['good', { name: 'Ada', age: 1 }]])
    await b.map('m').set('bad', { name: 'Bob', age: 2 })
    await until(() => map.size === 2, 'it came')
    expect(map.snapshot().map(([key]) => key)).toEqual(['bad', 'good'])
  })

  it('stays readable once the grid is closed, if it was read before', async () => {
    const grid = await grids.open()
    const map = grid.map('m')
    await map.set('a', 1)
    const last = map.snapshot()
    await grid.close()
    expect(map.snapshot()).toBe(last)
    for (const read of [() => map.snapshot({ prefix: 'a' }), () => map.peekEntries()])
      expect(read).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it.each([{ prefix: 5 }, { prefix: null }, { prefx: 'a' }, null, 'a'])('of %j is refused', async (options) => {
    const map = (await grids.open()).map('m')
    for (const read of [() => map.snapshot(options as never), () => map.peekEntries(options as never)])
      expect(read).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  it('that is not in use costs nothing: it is let go, and the map is no longer observed for it', async () => {
    const grid = await grids.open()
    const map = grid.map<number>('m')
    await map.set('a', 1)
    let collected = 0
    const registry = new FinalizationRegistry(() => (collected += 1))
    for (let i = 0; i < 100; i++) registry.register(map.snapshot({ prefix: `a${i}` }), undefined)
    await vi.waitFor(
      async () => {
        // Without --expose-gc, allocation makes the collector run.
        const waste = Array.from({ length: 200_000 }, (_, i) => ({ i }))
        await new Promise((resolve) => setTimeout(resolve, 1))
        expect([waste.length, collected, map['snapshots'].wanted]).toEqual([200_000, 100, false])
      },
      { timeout: 30_000, interval: 0 },
    )
  })

  it('is what the entries are, after any writes, and a new one only if they differ', async () => {
    const key = fc.constantFrom('a', 'aa', 'ab', 'b', 'ba', '\u{1f600}', '\uffff')
    const write = fc.tuple(key, fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }), fc.boolean())
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { maxLength: 30 }),
        fc.constantFrom('value', 'fields'),
        async (writes, merge) => {
          const map = (await grids.open()).map<object>('m', { merge })
          const prefixes = ['', 'a', 'aa', 'b']
          const last = new Map(prefixes.map((prefix) => [prefix, map.snapshot({ prefix })]))
          for (const [written, value, reads] of writes) {
            void (value === undefined ? map.delete(written) : map.set(written, { value }))
            for (const prefix of reads ? prefixes : []) {
              const [before, now] = [last.get(prefix)!, map.snapshot({ prefix })]
              const entries = map.peekEntries({ prefix })
              expect(now).toEqual(entries)
              expect(entries.map(([each]) => each)).toEqual(entries.map(([each]) => each).toSorted())
              if (JSON.stringify(before) !== JSON.stringify(entries)) expect(now).not.toBe(before)
              expect(map.snapshot({ prefix })).toBe(now)
              last.set(prefix, now)
            }
          }
        },
      ),
      { numRuns: 40 },
    )
  })
})
