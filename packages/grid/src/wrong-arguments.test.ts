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

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** Values that an option of `openGrid` cannot have. */
const options: Readonly<Record<string, readonly unknown[]>> = {
  directory: [5, null, {}, new URL('file:///tmp/x'), 'a\0b'],
  persist: ['yes', null, 1],
  join: ['/ip4/127.0.0.1/tcp/1', 5, null, {}, [true], [undefined]],
  listen: ['/ip4/127.0.0.1/tcp/0', 4001, null, {}, [4001], [true]],
  announce: ['/dns4/x/tcp/1', null, [null]],
  tls: [5, null, {}, { cert: 'x' }, { cert: 'x', key: 5 }, { cert: 'x', key: 'y' }, { cert: 'x', key: 'y', ca: 'z' }],
  iceServers: [5, null, {}, ['stun:x'], [{}], [{ urls: 5 }], [{ urls: [] }], [{ url: 'stun:x' }]],
  mdns: ['no', null, 0],
  logger: [5, null, {}, { warn: () => undefined }, { ...quiet, error: 'x' }],
  tracer: [5, null, {}, { startSpan: 1 }],
  weight: ['1', null, NaN, -1, {}],
  zone: [5, null],
  role: [5, null, 'king'],
  signal: [5, null],
  storage: [5, null, {}, { read: () => undefined }],
  network: [5, null, {}],
  valueSizeMaxBytes: ['1', null],
  pass: [5, null, {}, undefined],
  guests: [
    5,
    null,
    {},
    { listen: 5 },
    { listen: [] },
    { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    { listen: ['x'], max: 0 },
  ],
}

describe('openGrid', () => {
  for (const [name, values] of Object.entries(options)) {
    for (const value of values) {
      it(`refuses ${name}: ${JSON.stringify(value) ?? String(value)}`, async () => {
        const opening = openGrid({ name: 'a', logger: quiet, [name]: value } as Anything)
        await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) })
      })
    }
  }

  it('refuses what are no options', async () => {
    for (const wrong of [undefined, null, 'demo', 5]) {
      await expect(openGrid(wrong as Anything)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
  })

  it('refuses an address that nothing could be dialled by, or listened on', async () => {
    for (const address of ['', '/', '/ip4/127.0.0.1', '/dns4/example.org']) {
      const open = { name: 'a', logger: quiet, open: true, mdns: false } as const
      await expect(openGrid({ ...open, join: [address] })).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
      await expect(openGrid({ ...open, listen: [address] })).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
    }
  })

  it('refuses to listen on /tls/ws without a certificate', async () => {
    const opening = openGrid({ name: 'a', logger: quiet, listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'] })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('tls') })
  })
})

const calls: Readonly<Record<string, () => unknown>> = {
  'touch(key, null)': () => grid.map('m').touch('k', null as Anything),
  "touch('5')": () => grid.map('m').touch('k', '5' as Anything),
  'setMany(entries, null)': () => grid.map('m').setMany([['k', 1]], null as Anything),
  'setMany(text)': () => grid.map('m').setMany('ab' as Anything),
  'setMany([text])': () => grid.map('m').setMany(['kv'] as Anything),
  'setMany([[k, v, x]])': () => grid.map('m').setMany([['k', 1, 2]] as Anything),
  'setMany([null])': () => grid.map('m').setMany([null] as Anything),
  'map.clear(null)': () => grid.map('m').clear(null as Anything),
  'addMany(text)': () => grid.set('s').addMany('ab' as Anything),
  'addMany(elements, null)': () => grid.set('s').addMany(['a'], null as Anything),
  'set.clear(null)': () => grid.set('s').clear(null as Anything),
  'getMany(text)': () => grid.map('m').getMany('k' as Anything),
  'getMany()': () => grid.map('m').getMany(undefined as Anything),
  'update(key)': () => grid.map('m').update('k', undefined as Anything),
  'map.transact()': () => grid.map('m').transact(undefined as Anything),
  'grid.transact()': () => grid.transact(undefined as Anything),
  'grid.on(storge)': () => grid.on('storge' as Anything, () => undefined),
  'map.on(chnage)': () => grid.map('m').on('chnage' as Anything, () => undefined),
  'document.on(refusd)': async () => (await grid.doc('d')).on('refusd' as Anything, () => undefined),
  'map.changes({ initial: text })': () => grid.map('m').changes({ initial: 'yes' as Anything }),
  'set.changes({ initial: 1 })': () => grid.set('s').changes({ initial: 1 as Anything }),
  'presence.changes({ initial: null })': () => grid.presence().changes({ initial: null as Anything }),
  'topic.messages({ own: text })': () => grid.topic('t').messages({ own: 'no' as Anything }),
  'topic.on({ own: 0 })': () => grid.topic('t').on('message', () => undefined, { own: 0 as Anything }),
  'grid.docs(5)': () => grid.docs(5 as Anything),
  'grid.forget(5)': () => grid.forget(5 as Anything),
  'grid.doc({ doc: 5 })': () => grid.doc('d', { doc: 5 as Anything }),
  'grid.doc({ awareness: {} })': () => grid.doc('d', { awareness: {} as Anything }),
  'provider of no grid': () => new GridProvider(undefined as Anything, 'd', new Doc()),
  'provider of no Y.Doc': () => new GridProvider(grid, 'd', {} as Anything),
  'provider({ connect: text })': () => new GridProvider(grid, 'd', new Doc(), { connect: 'no' as Anything }),
  'provider({ awareness: 5 })': () => new GridProvider(grid, 'd', new Doc(), { awareness: 5 as Anything }),
}

describe('an argument that is none', () => {
  for (const [call, run] of Object.entries(calls)) {
    it(`is refused with INVALID_OPTION by ${call}`, async () => {
      const running = (async () => run())()
      await expect(running).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    })
  }

  it('has written nothing', () => {
    expect([grid.map('m').size, grid.set('s').size]).toEqual([0, 0])
  })
})

describe('openRelay', () => {
  it('refuses addresses that are no array of text', async () => {
    for (const wrong of ['/ip4/127.0.0.1/tcp/0/ws', 5, {}, [5]]) {
      await expect(openRelay({ listen: wrong as Anything })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(openRelay({ announce: wrong as Anything })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
  })
})
