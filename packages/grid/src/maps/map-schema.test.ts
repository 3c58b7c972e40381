import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'
import { schemaOf, userSchema } from '../rig/test-schemas.ts'
import type { User } from '../rig/test-schemas.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

function hidden(grid: Grid): number | undefined {
  return grid.status().collections.find(({ name }) => name === 'users')?.hidden
}

async function keysOf(keys: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = []
  for await (const key of keys) collected.push(key)
  return collected
}

describe('local writes', () => {
  it('store what the schema gives out, with its type', async () => {
    const users = (await grids.open()).map('users', { schema: userSchema })
    await users.set('ada', { name: ' Ada ', age: 36 })
    const ada: User | undefined = users.peek('ada')
    expect(ada).toEqual({ name: 'Ada', age: 36 })
  })

  it('that do not fit write nothing, by none of the ways to write', async () => {
    const grid = await grids.open()
    const users = grid.map('users', { schema: userSchema })
    const bad = { name: 7 } as unknown as User
    await expect(users.set('k', bad)).rejects.toMatchObject({ code: 'SCHEMA' })
    await expect(users.update('k', () => bad)).rejects.toMatchObject({ code: 'SCHEMA' })
    await expect(
      users.setMany([
        ['good', { name: 'Ada', age: 1 }],
        ['k', bad],
      ]),
    ).rejects.toMatchObject({ code: 'SCHEMA' })
    await expect(
      users.transact((batch) => {
        batch.set('good', { name: 'Ada', age: 1 })
        batch.set('k', bad)
      }),
    ).rejects.toMatchObject({ code: 'SCHEMA' })
    expect(users.size).toBe(0)
    expect(hidden(grid)).toBe(0)
  })
})

describe('entries of others that do not fit', () => {
  it('are kept and hidden from every way of reading, and counted', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const users = second.map('users', { schema: userSchema })
    const reported: string[] = []
    users.on('change', ({ type, key }) => reported.push(`${type} ${key}`))
    await first.map('users').set('odd', { name: 7 })
    await first.map('users').set('ada', { name: 'Ada', age: 36 })
    await until(() => users.size === 1, 'the one that fits has come')
    expect(users.peek('odd')).toBeUndefined()
    expect(await users.has('odd')).toBe(false)
    expect(await users.delete('odd')).toBeUndefined()
    expect(await users.getMany(['odd', 'ada'])).toEqual(new Map([['ada', { name: 'Ada', age: 36 }]]))
    expect(await keysOf(users.keys())).toEqual(['ada'])
    for await (const change of users.changes({ initial: true })) {
      expect(change.key).toBe('ada')
      break
    }
    expect(reported).toEqual(['set ada'])
    expect(hidden(second)).toBe(1)
    expect(second.status().collections[0]!.fingerprint).toBe(first.status().collections[0]!.fingerprint)
    expect(await users.clear()).toBe(1)
    expect(hidden(second)).toBe(1)
  })

  it('are reported as deleted when they replace a valid value, and as set when a valid value replaces them', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const users = second.map('users', { schema: userSchema })
    const reported: unknown[] = []
    users.on('change', ({ type, value, previous }) => reported.push([type, value, previous]))
    const step = async (value: unknown, shows: number): Promise<void> => {
      await first.map('users').set('k', value)
      await until(() => users.size === shows && hidden(second) === 1 - shows, 'it has come')
    }
    await step({ name: 'Ada', age: 1 }, 1)
    await step('odd', 0)
    await step({ name: 'Ada', age: 2 }, 1)
    await step('odd again', 0)
    await users.set('k', { name: 'Bob', age: 3 })
    expect(users.size).toBe(1)
    expect(hidden(second)).toBe(0)
    expect(reported).toEqual([
      ['set', { name: 'Ada', age: 1 }, undefined],
      ['delete', undefined, { name: 'Ada', age: 1 }],
      ['set', { name: 'Ada', age: 2 }, undefined],
      ['delete', undefined, { name: 'Ada', age: 2 }],
      ['set', { name: 'Bob', age: 3 }, undefined],
    ])
  })

  it('are found among what is stored when the map is opened', async () => {
    const storage = diskInMemory()
    const grid = await grids.open({ storage })
    await grid.map<unknown>('users').setMany([
      ['odd', 1],
      ['ada', { name: 'Ada', age: 36 }],
      ['gone', 2],
    ])
    await grid.map('users').delete('gone')
    await grid.close()
    const again = await grids.open({ storage })
    expect(hidden(again)).toBe(0)
    const users = again.map('users', { schema: userSchema })
    expect(hidden(again)).toBe(1)
    expect(users.size).toBe(1)
  })

  it('are no longer hidden once they are deleted or have expired', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    second.map('users', { schema: userSchema })
    await first.map('users').set('a', 1)
    await first.map('users').set('b', 1, { ttlMs: 2000 })
    await until(() => hidden(second) === 2, 'both have come')
    await first.map('users').delete('a')
    await until(() => hidden(second) === 0, 'none is hidden')
    expect(second.map('users').size).toBe(0)
  })

  it('in a map with fields are objects as a whole', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const users = second.map('users', { schema: userSchema, merge: 'fields' })
    await first.map<unknown>('users', { merge: 'fields' }).set('k', { name: 'Ada', age: -1 })
    await until(() => hidden(second) === 1, 'it has come')
    expect(users.peek('k')).toBeUndefined()
    await first.map<unknown>('users').set('k', { name: 'Ada', age: 1 })
    await until(() => users.size === 1, 'the age was mended')
    expect(users.peek('k')).toEqual({ name: 'Ada', age: 1 })
  })

  it('are seen by no listener, not even between two entries that came together', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const users = second.map('users', { schema: userSchema })
    const seen: unknown[] = []
    users.on('change', () => seen.push([users.peek('odd'), users.size]))
    await first.transact((batch) => {
      batch.map('users').set('ada', { name: 'Ada', age: 1 })
      batch.map('users').set('odd', 'odd')
    })
    await until(() => seen.length > 0, 'the batch has come')
    expect(seen).toEqual([[undefined, 1]])
  })
})

it('an entry that does not fit is hidden from the listeners of another map, too', async () => {
  const [first, second] = [await grids.open(), await grids.open()]
  await second.ready()
  const users = second.map('users', { schema: userSchema })
  const seen: unknown[] = []
  second.map('log').on('change', () => seen.push([users.peek('odd'), users.peek('ada')?.age, users.expiresAt('odd')]))
  await first.transact((batch) => {
    batch.map('log').set('k', 1)
    batch.map('users').set('odd', 'odd', { ttlMs: 60_000 })
    batch.map('users').set('ada', { name: 'Ada', age: 1 })
  })
  await until(() => seen.length > 0, 'the batch has come')
  expect(seen).toEqual([[undefined, 1, undefined]])
})

it('an asynchronous schema is refused', async () => {
  const grid = await grids.open()
  const schema = schemaOf(async (value) => ({ value }))
  expect(() => grid.map('users', { schema })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  // Nothing was opened as what it cannot be.
  expect(grid.map('users', { merge: 'fields' }).size).toBe(0)
})
