import { afterEach, describe, expect, it } from 'vitest'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

const MAX = Number.MAX_SAFE_INTEGER

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('one name', () => {
  it('is one object, and cannot be two kinds of collection', async () => {
    const grid = await grids.open()
    expect(grid.set('tags')).toBe(grid.set('tags'))
    expect(grid.counter('visits')).toBe(grid.counter('visits'))
    grid.map('users')
    const wrong = [
      () => grid.map('tags'),
      () => grid.counter('tags'),
      () => grid.set('users'),
      () => grid.map('visits'),
    ]
    for (const open of wrong) expect(open).toThrow(expect.objectContaining({ code: 'COLLECTION_MISMATCH' }))
    for (const name of ['', 'a\u0000', 7 as unknown as string]) {
      expect(() => grid.set(name)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
      expect(() => grid.counter(name)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
    }
  })
})

describe('a batch', () => {
  it('counts, adds and removes in one piece, and reads what it has written', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const [visits, tags] = [grid.counter('visits'), grid.set<string>('tags')]
    await tags.add('old')
    void visits.increment(100)
    const reported: string[] = []
    visits.on('change', () => reported.push(`${visits.value} ${tags.size}`))
    tags.on('change', () => reported.push(`${visits.value} ${tags.size}`))
    const receipt = await grid.transact((batch) => {
      const [counted, tagged] = [batch.counter('visits'), batch.set<string>('tags')]
      counted.increment(5)
      counted.decrement()
      tagged.add('red')
      tagged.add('blue')
      expect([tagged.delete('old'), tagged.delete('red'), tagged.delete('green')]).toEqual([true, true, false])
      batch.map('users').set('ada', 1)
      expect([counted.value, tagged.has('blue'), tagged.has('red'), tagged.has('old')]).toEqual([
        104,
        true,
        false,
        false,
      ])
      expect([visits.value, tags.size, tags.holds('old')]).toEqual([100, 1, true])
    })
    expect(receipt).toMatchObject({ durable: true })
    expect([visits.value, tags.size, tags.holds('blue'), grid.map('users').peek('ada')]).toEqual([104, 1, true, 1])
    // Listeners hear of it when all of it is there, those of the increment before it with their own row.
    expect(new Set(reported)).toEqual(new Set(['104 1']))
    await until(() => grid.status().backlog.undurableBytes === 0, 'all is on disk')
    await visits.increment()
    expect(visits.value).toBe(105)
  })

  it('that throws, or would leave the range of a counter, writes nothing', async () => {
    const grid = await grids.open()
    await grid.counter('visits').increment(MAX - 1)
    const failing = grid.transact((batch) => {
      batch.set('tags').add('red')
      batch.counter('visits').increment()
      expect(batch.counter('visits').value).toBe(MAX)
      batch.counter('visits').increment()
    })
    await expect(failing).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    const bad = grid.transact((batch) => {
      batch.set('tags').add('red')
      batch.set('tags').add(Number.NaN)
    })
    await expect(bad).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(grid.transact((batch) => batch.counter('visits').increment(-1))).rejects.toMatchObject({
      code: 'INVALID_VALUE',
    })
    expect([grid.counter('visits').value, grid.set('tags').size]).toEqual([MAX - 1, 0])
  })

  it('cannot be used once its function has returned, and one that asks for nothing writes nothing', async () => {
    const grid = await grids.open()
    let late: (() => unknown)[] = []
    const receipt = await grid.transact((batch) => {
      const [counted, tagged] = [batch.counter('visits'), batch.set('tags')]
      late = [() => counted.increment(), () => counted.value, () => tagged.add('a'), () => tagged.has('a')]
    })
    expect(receipt).toBeUndefined()
    for (const use of late) expect(use).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('of more than 1,000 elements is refused, with nothing written', async () => {
    const grid = await grids.open()
    const many = grid.transact((batch) => {
      for (let i = 0; i < 1001; i++) batch.set('numbers').add(i)
    })
    await expect(many).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    expect(grid.set('numbers').size).toBe(0)
  })
})
