import { afterEach, describe, expect, expectTypeOf, it } from 'vitest'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'
import { schemaOf } from '../rig/test-schemas.ts'
import { checkSelect, selected } from './selection.ts'

interface User {
  name: string
  age: number
  address?: { city: string; zip: string }
  orders?: { price: number; item: string }[]
  photo?: Uint8Array
}

const ADA: User = {
  name: 'Ada',
  age: 36,
  address: { city: 'London', zip: 'W1' },
  orders: [
    { price: 3, item: 'tea' },
    { price: 5, item: 'ink' },
  ],
  photo: new Uint8Array(1000),
}

const young = schemaOf<User>((value) => {
  const user = value as User
  return user.age < 100 ? { value: user } : { issues: [{ message: 'too old' }] }
})

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('the selected fields of a value', () => {
  it('are those that are named, also within objects and arrays', () => {
    const of = (select: unknown, value: unknown = ADA): unknown => selected(value, checkSelect(select))
    expect(of('name')).toEqual({ name: 'Ada' })
    expect(of(['age', 'address.city'])).toEqual({ age: 36, address: { city: 'London' } })
    expect(of(['address.city', 'address'])).toEqual({ address: ADA.address })
    expect(of('orders.price')).toEqual({ orders: [{ price: 3 }, { price: 5 }] })
    expect(of(['none', 'name.first', 'toString'])).toEqual({ name: 'Ada' })
    expect(of('name', 5)).toBe(5)
    expect(of('name', [{ name: 1, age: 2 }, 3])).toEqual([{ name: 1 }, 3])
    expect(of(undefined)).toBe(ADA)
  })

  it('are refused where they make no sense', () => {
    for (const select of [[], 5, [''], ['$a'], ['__proto__'], ['a', 1], Array.from({ length: 33 }, (_, i) => `f${i}`)])
      expect(() => checkSelect(select)).toThrow(expect.objectContaining({ code: 'INVALID_QUERY' }))
  })
})

describe('a query with selected fields', () => {
  it('gives them, by any other field, also live', async () => {
    const users = (await grids.open()).map<User>('users')
    await users.set('ada', ADA)
    await users.set('bob', { name: 'Bob', age: 20 })
    const { rows, next } = await users.query({
      where: { age: { $gt: 30 } },
      orderBy: 'age',
      select: ['name', 'address.zip'],
    })
    expect([rows, next]).toEqual([[{ key: 'ada', value: { name: 'Ada', address: { zip: 'W1' } } }], undefined])
    expectTypeOf(rows[0]!.value).toEqualTypeOf<{ name: string; address?: { zip: string } }>()
    expectTypeOf((await users.query({ where: { age: 36 } })).rows[0]!.value).toEqualTypeOf<User>()
    // @ts-expect-error there is no such field
    await users.query({ select: ['nam'] })
    const live = await users.live({ orderBy: '-age', limit: 1, select: 'name' })
    expectTypeOf(live.rows[0]!.value).toEqualTypeOf<{ name: string }>()
    await users.set('eve', { name: 'Eve', age: 90 })
    expect(live.rows).toEqual([{ key: 'eve', value: { name: 'Eve' } }])
    live.close()
  })

  it('of a partitioned map, brings only those from the owners, and what this peer knows later', async () => {
    const owner = await grids.open({ storage: diskInMemory() })
    const shape = { mode: 'partitioned', partitions: 16 } as const
    const map = owner.map<User>('users', shape)
    for (let i = 0; i < 40; i++) await map.set(`user ${i}`, { ...ADA, age: i })
    const light = await grids.open({ role: 'light' })
    await light.ready()
    for (const theirs of [light.map<User>('users', shape), owner.map<User>('users', shape)]) {
      const query = {
        where: { age: { $gte: 35 } },
        orderBy: '-age',
        limit: 3,
        select: ['name', 'address.city'],
      } as const
      const { rows, complete } = await theirs.query(query)
      expect(complete).toBe(true)
      expectTypeOf(rows[0]!.value).toEqualTypeOf<{ name: string; address?: { city: string } }>()
      expect(rows).toEqual(
        [39, 38, 37].map((i) => ({ key: `user ${i}`, value: { name: 'Ada', address: { city: 'London' } } })),
      )
      expect(await theirs.get('user 39')).toEqual({ ...ADA, age: 39 })
    }
    const theirs = light.map<User>('users', shape)
    await until(async () => (await theirs.query({ select: 'age' })).rows.length === 40, 'all come')
    grids.split([0], [1])
    await theirs.set('user 1', { name: 'New', age: 1 }).catch(() => undefined)
    grids.heal()
    await until(async () => {
      const { rows } = await theirs.query({ where: { name: 'New' }, select: 'name' })
      return rows.length === 1
    }, 'the own write shows')
  })

  it('of a partitioned map with a schema or with fields is right as well', async () => {
    const owner = await grids.open({ storage: diskInMemory() })
    const light = await grids.open({ role: 'light' })
    await light.ready()
    const shape = { mode: 'partitioned', partitions: 16, merge: 'fields' } as const
    await owner.map<User>('users', shape).set('a', ADA)
    await owner.map<User>('users', shape).set('b', { ...ADA, age: 200 })
    const plain = light.map<User>('users', { ...shape, schema: young })
    await until(async () => (await plain.query({ select: 'name' })).rows.length === 1, 'it comes')
    expect((await plain.query({ select: 'name' })).rows).toEqual([{ key: 'a', value: { name: 'Ada' } }])
    expect((await plain.query({ where: { age: 200 }, select: 'name' })).rows).toEqual([])
  })
})
