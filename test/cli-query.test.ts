import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Surroundings, removeAll } from './cli-rig/surroundings.ts'

const here = new Surroundings('query')

beforeAll(async () => {
  await here.peer('--name', 'query')
  const users = [
    { key: 'ada', city: 'Lyon', age: 36 },
    { key: 'bob', city: 'Lyon', age: 41 },
    { key: 'cid', city: 'Nice', age: 17 },
    { key: 'dan', city: 'Lyon', age: 12 },
  ]
  const lines = users.map(({ key, ...value }) => `${JSON.stringify({ key, value })}\n`).join('')
  await imported('users', lines)
  const many = Array.from({ length: 2500 }, (_, n) => `${JSON.stringify({ key: `k${n}`, value: { n } })}\n`).join('')
  await imported('many', many)
})
afterAll(removeAll)

async function imported(collection: string, lines: string): Promise<void> {
  const { code, stderr } = await here.run(['import', collection, '-', '--format', 'ndjson'], lines)
  if (code !== 0) throw new Error(stderr)
}

async function failure(...words: string[]): Promise<string> {
  const { code, stderr } = await here.run(words)
  return `${code} ${stderr}`
}

describe('gossipgrid query', () => {
  const adults = '{"city":"Lyon","age":{"$gte":30}}'

  test('prints the entries that match, in order', async () => {
    expect(await here.ok('query', 'users', adults, '--order-by', '-age')).toBe(
      'bob\t{"city":"Lyon","age":41}\nada\t{"city":"Lyon","age":36}\n',
    )
    expect(await here.ok('query', 'users', adults, '--order-by', '-age', '--limit', '1', '--json')).toBe(
      '{"key":"bob","value":{"city":"Lyon","age":41}}\n',
    )
    expect(await here.ok('query', 'users', '--order-by', 'city,-age', '--csv')).toBe(
      'key,city,age\nbob,Lyon,41\nada,Lyon,36\ndan,Lyon,12\ncid,Nice,17\n',
    )
    expect(await here.ok('query', 'users', adults, '--order-by', 'age', '--select', 'city')).toBe(
      'ada\t{"city":"Lyon"}\nbob\t{"city":"Lyon"}\n',
    )
    expect(await here.ok('query', 'users', '{"city":"Rome"}')).toBe('')
  })

  test('counts, and gives long results whole', async () => {
    expect(await here.ok('query', 'users', '{"city":"Lyon"}', '--count')).toBe('3\n')
    expect(JSON.parse(await here.ok('query', 'users', '--count', '--json'))).toEqual({ count: 4 })
    const numbers = (text: string): number[] =>
      text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line.split('\t')[1]!) as { n: number }).n)
    const all = numbers(await here.ok('query', 'many', '--order-by', '-n'))
    expect(all).toEqual(Array.from({ length: 2500 }, (_, i) => 2499 - i))
    expect(numbers(await here.ok('query', 'many', '--order-by', 'n', '--limit', '1500'))).toEqual(
      Array.from({ length: 1500 }, (_, i) => i),
    )
  })

  test('says which index it uses, and makes and drops one', async () => {
    expect(await here.ok('query', 'many', '{"n":7}', '--explain')).toMatch(
      /^index {4}none.*\nlooked {3}2500\ngiven {4}1\n$/,
    )
    expect((await here.run(['index', 'many'])).stderr).toMatch(/'many' has no index/)
    expect((await here.run(['index', 'many', 'n'])).stderr).toMatch(/ready: n, with 2,500 entries/)
    expect(await here.ok('index', 'many')).toBe('n\t2500\n')
    expect(JSON.parse(await here.ok('query', 'many', '{"n":7}', '--explain', '--json'))).toEqual({
      ...{ index: ['n'], ordered: true, looked: 1, given: 1 },
    })
    expect((await here.run(['index', 'many', 'n', '--drop'])).stderr).toMatch(/dropped: n/)
    expect(await failure('index', 'many', 'n', '--drop')).toMatch(/^1 .*no index of 'many' on n/)
  })

  test('says what is wrong', async () => {
    expect(await failure('query', 'users', '{"age":{"$gtt":1}}')).toMatch(
      /^[12] .*where\.age\.\$gtt: there is no such operator/,
    )
    expect(await failure('query', 'users', '{"age":')).toMatch(/^2 .*the condition is no JSON/)
    expect(await failure('query', 'users', '--limit', '0')).toMatch(/^2 .*whole number from 1/)
    for (const [one, other] of [
      ['--csv', '--json'],
      ['--csv', '--explain'],
      ['--csv', '--count'],
      ['--count', '--explain'],
      ['--select=city', '--count'],
      ['--limit=2', '--count'],
    ] as const)
      expect(await failure('query', 'users', one, other)).toMatch(/^2 .*cannot be used with option/)
    expect(await failure('query', 'nothing')).toMatch(/^1 .*no collection 'nothing'/)
    expect(await failure('index', 'users', '--drop')).toMatch(/^2 .*which index to drop/)
    expect(await failure('index', 'users', 'a..b')).toMatch(/^[12] .*is not the name of a field/)
    expect(await failure('index', 'users', 'city,-age')).toMatch(/^2 .*only orderBy has directions/)
  })
})
