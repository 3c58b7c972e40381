import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Surroundings, removeAll } from './cli-rig/surroundings.ts'

const here = new Surroundings('counters')

beforeAll(async () => {
  await here.peer('--name', 'counters')
  await here.ok('set', 'users', 'ada', '1')
})
afterAll(removeAll)

const printed = async (...words: string[]): Promise<unknown> => JSON.parse(await here.ok(...words))

async function failure(...words: string[]): Promise<string> {
  const { code, stderr } = await here.run(words)
  return `${code} ${stderr}`
}

describe('gossipgrid counters', () => {
  test('counts up and down under keys, and prints what is there', async () => {
    expect(await printed('counters', 'visits', '/home', '--add', '3')).toBe(3)
    expect(await printed('counters', 'visits', '/home', '--subtract', '5')).toBe(-2)
    expect(await printed('counters', 'visits', '/home')).toBe(-2)
    expect(await printed('get', 'visits', '/home')).toBe(-2)
    expect(await here.ok('counters', 'visits')).toBe('/home\t-2\n')
    const { receipt, ...rest } = (await printed('counters', 'visits', '/home', '--add', '1', '--json')) as Record<
      string,
      unknown
    >
    expect(rest).toEqual({ collection: 'visits', key: '/home', value: -1 })
    expect(receipt).toMatchObject({ durable: false })
  })

  test('has counters of their own as well', async () => {
    expect(await printed('counters', 'downloads', '--add', '2')).toBe(2)
    expect(await printed('counters', 'downloads')).toBe(2)
    expect(await failure('counters', 'downloads', 'x')).toMatch(/^1 .*is a counter of its own, without keys/)
  })

  test('says what is wrong', async () => {
    expect(await failure('counters', 'visits', 'nope')).toMatch(/^1 .*no entry 'nope' in 'visits'/)
    expect(await failure('counters', 'nothing')).toMatch(/^1 .*no collection 'nothing'/)
    expect(await failure('counters', 'users')).toMatch(/^1 .*'users' is a map, and no counter/)
    expect(await failure('counters', 'users', '--add', '1')).toMatch(/^1 .*COLLECTION_MISMATCH/)
    for (const wrong of ['x', '0', '-1', '1.5', '9007199254740993'])
      expect(await failure('counters', 'visits', 'k', `--add=${wrong}`)).toMatch(/^2 .*whole number from 1/)
    expect(await failure('counters', 'visits', 'k', '--add', '1', '--subtract', '1')).toMatch(/^2 /)
    expect(await failure('counters', 'visits', '', '--add', '1')).toMatch(/^2 /)
  })
})

describe('gossipgrid sets', () => {
  test('adds and removes elements of any kind under keys', async () => {
    const date = '{"$date":"2026-01-01T00:00:00.000Z"}'
    expect(await printed('sets', 'tags', 'post', '--add', 'red', '--add', '[1,2]', '--add', date)).toEqual([
      'red',
      [1, 2],
      JSON.parse(date),
    ])
    expect(await printed('sets', 'tags', 'post', '--remove', 'red', '--add', 'blue')).toEqual(
      expect.arrayContaining(['blue', [1, 2]]),
    )
    expect(await printed('sets', 'tags', 'post')).not.toContain('red')
    expect(await printed('sets', 'tags', 'post', '--remove', 'red', '--json')).not.toHaveProperty('receipt')
    expect(await failure('sets', 'tags', 'none')).toMatch(/^1 .*no entry 'none'/)
  })

  test('has sets of their own as well, also with elements that look like an end', async () => {
    expect(await printed('sets', 'colours', '--add', 'red', '--add', '{"end":0}')).toHaveLength(2)
    expect(await printed('sets', 'colours')).toEqual(expect.arrayContaining(['red', { end: 0 }]))
    expect(await printed('sets', 'colours', '--remove', 'red')).toEqual([{ end: 0 }])
  })
})
