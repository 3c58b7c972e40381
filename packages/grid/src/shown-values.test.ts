import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Doc } from 'yjs'
import type { Grid } from './grid.ts'
import { openGrid } from './open-grid.ts'
import { TestGrids } from './rig/test-grids.ts'
import { openRelay } from './relay.ts'
import { GridProvider } from './yjs.ts'

const grids = new TestGrids()
let grid: Grid

beforeAll(async () => {
  grid = await grids.open()
})
afterAll(() => grids.close())

/** What JavaScript lets a program pass. */
type Anything = never

const COUNT = 'a whole number from 1 to 64'
const COPIES = `copies is ${COUNT}, or 'all', or { peers: such a number }, not`

/** What a wrong option is, how it is passed, and what the error says of it. */
const optionsOfWrites: readonly (readonly [options: unknown, message: string])[] = [
  [{ copies: null }, `${COPIES} null`],
  [{ copies: {} }, `copies.peers is ${COUNT}, not undefined`],
  [{ copies: 'al' }, `${COPIES} the text "al": did you mean 'all'?`],
  [{ copies: 'ALL' }, `${COPIES} the text "ALL": did you mean 'all'?`],
  [{ copies: 'every' }, `${COPIES} the text "every"`],
  [{ copies: '2' }, `${COPIES} the text "2"`],
  [{ copies: 2n }, `${COPIES} the bigint 2`],
  [{ copies: Number.NaN }, `${COPIES} NaN`],
  [{ copies: 0 }, `${COPIES} 0`],
  [{ copies: [2] }, `${COPIES} an array of 1`],
  [{ copies: { peers: 0 } }, `copies.peers is ${COUNT}, not 0`],
  [{ copies: { peers: null } }, `copies.peers is ${COUNT}, not null`],
  [{ copies: { peers: undefined } }, `copies.peers is ${COUNT}, not undefined`],
  [{ copies: { peers: '2' } }, `copies.peers is ${COUNT}, not the text "2"`],
  [{ copies: { peer: 2 } }, `there is no option "peer": did you mean 'peers'?`],
  [{ timeoutMs: '5' }, 'timeoutMs is a whole number from 1 to 2147483647, not the text "5"'],
  [{ timeoutMs: null }, 'timeoutMs is a whole number from 1 to 2147483647, not null'],
  [{ signal: null }, 'signal is an AbortSignal, not null'],
  [null, 'options are an object, not null'],
  [[], 'options are an object, not an array of 0'],
]

describe('an option of a write', () => {
  for (const [options, message] of optionsOfWrites) {
    it(`is named with what was given and what may be: ${message}`, async () => {
      const refusal = { code: 'INVALID_OPTION', message }
      const given = options as Anything
      await expect(grid.map('m').set('k', 1, given)).rejects.toMatchObject(refusal)
      await expect(grid.counter('c').increment(1, given)).rejects.toMatchObject(refusal)
      await expect(grid.sets('s').add('k', 'x', given)).rejects.toMatchObject(refusal)
      await expect(grid.dropCollection('m', given)).rejects.toMatchObject(refusal)
    })
  }
})

const open = (options: object): Promise<Grid> => openGrid({ name: 'a', logger: undefined, ...options } as Anything)

const messages: readonly (readonly [message: string, call: () => unknown])[] = [
  ['options are an object, not undefined', () => openGrid(undefined as Anything)],
  ['options are an object, not null', () => openGrid(null as Anything)],
  [`role is 'storage' or 'light', not the text "lihgt": did you mean 'light'?`, () => open({ role: 'lihgt' })],
  [`role is 'storage' or 'light', not null`, () => open({ role: null })],
  ['open is true or false, not null', () => open({ open: null })],
  ['open is true or false, not the text "yes"', () => open({ open: 'yes' })],
  ['weight is a number, not the text "1"', () => open({ weight: '1' })],
  ['weight is a number from 0 to 1000, not NaN', () => open({ weight: Number.NaN })],
  ['directory is text, not an object (URL)', () => open({ directory: new URL('file:///tmp') })],
  ['join is an array of addresses and ports, not the text "a:1"', () => open({ join: 'a:1' })],
  ['listen[1] is text, not undefined', () => open({ listen: [4001, undefined] })],
  ['announce[0] is text, not 4001', () => open({ announce: [4001] })],
  ['tls.key is text, not undefined', () => open({ tls: { cert: 'x' } })],
  ['tls: options are an object, not null', () => open({ tls: null })],
  ['iceServers is an array of { urls }, not an object', () => open({ iceServers: { urls: 'stun:x' } })],
  [
    'logger is an object with the methods debug, info, warn, error: this one has no debug',
    () => open({ logger: { warn: () => 1 } }),
  ],
  ['logger is an object with the methods debug, info, warn, error, not null', () => open({ logger: null })],
  [
    `merge is 'value' or 'fields', not the text "feilds": did you mean 'fields'?`,
    () => grid.map('a', { merge: 'feilds' as Anything }),
  ],
  [`merge is 'value' or 'fields', not null`, () => grid.map('a', { merge: null as Anything })],
  [
    'ttlMs is a whole number from 1 to 315360000000, not an object (Date)',
    () => grid.map('m').set('k', 1, { ttlMs: new Date() as Anything }),
  ],
  [
    `orderBy is 'key', not the text "keys": did you mean 'key'?`,
    () => grid.map('m').entries({ orderBy: 'keys' as Anything }),
  ],
  ['prefix is text, not null', () => grid.map('m').entries({ prefix: null as Anything })],
  [`there is no event "chnage": did you mean 'change'?`, () => grid.map('m').on('chnage' as Anything, () => 1)],
  ['a listener is a function, not undefined', () => grid.map('m').on('change', undefined as Anything)],
  ['onProgress is a function, not null', () => grid.map('m').setMany([], { onProgress: null as Anything })],
  [
    'pass entries as an array or another iterable, or as an async iterable, not as an object',
    () => grid.map('m').setMany({} as Anything),
  ],
  [
    'at index 0: an entry is an array of two, the key and the value, not the text "kv"',
    () => grid.map('m').setMany(['kv'] as Anything),
  ],
  [
    'at index 0: an entry is an array of two, the key and the value, not an array of 3',
    () => grid.map('m').setMany([['k', 1, 2]] as Anything),
  ],
  [
    'what update is given beside the key is a function, not undefined',
    () => grid.map('m').update('k', undefined as Anything),
  ],
  ['what a batch is to do is a function, not undefined', () => grid.transact(undefined as Anything)],
  ['peerId is text, not undefined', () => grid.forget(undefined as Anything)],
  [
    'grid is what openGrid resolves to, not an object (Promise)',
    () => new GridProvider(Promise.resolve(1) as Anything, 'd', new Doc()),
  ],
  ['doc is a Y.Doc, not undefined', () => new GridProvider(grid, 'd', undefined as Anything)],
  ['listen[0] is text, not 4001', () => openRelay({ listen: [4001] as Anything })],
]

