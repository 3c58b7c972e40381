import { PRESENT } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { byKey } from '../maps/snapshots.ts'
import { madeUpFrame } from '../rig/made-up-rows.ts'
import { TestGrids, collect, diskInMemory, until } from '../rig/test-grids.ts'

const SETS = 8

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('adding and removing', () => {
  it('an element is in the set of its key alone, once', async () => {
    const tags = (await grids.open()).sets<unknown>('tags')
    const adding = tags.add('post 1', 'red')
    expect(tags.peek('post 1')).toEqual(['red'])
    expect(await adding).toMatchObject({ durable: false })
    await tags.add('post 1', 'red')
    await tags.add('post 1', { b: 1, a: [2n] })
    await tags.add('post 2', '\u0001 and \u0000')
    expect(await tags.get('post 1')).toEqual(['red', { a: [2n], b: 1 }])
    expect(await tags.get('post 2')).toEqual(['\u0001 and \u0000'])
    expect([tags.holds('post 1', { a: [2n], b: 1 }), tags.holds('post 2', 'red')]).toEqual([true, false])
    expect([tags.size, await tags.has('post 1'), await tags.has('post 3'), await tags.get('post 3')]).toEqual([
      2,
      true,
      false,
      undefined,
    ])
    expect(await tags.remove('post 1', 'red')).toBeDefined()
    expect(await tags.remove('post 1', 'red')).toBeUndefined()
    expect(await tags.delete('post 2')).toBeDefined()
    expect(await tags.delete('post 2')).toBeUndefined()
    expect([tags.size, tags.peek('post 1')]).toEqual([1, [{ a: [2n], b: 1 }]])
  })

  it('keys that begin alike, and elements that look like keys, do not meet', async () => {
    const tags = (await grids.open()).sets<string>('tags')
    await Promise.all([tags.add('a', 'b'), tags.add('ab', ''), tags.add('at', 'b'), tags.add('a', 'b\u0001tc')])
    expect((await collect(tags.entries())).toSorted(byKey)).toEqual([
      ['a', ['b', 'b\u0001tc']],
      ['ab', ['']],
      ['at', ['b']],
    ])
    await tags.delete('a')
    expect((await collect(tags.keys())).sort()).toEqual(['ab', 'at'])
  })

  it('an add wins over a remove that has not seen it, and a delete of a key takes away what it had seen', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const [here, there] = [first.sets<string>('tags'), second.sets<string>('tags')]
    await here.add('post', 'red')
    await here.add('post', 'blue')
    await until(() => there.peek('post')?.length === 2, 'both have come')
    grids.split([0], [1])
    await there.delete('post')
    await here.add('post', 'red')
    await here.add('post', 'green')
    grids.heal()
    const left = (tags: typeof here): string => (tags.peek('post') ?? []).toSorted().join()
    await until(() => left(here) === 'green,red' && left(there) === 'green,red', 'what was added meanwhile stays')
  })

  it('what came before they were opened here is there, also after a restart', async () => {
    const disk = diskInMemory()
    const first = await grids.open({ storage: disk })
    await first.sets('tags').add('post', 'red')
    const second = await grids.open()
    await until(() => second.status().collections[0]?.rows === 1, 'the row has come')
    expect(second.sets('tags').peek('post')).toEqual(['red'])
    await first.close()
    const again = await grids.open({ storage: disk })
    expect(again.sets('tags').peek('post')).toEqual(['red'])
    expect(again.status().collections[0]).toMatchObject({ kind: 'sets', rows: 1 })
  })

  it('an element keeps four adds of others at most', async () => {
    const opened: Grid[] = []
    for (let i = 0; i < 6; i++) {
      const grid = await grids.open()
      await grid.ready()
      await until(() => grid.sets('tags').peek('post')?.length === (i === 0 ? undefined : 1), 'the adds have come')
      await grid.sets('tags').add('post', 'red')
      opened.push(grid)
    }
    await until(() => opened.every((grid) => grid.status().collections[0]!.rows === 2), 'the last two are left')
    expect(opened.every((grid) => grid.sets('tags').holds('post', 'red'))).toBe(true)
  })

  it('what is no key or no element, or both too long together, is refused', async () => {
    const grid = await grids.open()
    const tags = grid.sets<unknown>('tags')
    const refused: [Promise<unknown>, string][] = [
      [tags.add('', 'red'), 'INVALID_KEY'],
      [tags.add('a\u0000', 'red'), 'INVALID_KEY'],
      [tags.add('a\u0001', 'red'), 'INVALID_KEY'],
      [tags.add('a', Number.NaN), 'INVALID_VALUE'],
      [tags.add('a', undefined), 'INVALID_VALUE'],
      [tags.add('a'.repeat(500), 'b'.repeat(506)), 'INVALID_VALUE'],
      [tags.add('a', 'b', { copie: 2 } as object), 'INVALID_OPTION'],
      [tags.remove('a\u0001', 'red'), 'INVALID_KEY'],
      [tags.delete('a', { signal: AbortSignal.abort() }), 'ABORTED'],
    ]
    for (const [promise, code] of refused) await expect(promise).rejects.toMatchObject({ code })
    await tags.add('a'.repeat(500), 'b'.repeat(505))
    expect(tags.size).toBe(1)
    await grid.close()
    await expect(tags.add('a', 'b')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('thousands of elements under a key are deleted in one call, and come back when they are added after it', async () => {
    const tags = (await grids.open()).sets<number>('tags')
    for (let i = 0; i < 2500; i++) void tags.add('numbers', i)
    const deleting = tags.delete('numbers')
    void tags.add('numbers', 2499)
    await deleting
    expect(tags.peek('numbers')).toEqual([2499])
  })

  it('clearing leaves what was added since the call', async () => {
    const tags = (await grids.open()).sets<number>('tags')
    for (let i = 0; i < 3000; i++) void tags.add(`post ${i % 100}`, i)
    const clearing = tags.clear()
    void tags.add('post 99', 2999)
    expect(await clearing).toBe(100)
    expect(await collect(tags.entries())).toEqual([['post 99', [2999]]])
    await expect(tags.clear({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('following', () => {
  it('changes tell of elements, of all keys, of one or by prefix, after what is there', async () => {
    const tags = (await grids.open()).sets<string>('tags')
    await tags.add('a/1', 'old')
    const heard: unknown[] = []
    tags.on('change', ({ type, key, element }) => heard.push([type, key, element]))
    const [all, only] = [tags.changes({ initial: true }), tags.changes({ key: 'b' })]
    const prefixed = tags.changes({ prefix: 'a', initial: true })
    const first = collect(all, 6)
    const second = collect(prefixed, 4)
    await tags.add('b', 'red')
    await tags.add('b', 'red')
    await tags.add('a/1', 'new')
    await tags.remove('b', 'red')
    await tags.delete('a/1')
    const reported = [
      ['add', 'b', 'red'],
      ['add', 'a/1', 'new'],
      ['delete', 'b', 'red'],
      ['delete', 'a/1', 'old'],
      ['delete', 'a/1', 'new'],
    ]
    const shown = (changes: readonly { type: string; key: string; element: unknown }[]): unknown[] =>
      changes.map(({ type, key, element }) => [type, key, element])
    expect(heard).toEqual(reported)
    expect(shown(await first)).toEqual([['add', 'a/1', 'old'], ...reported])
    expect(shown(await second)).toEqual([['add', 'a/1', 'old'], reported[1], reported[3], reported[4]])
    expect(shown(await collect(only, 2))).toEqual([reported[0], reported[2]])
    expect(() => tags.changes({ key: '\u0001' })).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
  })

  it('a reader that is too slow gets a mark', async () => {
    const tags = (await grids.open()).sets<number>('tags')
    const slow = tags.changes({ bufferMax: 1 })
    for (let i = 0; i < 5; i++) await tags.add('a', i)
    expect((await collect(slow, 2)).find(({ type }) => type === 'lagged')).toMatchObject({
      key: '',
      element: undefined,
    })
  })
})

describe('a batch', () => {
  it('adds, removes and deletes in one piece, and reads what it has written', async () => {
    const grid = await grids.open()
    const tags = grid.sets<string>('tags')
    await Promise.all([tags.add('a', 'old'), tags.add('b', 'x'), tags.add('b', 'y')])
    await grid.transact((batch) => {
      const tagged = batch.sets<string>('tags')
      tagged.add('a', 'new')
      tagged.add('c', 'z')
      expect([tagged.remove('a', 'old'), tagged.remove('a', 'old'), tagged.delete('b'), tagged.delete('b')]).toEqual([
        true,
        false,
        true,
        false,
      ])
      tagged.add('b', 'y')
      expect([tagged.get('a'), tagged.get('b'), tagged.get('none'), tagged.has('c'), tagged.holds('b', 'x')]).toEqual([
        ['new'],
        ['y'],
        undefined,
        true,
        false,
      ])
      expect([tags.peek('a'), tags.size]).toEqual([['old'], 2])
    })
    expect((await collect(tags.entries())).toSorted(byKey)).toEqual([
      ['a', ['new']],
      ['b', ['y']],
      ['c', ['z']],
    ])
  })
})

describe('one name', () => {
  it('is one object, and not two kinds of collection', async () => {
    const grid = await grids.open()
    expect(grid.sets('tags')).toBe(grid.sets('tags'))
    expect(grid.counters('visits')).toBe(grid.counters('visits'))
    const wrong = [
      () => grid.set('tags'),
      () => grid.counters('tags'),
      () => grid.counter('visits'),
      () => grid.map('visits'),
    ]
    for (const open of wrong) expect(open).toThrow(expect.objectContaining({ code: 'COLLECTION_MISMATCH' }))
  })
})

it('thousands of made-up rows of one element, or of elements that are none, cost no more than as many elements', async () => {
  const grid = await grids.open()
  const tags = grid.sets('tags')
  tags.on('change', () => undefined)
  const member = await grids.openBareMember()
  const slots = Array.from({ length: 8000 }, (_, i) => i.toString(16).padStart(16, '0'))
  const send = (mains: (i: number) => string, bytes: Uint8Array | undefined): Promise<void> =>
    member.publish(
      madeUpFrame(
        'tags',
        SETS,
        slots.map((slot, i) => [`${mains(i)}\u0000${slot}`, bytes]),
      ),
    )
  const startMs = performance.now()
  await send(() => 'k\u0001tx', PRESENT)
  await until(() => grid.status().collections[0]?.rows === 8000, 'they are here')
  expect(tags.peek('k')).toEqual(['x'])
  await send((i) => `n\u0001?${i}`, PRESENT)
  await until(() => grid.status().collections[0]?.rows === 16_000, 'they are here')
  expect([tags.peek('n'), tags.size]).toEqual([undefined, 1])
  await send(() => 'k\u0001tx', undefined)
  await until(() => tags.size === 0, 'the element is gone')
  expect(performance.now() - startMs).toBeLessThan(15_000)
})