describe('an argument that is none', () => {
  for (const [message, call] of messages) {
    it(`is shown: ${message}`, async () => {
      await expect((async () => call())()).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(message) as string,
      })
    })
  }
})

describe('a number to count by', () => {
  const counting: Readonly<Record<string, (by: number) => unknown>> = {
    increment: (by) => grid.counter('c').increment(by),
    decrement: (by) => grid.counter('c').decrement(by),
    'increment under a key': (by) => grid.counters('cs').increment('k', by),
    'decrement under a key': (by) => grid.counters('cs').decrement('k', by),
    'increment in a batch': (by) => grid.transact((batch) => batch.counter('c').increment(by)),
    'decrement under a key in a batch': (by) => grid.transact((batch) => batch.counters('cs').decrement('k', by)),
  }
  const wrong: readonly (readonly [unknown, string])[] = [
    ['3', 'the text "3"'],
    [1n, 'the bigint 1'],
    [Number.NaN, 'NaN'],
    [null, 'null'],
    [-1, '-1'],
    [1.5, '1.5'],
    [{}, 'an object'],
  ]
  for (const [name, count] of Object.entries(counting)) {
    it.each(wrong)(`is shown with its type by ${name}: %s`, async (by, words) => {
      await expect((async () => count(by as number))()).rejects.toMatchObject({
        code: 'INVALID_VALUE',
        message: `a counter counts by a whole number from 0 to 2^53 - 1, not by ${words}`,
      })
    })
  }
})

describe('a name of a wrong type', () => {
  const naming: Readonly<Record<string, (name: string) => unknown>> = {
    map: (name) => grid.map(name),
    counter: (name) => grid.counter(name),
    set: (name) => grid.set(name),
    counters: (name) => grid.counters(name),
    sets: (name) => grid.sets(name),
    topic: (name) => grid.topic(name),
    doc: (name) => grid.doc(name),
    deleteDoc: (name) => grid.deleteDoc(name),
    dropCollection: (name) => grid.dropCollection(name),
    'map in a batch': (name) => grid.transact((batch) => batch.map(name)),
    'counter in a batch': (name) => grid.transact((batch) => batch.counter(name)),
    'a provider': (name) => new GridProvider(grid, name, new Doc()).whenConnected,
    openGrid: (name) => openGrid({ name, logger: undefined as Anything }),
  }
  for (const [name, call] of Object.entries(naming)) {
    it.each([
      [7, '7'],
      [undefined, 'undefined'],
      [null, 'null'],
      [{}, 'an object'],
      [['a'], 'an array of 1'],
    ])(`is INVALID_NAME in ${name}: %j`, async (wrong, words) => {
      await expect((async () => call(wrong as Anything))()).rejects.toMatchObject({
        code: 'INVALID_NAME',
        message: expect.stringMatching(new RegExp(`name is text, not ${words}$`)) as string,
      })
    })
  }

  it('or one that no collection can have is refused by dropCollection as it is by map', async () => {
    for (const name of ['', 'a\n', '\ud800', 'a\u{E000}1', 'x'.repeat(129)]) {
      expect(() => grid.map(name)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }) as Error)
      await expect(grid.dropCollection(name)).rejects.toMatchObject({ code: 'INVALID_NAME' })
    }
  })
})

describe('a key, token or cursor of a wrong type', () => {
  it('is shown', async () => {
    for (const [wrong, words] of [
      [7, '7'],
      [null, 'null'],
      [['k'], 'an array of 1'],
    ] as const) {
      const given = wrong as Anything
      const key = { code: 'INVALID_KEY', message: `a key is text, not ${words}` }
      await expect(grid.map('m').set(given, 1)).rejects.toMatchObject(key)
      await expect(grid.map('m').get(given)).rejects.toMatchObject(key)
      await expect(grid.counters('cs').increment(given)).rejects.toMatchObject(key)
      const token = { code: 'INVALID_TOKEN', message: `a token is text, not ${words}` }
      await expect(grid.reached(given)).rejects.toMatchObject(token)
      const cursor = { code: 'INVALID_TOKEN', message: `since is text, not ${words}` }
      await expect(grid.map('m').watch({ since: given }).next()).rejects.toMatchObject(cursor)
    }
    await expect(grid.reached(undefined as Anything)).rejects.toMatchObject({
      message: 'a token is text, not undefined',
    })
    await expect(grid.map('f', { merge: 'fields' }).set('k', 'text')).rejects.toMatchObject({
      message: 'The values of a map with fields are plain objects, not the text "text"',
    })
  })
})
